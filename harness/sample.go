package harness

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// Timing is how long a sample takes.
type Timing struct {
	Warm    time.Duration // at least this long, and a whole lap, before the clock starts
	Measure time.Duration
}

// warmLimit bounds the wait for whole laps of large workloads, in multiples of Timing.Warm.
const warmLimit = 20

// stuckAfter is how long the end of a lap, or the check, may take before they are given up as stuck. A lap of a million
// connections takes a few seconds.
const stuckAfter = 30 * time.Second

// A bench is what samples on one machine share.
type bench struct {
	clock *machine.Clock
	noise machine.Noise
	cpus  []int   // in the order in which workers are placed
	perNS float64 // units of locks.Delay in a nanosecond
}

func newBench(workers int) (*bench, error) {
	topo, err := machine.HostTopology()
	order := topo.Order(workers)
	if order == nil {
		return nil, fmt.Errorf("no CPU to run on: %w", err)
	}
	return &bench{clock: machine.NewClock(), noise: machine.NewNoise(topo.Allowed), cpus: order, perNS: locks.CalibrateDelay()}, nil
}

// A Sample is what one measurement gave.
type Sample struct {
	Segs      uint64                  // segments in the measured time, all workers
	NSPerSeg  float64                 // wall time a segment: with n workers that scale it falls to 1/n
	Latency   *hdrhistogram.Histogram // of a batch, in clock ticks
	Fairness  float64                 // Jain's index over the workers' segments: 1 equal, 1/n one had all
	Allocs    float64                 // heap allocations a segment, rounded down as testing does
	SegsBatch float64                 // segments a batch
	Waiting   float64                 // share of the workers' time spent waiting for each other's order (spray)
	BytesConn float64                 // heap bytes a connection
	Walks     uint64
	WalkTime  time.Duration // of all of them
	Wall      time.Duration // measured time
	OneWay    [2]float64    // cache-line ping-pong before and after, ns; 0: not measured
	Class     machine.Class
	Noise     machine.Delta
	Disturbed string // why, or ""
	Stats     pcbinfo.Stats
	Zone      pcbinfo.ZoneStats
	Counters  []pcbinfo.Counter
}

// sample measures v once. The error names what was lost, and then there is no Sample.
func (b *bench) sample(v *variant, seed uint64, tm Timing) (*Sample, error) {
	v.Workload.Seed = seed
	w, err := workloads.Build(v.Workload)
	if err != nil {
		return nil, err
	}
	before := heap()
	in, err := v.spec.New(pcbinfo.Config{CPUs: w.Workers, Conns: max(w.Conns, w.Flows()), Lock: v.lock,
		Work: uint32(float64(v.Work) * b.perNS), Seed: seed})
	if err != nil {
		return nil, err
	}
	if err := w.Open(in); err != nil {
		return nil, err
	}
	s := &Sample{BytesConn: float64(heap()-before) / float64(max(1, w.Flows()))}
	w.Forget()
	r := &run{b: b, v: v, in: in, ds: w.Drivers(in, v.model), tm: tm}
	if err := r.measure(s); err != nil {
		return nil, err
	}
	if err := bounded(stuckAfter, "checking the table", func() error { return r.check(w, s) }); err != nil {
		return nil, err
	}
	return s, nil
}

// check compares what happened with what was sent and takes the table down. A broken table may send it in circles: see bounded.
func (r *run) check(w *workloads.Workload, s *Sample) error {
	check := w.Check
	if !r.v.spec.Table {
		check = w.CheckCount
	}
	if err := check(r.in, r.ds); err != nil {
		return err
	}
	s.Stats, s.Zone, s.Counters = r.in.Stats(), r.in.Zone(), r.in.Counters()
	return r.in.Close()
}

// bounded calls f, turns its panic into an error, and gives it up as stuck in what it does after a while.
func bounded(limit time.Duration, what string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("%v\n%s", p, panicSite())
			}
		}()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return &StuckError{limit, what}
	}
}

// heap is the number of bytes in use, garbage taken out.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

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
	in      pcbinfo.Info
	ds      []*workloads.Driver
	tm      Timing
	workers []worker
	_       [128]byte
	phase   atomic.Int32 // read by all at each batch, written three times
	failed  atomic.Bool  // a worker has panicked: the others stop where they are
	_       [128]byte
	target  atomic.Uint64 // under spray: the lap at whose end all stop
	arrived atomic.Int32  // workers that know where they stand
}

// A worker is one worker's measurements; nobody else looks before it is done.
type worker struct {
	warm    atomic.Bool
	segs    uint64
	batches uint64
	waiting int64 // ticks
	hist    *hdrhistogram.Histogram
	err     error
	_       [128]byte
}

// The range of batch latencies, in ticks: up to some ten seconds, two digits.
const maxTicks = 1 << 36

// measure runs the workers through the sample's phases.
func (r *run) measure(s *Sample) error {
	r.workers = make([]worker, len(r.ds))
	for i := range r.workers {
		r.workers[i].hist = hdrhistogram.New(1, maxTicks, 2)
	}
	if v := r.v; !v.spec.Collects() { // else the collector is the scheme's grace period
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
	}
	s.OneWay[0] = r.pingPong()
	var wg sync.WaitGroup
	for i := range r.ds {
		wg.Go(func() { r.guard(i) })
	}
	for range r.v.Workload.Walkers {
		wg.Go(func() { r.walk(s) })
	}
	r.awaitWarm()
	mem := mallocs()
	snap := r.b.noise.Snapshot()
	start := time.Now()
	r.phase.Store(measuring)
	time.Sleep(r.tm.Measure)
	r.phase.Store(draining)
	s.Wall = time.Since(start)
	s.Noise = r.b.noise.Snapshot().Sub(snap)
	if err := r.await(&wg); err != nil {
		return err
	}
	mem = mallocs() - mem
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

// awaitWarm returns when every worker is warm.
func (r *run) awaitWarm() {
	deadline := time.Now().Add(warmLimit * r.tm.Warm)
	time.Sleep(r.tm.Warm)
	for i := range r.workers {
		for !r.workers[i].warm.Load() && !r.failed.Load() && time.Now().Before(deadline) {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// await waits for the workers, but not for ever.
func (r *run) await(wg *sync.WaitGroup) error {
	err := bounded(stuckAfter, "", func() error {
		wg.Wait()
		return nil
	})
	if errors.As(err, new(*StuckError)) {
		return &StuckError{stuckAfter, r.describe()}
	}
	for i := range r.workers {
		if err := r.workers[i].err; err != nil {
			return err
		}
	}
	return nil
}

// A StuckError says that workers made no progress. They still run: the process is of no more use.
type StuckError struct {
	after time.Duration
	who   string
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("no progress for %v: %s", e.after, e.who)
}

func (r *run) describe() string {
	s := ""
	for i, d := range r.ds {
		s += fmt.Sprintf("worker %d in lap %d; ", i, d.Begun())
	}
	return s
}

// guard runs worker i and turns its panic into an error: a broken scheme ends its sample, not the process.
func (r *run) guard(i int) {
	defer func() {
		if p := recover(); p != nil {
			r.workers[i].err = fmt.Errorf("worker %d: %v\n%s", i, p, panicSite())
			r.failed.Store(true)
		}
	}()
	if r.v.Pin == PinCPU {
		unpin, err := machine.Pin(r.b.cpus[i])
		if err != nil {
			r.workers[i].err = fmt.Errorf("worker %d: %w (pin=%s needs no rights)", i, err, PinNone)
			r.failed.Store(true)
			return
		}
		defer unpin()
	}
	r.loop(r.ds[i], &r.workers[i])
	r.drain(r.ds[i])
}

// panicSite names the innermost functions of a panic under way.
func panicSite() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var sites []string
	after := false
	for f, more := frames.Next(); more && len(sites) < 6; f, more = frames.Next() {
		if after {
			sites = append(sites, fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line))
		}
		after = after || f.Function == "runtime.gopanic"
	}
	return "at " + strings.Join(sites, "\n   ")
}

// loop replays laps until the phase is over, one clock reading a batch.
func (r *run) loop(d *workloads.Driver, w *worker) {
	clock, warmed := r.b.clock, time.Now().Add(r.tm.Warm)
	last, phase := clock.Now(), int32(warming)
	for !r.failed.Load() {
		if now := r.phase.Load(); now != phase {
			if phase = now; phase == draining {
				return
			}
			last = clock.Now()
		}
		if !d.Ready() {
			runtime.Gosched()
			at := clock.Now()
			if phase == measuring && r.phase.Load() == measuring { // who was off its CPU may come back long after the clock stopped
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
func (r *run) drain(d *workloads.Driver) {
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
		s.Latency.Merge(w.hist)
	}
	if s.Segs == 0 {
		return errors.New("no segment in the measured time: too short")
	}
	s.NSPerSeg = float64(s.Wall) / float64(s.Segs)
	s.Fairness = float64(s.Segs) * float64(s.Segs) / squares / float64(len(r.workers))
	s.Allocs = float64(mallocs / s.Segs)
	s.SegsBatch = float64(s.Segs) / float64(batches)
	s.Waiting = waiting / (float64(s.Wall) * float64(len(r.workers)))
	return nil
}
