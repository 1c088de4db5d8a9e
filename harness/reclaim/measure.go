package reclaim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// A Result is what one measurement of a Case gave. No reader of it met a block that was reused, and all that was retired came back.
type Result struct {
	Sections uint64 // of all readers
	Ticks    int64  // clock ticks that the readers took for them, all together
	Retires  uint64
	Busy     int64                   // clock ticks that the writer took for these, what it got back for them included
	Grace    *hdrhistogram.Histogram // clock ticks from unlinking a block to its being free, or to the end
	Peak     int                     // the most blocks that were retired and not free
	Slices   [Slices]int             // the same for each part of the measured time
	Bound    int                     // what it can be at most; -1: there is no bound
	GC       float64                 // where Go's collector is the grace period, its share of the CPU time; -1: no cycle of it ended
	Heap     uint64                  // the most bytes that were then in use on the heap, of as many looks as Slices
}

// Bytes is what the blocks at the peak take.
func (r *Result) Bytes() int { return r.Peak * blockSize }

// Hops is how many blocks a reader came by.
func (c Case) Hops(sections uint64) uint64 { return sections * uint64(c.Lookups) * hops }

// The range of grace periods, in ticks: up to some ten seconds, two digits.
const maxTicks = 1 << 36

// The phases of a trial.
const (
	warming = iota
	measuring
	cooling // until everybody has written down what was measured
	over
)

// A trial is one measurement.
type trial struct {
	Case
	clock  *machine.Clock
	dom    smr.Domain // one of the two is nil
	objs   smr.Objects
	shared bool // threads take turns on a CPU
	_      [locks.LinePad]byte
	phase  atomic.Int32
	began  int64 // when measuring began, and how long it lasts; written before the phase is
	lasts  int64
	_      [locks.LinePad]byte

	recorded atomic.Int32 // readers that have
	ended    chan struct{}
	chains   [chains]chain
}

// warmTime is how long everybody works before the clock starts.
const warmTime = 5 * time.Millisecond

// ErrStarved says that somebody got nothing done in the measured time, as happens on a busy machine.
var ErrStarved = errors.New("reclaim: nothing was done in the measured time: it is too short")

// Lasts is how long is measured where d is asked for: at least twice as long as a reader stalls.
func (c Case) Lasts(d time.Duration) time.Duration { return max(d, 2*c.Stall) }

// Measure takes about as long as Lasts says. cpus are to be used in that order; they mean nothing unless c pins. An error says that a block was reused under a
// reader, was lost, or was one too many; that the kind panicked; or that threads cannot be pinned.
func (c Case) Measure(clock *machine.Clock, cpus []int, d time.Duration) (*Result, error) {
	t := &trial{Case: c, clock: clock, ended: make(chan struct{}), shared: len(cpus) < c.CPUs() || c.Pin != "cpu"}
	kind, err := smr.Find(c.SMR)
	if err != nil {
		return nil, err
	}
	handles := c.Readers + 2 // the one that stalls, and the writer
	if kind.NewObjects != nil {
		t.objs = kind.NewObjects(handles)
	} else {
		t.dom = kind.New(handles)
	}
	collects := !recycles(kind)
	if runtime.GC(); !collects { // else the collector is the grace period
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
	}
	w := &writer{rng: rand.New(rand.NewPCG(1, 1)), pool: pool{trial: t, cpu: handles - 1}, grace: hdrhistogram.New(1, maxTicks, 2)}
	w.fill()
	readers := make([]reader, c.Readers)
	var threads []func()
	for i := range readers {
		readers[i] = reader{trial: t, cpu: i, rng: uint64(i) + 1}
		threads = append(threads, readers[i].run)
	}
	switch c.Do {
	case Grace:
		threads = append(threads, w.wait)
	case Update:
		threads = append(threads, w.update)
	}
	if n := len(threads) + 1; n > runtime.GOMAXPROCS(0) && c.Pin == "cpu" {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n)) // each may run whenever its CPU is free
	}
	staller := reader{trial: t, cpu: c.Readers, rng: 1 << 32}
	res := &Result{Grace: w.grace, Bound: bound(t.objs)}
	if err := t.run(threads, &staller, cpus, c.Lasts(d), collects, res); err != nil {
		return nil, err
	}
	err = staller.err
	for i := range readers {
		err = errors.Join(err, readers[i].err)
		res.Sections += readers[i].sections
		res.Ticks += readers[i].ticks
	}
	if err = errors.Join(err, w.check()); err != nil {
		return nil, err
	}
	if res.Sections == 0 || c.Do == Grace && w.grace.TotalCount() == 0 || c.Do == Update && w.retires == 0 {
		return nil, ErrStarved
	}
	res.Retires, res.Busy, res.Peak, res.Slices = w.retires, w.busy, w.peak, w.slices
	return res, nil
}

// run has the threads work through the phases.
func (t *trial) run(threads []func(), staller *reader, cpus []int, d time.Duration, collects bool, res *Result) error {
	var wg sync.WaitGroup
	var there atomic.Int32
	var start atomic.Bool
	errs := make([]error, len(threads)+1) // the last is the staller's
	for i, run := range threads {
		wg.Go(func() {
			if t.Pin == "cpu" {
				unpin, err := machine.Pin(cpus[i%len(cpus)])
				if errs[i] = err; err == nil {
					defer unpin()
				}
			}
			for there.Add(1); !start.Load(); {
				t.yield()
			}
			if t.phase.Load() < over {
				errs[i] = t.guarded(run)
			}
		})
	}
	for int(there.Load()) < len(threads) {
		time.Sleep(pollTime)
	}
	err := errors.Join(errs...) // written before the Adds
	if err != nil {
		t.phase.Store(over)
	} else if t.Stall > 0 {
		wg.Go(func() { errs[len(threads)] = t.guarded(staller.stall) })
	}
	start.Store(true)
	if err == nil {
		t.measure(d, collects, res)
	}
	t.phase.Store(over)
	close(t.ended)
	wg.Wait()
	return errors.Join(errs...)
}

// guarded runs one of the threads, and turns its panic into an error. Nobody waits then for what it does not record.
func (t *trial) guarded(run func()) error {
	err := oracle.Guard(func() error { run(); return nil })
	if err != nil {
		t.recorded.Add(int32(t.Readers))
		err = fmt.Errorf("reclaim: smr=%s: %w", t.SMR, err)
	}
	return err
}

// pollTime is how often the one who keeps time looks, when there is something to wait for.
const pollTime = 100 * time.Microsecond

// measure has what is done in d counted.
func (t *trial) measure(d time.Duration, collects bool, res *Result) {
	time.Sleep(warmTime)
	before := readMemory()
	t.lasts = int64(float64(d) / t.clock.NS(1))
	t.began = t.clock.Now()
	t.phase.Store(measuring)
	for range Slices {
		time.Sleep(d / Slices)
		if collects {
			res.Heap = max(res.Heap, readMemory().heap)
		}
	}
	t.phase.Store(cooling)
	for int(t.recorded.Load()) < t.Readers {
		time.Sleep(pollTime)
	}
	if collects {
		res.GC = collecting(before, readMemory())
	}
}

// memory is what Go's collector tells.
type memory struct {
	gc, cpu float64 // seconds, as they were when the last cycle ended; cpu is without idle time, of which the total has as much as there are processors
	cycles  uint64
	heap    uint64
}

// collecting is the collector's share of the CPU time, -1 if no cycle ended.
func collecting(before, after memory) float64 {
	if after.cycles == before.cycles || after.cpu <= before.cpu {
		return -1
	}
	return (after.gc - before.gc) / (after.cpu - before.cpu)
}

func readMemory() memory {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"},
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return memory{s[0].Value.Float64(), s[1].Value.Float64() - s[2].Value.Float64(), s[3].Value.Uint64(), s[4].Value.Uint64()}
}

// yield is what who waits does.
func (t *trial) yield() {
	switch {
	case !t.shared:
		locks.Pause(1)
	case t.Pin == "cpu":
		machine.Yield() // a pinned goroutine that yields to Go's scheduler pays two wake-ups
	default:
		runtime.Gosched()
	}
}

// offline is for readers that stop or pause.
func (t *trial) offline(cpu int) {
	if t.dom != nil {
		t.dom.Offline(cpu)
	}
}
