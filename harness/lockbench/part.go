package lockbench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// The phases of a part.
const (
	warming = iota
	measuring
	over
)

// A part is one stretch of a sample: rooms, and workers that go through them.
type part struct {
	Case
	clock    *machine.Clock
	glances  uint64
	measure  int64         // ticks
	patience time.Duration // how long a worker may need to get in for the first time
	warmed   int64         // when workers may be warm, and when they are given up if they are not
	given    int64
	from     int64 // when the measured time began, and when it is to end; written before phase says so
	to       int64
	ended    atomic.Int64 // when it did
	rooms    []room       // nil: the floor's, which each worker has of its own
	trace    *trace       // nil: sections are not stamped
	workers  []worker
	stop     sync.Mutex
	errs     []error // under stop
	_        [locks.LinePad]byte
	phase    atomic.Int32 // read by all at each section, written twice
	_        [locks.LinePad]byte
	cold     atomic.Int32 // workers that are not warm
	_        [locks.LinePad]byte
}

// newPart makes a part of c. spec is nil for the floor; without a trace, nothing is stamped.
func (b *Bench) newPart(c Case, spec *locks.Spec, t *trace, d time.Duration, rng *rand.Rand) (p *part, err error) {
	p = &part{Case: c, clock: b.Clock, glances: c.glances(), measure: b.ticks(d), patience: 10 * time.Second, trace: t}
	if spec != nil {
		if p.rooms, err = newRooms(c, *spec); err != nil {
			return nil, err
		}
	}
	p.furnish(b.CPUs, b.PerNS, rng)
	return p, nil
}

// furnish makes the workers.
func (p *part) furnish(cpus []int, perNS float64, rng *rand.Rand) {
	p.workers = make([]worker, p.Workers)
	p.cold.Store(int32(p.Workers))
	if p.trace != nil {
		p.trace.reset(p.Workers)
	}
	for i := range p.workers {
		w := &p.workers[i]
		w.part, w.id, w.cpu, w.rooms, w.node = p, i, -1, p.rooms, new(locks.Node)
		w.plan, w.units, w.wrote = p.plan(rng, perNS), p.critical(i, perNS), newCounters(p.Locks)
		w.job, w.capture = w.inside, newCapture(p.Locks)
		if w.stamp = p.trace != nil; w.stamp {
			w.pen = p.trace.newPen(i)
		}
		if p.rooms == nil {
			w.rooms = newFloor(p.Case)
		}
		if p.Pin == PinCPU {
			w.cpu = cpus[i]
		}
	}
}

// run has the workers go through the part, and looks at what they leave.
func (p *part) run(warm int64) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if p.Pin == PinCPU && p.Workers > runtime.GOMAXPROCS(0) {
		// Each may run whenever its CPU is free: which of a CPU's threads runs is the system's choice.
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(p.Workers))
	}
	p.warmed = p.clock.Now() + warm
	p.given = p.warmed + int64(float64(p.patience)/p.clock.NS(1))
	var wg sync.WaitGroup
	for i := range p.workers {
		w := &p.workers[i]
		wg.Go(func() {
			if err := oracle.Guard(w.run); err != nil {
				p.fail(fmt.Errorf("worker %d: %w", i, err))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(p.errs...); err != nil {
		return err
	}
	if p.trace != nil {
		p.trace.from, p.trace.ended = p.from, p.ended.Load()
	}
	return p.check()
}

// fail ends the part for err. Who waits for a lock that the failed one holds waits for ever.
func (p *part) fail(err error) {
	p.stop.Lock()
	defer p.stop.Unlock()
	p.errs = append(p.errs, err)
	p.phase.Store(over)
}

// isWarm counts a worker as warm, and begins the measured time if it was the last. The Store of phase publishes from and to to the Loads in run.
func (p *part) isWarm() {
	if p.cold.Add(-1) == 0 {
		p.from = p.clock.Now()
		p.to = p.from + p.measure
		p.phase.CompareAndSwap(warming, measuring)
	}
}

// end ends the measured time, unless another worker has: that one may have lost its CPU before it could tell the others.
func (p *part) end() {
	p.ended.CompareAndSwap(0, p.clock.Now())
	p.phase.CompareAndSwap(measuring, over)
}

// check compares what is in the rooms with what workers did.
func (p *part) check() error {
	var clashes uint64
	wrote := make([]uint64, p.Locks)
	for i := range p.workers {
		w := &p.workers[i]
		clashes += w.clash
		if p.rooms == nil {
			clear(wrote)
		}
		for j, n := range w.wrote {
			wrote[j] += n
		}
		if p.rooms == nil {
			if err := checkRooms(w.rooms, wrote); err != nil {
				return fmt.Errorf("floor, worker %d: %w", i, err)
			}
		}
	}
	if clashes > 0 {
		return oracle.Violated(oracle.Exclusion, "%d sections were not alone under the lock", clashes)
	}
	if p.rooms == nil {
		return nil
	}
	return checkRooms(p.rooms, wrote)
}

// checkRooms: counters and lines tell of as many sections as there were.
func checkRooms(rooms []room, wrote []uint64) error {
	for i := range rooms {
		for j := range rooms[i].lines {
			if l := &rooms[i].lines[j]; l.seq != wrote[i] || j == 0 && l.done != wrote[i] {
				return oracle.Violated(oracle.Exclusion, "lock %d: line %d says %d, after %d sections that wrote it", i, j, l.seq, wrote[i])
			}
		}
	}
	return nil
}

// count adds up what the workers did in the measured time. There is one section at least, that of the worker that ended it.
func (p *part) count() (c counts) {
	c.wall = p.clock.NS(max(1, p.ended.Load()-p.from))
	c.optimist = p.rooms != nil && p.rooms[0].opt != nil
	for i := range p.workers {
		w := &p.workers[i]
		c.each = append(c.each, float64(w.count))
		c.sections += w.count
		c.all += w.beat.Load()
		c.writes += w.write
		c.retries += w.retries
		c.failed += w.failed
		c.streaks.add(&w.streaks)
		c.starves.add(&w.starves)
	}
	return c
}

// counts are a part's.
type counts struct {
	wall                              float64 // ns
	each                              []float64
	sections, writes, retries, failed uint64
	all                               uint64 // sections of the whole part, those of the warm-up included
	optimist                          bool   // who read held nothing
	streaks, starves                  tallies
}
