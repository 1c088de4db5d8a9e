package harness

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// The phases of a sample.
const (
	warming = iota
	measuring
	draining // the clock has stopped; on to the end of the lap
)

// A run is a sample while it runs.
type run struct {
	b       *bench
	v       *variant
	w       *workloads.Workload
	in      pcbinfo.Info
	ds      []*workloads.Driver
	tm      Timing
	workers []worker
	_       [128]byte
	phase   atomic.Int32 // read by all at each batch, written three times
	failed  atomic.Bool  // a worker has failed: the others stop where they are
	_       [128]byte
	stop    sync.Mutex
	err     error             // under stop: why
	opened  []pcbinfo.Counter // the scheme's counts when the table was open
	target  atomic.Uint64     // under spray: the lap at whose end all stop
	arrived atomic.Int32      // workers that know where they stand
}

// A worker is one worker's measurements; nobody else looks before it is done.
type worker struct {
	warm    atomic.Bool
	segs    uint64
	batches uint64
	waiting int64                  // ticks
	hist    hdrhistogram.Histogram // here, since the counts of two on the heap may share a line
	beat    atomic.Uint64          // now and then the number of rounds of the loop, for who watches
	_       [128]byte
}

// The range of batch latencies, in ticks: up to some ten seconds, two digits.
const maxTicks = 1 << 36

func newWorkers(n int) []worker {
	ws := make([]worker, n)
	for i := range ws {
		ws[i].hist = *hdrhistogram.New(1, maxTicks, 2)
	}
	return ws
}

// measure runs the workers through the sample's phases.
func (r *run) measure(s *Sample) error {
	r.workers = newWorkers(len(r.ds))
	if v := r.v; !v.spec.Collects() { // else the collector is the scheme's grace period
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
	}
	s.OneWay[0] = r.pingPong()
	var wg sync.WaitGroup
	for i := range r.ds {
		wg.Go(func() { r.guarded(fmt.Sprintf("worker %d", i), func() error { return r.work(i) }) })
	}
	for range r.v.walkers() {
		wg.Go(func() { r.guarded("walker", func() error { r.walk(s); return nil }) })
	}
	if err := r.awaitWarm(); err != nil {
		return r.why(err)
	}
	snap := r.b.noise.Snapshot()
	mem := mallocs()
	start := time.Now()
	r.phase.Store(measuring)
	time.Sleep(r.tm.Measure)
	r.phase.Store(draining)
	s.Wall = time.Since(start)
	mem = mallocs() - mem
	s.Noise = r.b.noise.Snapshot().Sub(snap)
	if err := r.await(&wg); err != nil {
		return err
	}
	s.OneWay[1] = r.pingPong()
	if s.OneWay[0] > 0 && s.OneWay[1] > 0 {
		s.Class = machine.Classify(s.OneWay[0], s.OneWay[1])
	}
	if bad, why := s.Noise.Disturbed(s.Wall, len(r.ds)); bad {
		s.Disturbed = why
	}
	return r.sum(s, mem)
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// pingPong classifies where the first two workers' CPUs are; 0 if there is only one.
func (r *run) pingPong() float64 {
	if len(r.ds) < 2 || len(r.b.cpus) < 2 || r.b.cpus[0] == r.b.cpus[1] {
		return 0
	}
	oneWay, ok := machine.PingPong(r.b.cpus[0], r.b.cpus[1])
	if !ok {
		return 0
	}
	return oneWay
}

// awaitWarm returns when every worker is warm, or has failed.
func (r *run) awaitWarm() error {
	time.Sleep(r.tm.Warm)
	return bounded(stuckAfter, "warming up", r.progress, func() error {
		for i := range r.workers {
			for !r.workers[i].warm.Load() && !r.failed.Load() {
				time.Sleep(100 * time.Microsecond)
			}
		}
		return nil
	})
}

// await waits for the workers as long as they make progress.
func (r *run) await(wg *sync.WaitGroup) error {
	err := bounded(stuckAfter, r.describe(), r.progress, func() error {
		wg.Wait()
		return nil
	})
	return r.why(err)
}

// why joins err and what made workers fail: one that is stuck may wait for a lock that one that panicked left behind.
func (r *run) why(err error) error {
	r.stop.Lock()
	defer r.stop.Unlock()
	return errors.Join(r.err, err)
}

// fail stops all workers for err.
func (r *run) fail(err error) {
	r.stop.Lock()
	r.err = errors.Join(r.err, err)
	r.stop.Unlock()
	r.failed.Store(true)
}

// progress grows while any worker gets on.
func (r *run) progress() (sum uint64) {
	for i := range r.workers {
		sum += r.workers[i].beat.Load()
	}
	return sum
}

// describe says how far the workers were when the clock stopped.
func (r *run) describe() string {
	var where []string
	for i := range r.ds {
		where = append(where, fmt.Sprintf("worker %d in round %d", i, r.workers[i].beat.Load()))
	}
	return strings.Join(where, ", ")
}

// guarded runs f and turns its error or panic into the run's: a broken scheme ends its sample, not the process.
func (r *run) guarded(who string, f func() error) {
	if err := oracle.Guard(f); err != nil {
		r.fail(fmt.Errorf("%s: %w", who, err))
	}
}

// work is worker i from start to end.
func (r *run) work(i int) error {
	if r.v.Pin == PinCPU {
		unpin, err := machine.Pin(r.b.cpus[i])
		if err != nil {
			return fmt.Errorf("%w (pin=%s needs no rights)", err, PinNone)
		}
		defer unpin()
	}
	r.loop(r.ds[i], &r.workers[i])
	r.drain(r.ds[i], &r.workers[i])
	return nil
}

// beatEvery is how many rounds of the loop a worker goes without telling.
const beatEvery = 64

// loop replays laps until the phase is over, one clock reading a batch.
func (r *run) loop(d *workloads.Driver, w *worker) {
	clock, warmed := r.b.clock, time.Now().Add(r.tm.Warm)
	last, phase := clock.Now(), int32(warming)
	for rounds := uint64(0); !r.failed.Load(); rounds++ {
		if rounds%beatEvery == 0 {
			w.beat.Store(rounds)
		}
		if now := r.phase.Load(); now != phase {
			if phase = now; phase == draining {
				return
			}
			last = clock.Now()
		}
		if !d.Ready() {
			runtime.Gosched()
			at := clock.Now()
			if phase == measuring && d.Before(math.MaxUint64) && r.phase.Load() == measuring { // who was off its CPU may come back long after the clock stopped
				w.waiting += at - last
			}
			last = at
			w.idle(d, warmed)
			continue
		}
		n := d.Next()
		at := clock.Now()
		if phase == measuring {
			w.segs += uint64(n)
			w.batches++
			w.hist.RecordValue(at - last)
		} else {
			w.idle(d, warmed)
		}
		last = at
	}
}

// idle notes that the worker is warm: it has been through a lap, or has nothing to do, and its time is over.
func (w *worker) idle(d *workloads.Driver, warmed time.Time) {
	if !w.warm.Load() && (d.Begun() > 1 || !d.Before(1)) && time.Now().After(warmed) {
		w.warm.Store(true)
	}
}

// drain goes on to the end of a lap: its own, or under spray the furthest that any worker has begun.
func (r *run) drain(d *workloads.Driver, w *worker) {
	target := d.Begun()
	if r.v.Workload.Affinity == workloads.Spray {
		for old := r.target.Load(); old < target && !r.target.CompareAndSwap(old, target); old = r.target.Load() {
		}
		r.arrived.Add(1)
		for int(r.arrived.Load()) < len(r.ds) && !r.failed.Load() {
			runtime.Gosched()
		}
		target = r.target.Load()
	}
	for d.Before(target) && !r.failed.Load() {
		if d.Ready() {
			d.Next()
			w.beat.Add(1)
		} else {
			runtime.Gosched()
		}
	}
}

// walk lists all connections again and again until the clock stops.
func (r *run) walk(s *Sample) {
	for r.phase.Load() != draining && !r.failed.Load() {
		start := time.Now()
		r.in.Walk(func(*pcbinfo.Xinpcb) bool { return true })
		if r.phase.Load() == measuring {
			atomic.AddUint64(&s.Walks, 1)
			atomic.AddInt64((*int64)(&s.WalkTime), int64(time.Since(start)))
		}
	}
}

// errStarved says that no worker finished a batch in the measured time, as happens on a busy machine.
var errStarved = errors.New("no segment in the measured time: too short")

// sum makes one Sample of the workers' measurements. A worker is late by up to a batch at both ends of the measured time, which
// evens out. The time is not each worker's own: those that take turns on a CPU would each claim its full rate.
func (r *run) sum(s *Sample, mallocs uint64) error {
	if err := r.b.clock.Recalibrate(); err != nil {
		return err
	}
	s.Latency = hdrhistogram.New(1, maxTicks, 2)
	var squares, waiting float64
	var batches uint64
	for i := range r.workers {
		w := &r.workers[i]
		s.Segs += w.segs
		batches += w.batches
		squares += float64(w.segs) * float64(w.segs)
		waiting += r.b.clock.NS(w.waiting)
		s.Latency.Merge(&w.hist)
	}
	if s.Segs == 0 {
		return errStarved
	}
	s.NSPerSeg = float64(s.Wall) / float64(s.Segs)
	s.Fairness = float64(s.Segs) * float64(s.Segs) / squares / float64(len(r.workers))
	s.Allocs = math.Floor(100*float64(mallocs)/float64(s.Segs)) / 100
	s.SegsBatch = float64(s.Segs) / float64(batches)
	s.Waiting = waiting / (float64(s.Wall) * float64(len(r.workers)))
	return nil
}
