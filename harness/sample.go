package harness

import (
	"errors"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/lockbench"
	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// Timing is how long a sample takes.
type Timing struct {
	Warm    time.Duration // at least this long, and a whole lap, before the clock starts
	Measure time.Duration
}

// stuckAfter is how long workers may make no progress, and how long opening and check may take, which is a few seconds for a
// million connections.
const stuckAfter = 30 * time.Second

// A bench is what samples on one machine share.
type bench struct {
	clock *machine.Clock
	noise machine.Noise
	cpus  []int   // in the order in which workers are placed
	perNS float64 // units of locks.Delay in a nanosecond
	plant Plant
	locks *lockbench.Bench  // of a process's locks
	label bool              // what workers do, for a profiler
	hw    *machine.Counters // nil: nobody asked
}

func newBench(workers int) (*bench, error) {
	topo, err := machine.HostTopology()
	order := topo.Order(workers)
	if order == nil {
		return nil, errors.Join(errors.New("no CPU to run on"), err)
	}
	return &bench{clock: machine.NewClock(), noise: machine.NewNoise(topo.Allowed), cpus: order, perNS: locks.CalibrateDelay()}, nil
}

// A Sample is what one measurement gave.
type Sample struct {
	Segs       uint64                  // segments in the measured time, all workers
	NSPerSeg   float64                 // wall time a segment: with n workers that scale it falls to 1/n
	Latency    *hdrhistogram.Histogram // of a batch, in clock ticks
	Fairness   float64                 // Jain's index over the workers' segments: 1 equal, 1/n one had all
	Allocs     float64                 // heap allocations a segment, rounded down to a hundredth
	SegsBatch  float64                 // segments a batch
	Sprayed    float64                 // share of neighbouring pieces of a connection on different workers (spray)
	Waiting    float64                 // share of the workers' time spent waiting for each other's order (spray)
	BytesTable float64                 // heap bytes of the empty table
	BytesConn  float64                 // heap bytes that a connection adds to it
	Walks      uint64
	WalkTime   time.Duration     // of all of them
	Wall       time.Duration     // measured time
	OneWay     [2]float64        // cache-line ping-pong before and after, ns; 0: not measured
	Counted    []machine.Counted // by hardware, over Wall; nil: nobody asked
	Class      machine.Class
	Noise      machine.Delta
	Watched    time.Duration // of Noise: some of the time before and after Wall, too
	Disturbed  string        // why, or ""
	NSMul      float64       // time of a unit of locks.Delay just before, which tells of the clock frequency
	Late       float64       // share of Segs in the second half of the measured time
	Stats      pcbinfo.Stats
	Sent       uint64       // segments of the whole sample, warm-up and drain included: what Isr and UserWakes count by
	Isr        netisr.Stats // of the whole sample, as are Stats and Counters
	UserWakes  netisr.Wakes // of users who have threads of their own
	InputWakes netisr.Wakes // of input contexts, where netisr has
	Counters   []pcbinfo.Counter
	Path       []pcbinfo.Counter    // of the mix's protocols beside TCP
	Open       *workloads.OpenStats // of an open loop's arrivals within Window; nil: a closed loop
	Window     time.Duration
}

// sample measures v once. The error names what was lost, and then there is no Sample.
func (b *bench) sample(v *variant, seed uint64, tm Timing) (*Sample, error) {
	r, s, err := b.open(v, seed, tm)
	if err != nil {
		return nil, err
	}
	if err := b.labelled(v, func() error { return r.measure(s) }); err != nil {
		return nil, err
	}
	if err := bounded(stuckAfter, "checking the table", nil, func() error { return r.check(s) }); err != nil {
		return nil, err
	}
	return s, nil
}

// open makes v's workload and a table that is where the first lap begins.
func (b *bench) open(v *variant, seed uint64, tm Timing) (*run, *Sample, error) {
	v.Workload.Seed = seed
	w, err := workloads.Build(v.Workload)
	if err != nil {
		return nil, nil, err
	}
	none := heap()
	in, err := v.spec.New(pcbinfo.Config{CPUs: v.way.Handles(w.Workers), Owners: v.way.Model.Streams(w.Workers), Conns: max(w.Conns, w.Flows()), Lock: v.lock,
		Work: uint32((float64(v.Work) + b.plant.work(v)) * b.perNS), Seed: seed})
	if err != nil {
		return nil, nil, err
	}
	empty := heap()
	if err := bounded(stuckAfter, "opening the table", nil, func() error { return w.Open(in) }); err != nil {
		return nil, nil, err
	}
	s := &Sample{Sprayed: w.Sprayed}
	if n := in.Len(); n > 0 {
		s.BytesTable, s.BytesConn = float64(empty-none), float64(heap()-empty)/float64(n)
	}
	w.Forget()
	way := v.way
	way.Now = b.clock.Now
	if v.Pin == PinCPU {
		way.Yield = machine.Yield // a pinned goroutine that yields to Go's scheduler pays two wake-ups
	}
	t := w.Start(in, way)
	if v.open() {
		rate, err := v.offered()
		if err != nil {
			return nil, nil, err
		}
		unit := b.clock.NS(1)
		t.Prepare(v.arrivals, rate*unit/1e9, unit, seed)
	}
	return &run{b: b, v: v, w: w, in: in, t: t, ds: t.Drivers, tm: tm, opened: in.Counters()}, s, nil
}

// check compares what happened with what was sent and takes the table down. A broken table may send it in circles: see bounded.
func (r *run) check(s *Sample) error {
	check := r.w.Check
	if !r.v.spec.Table {
		check = r.w.CheckCount
	}
	if err := check(r.in, r.ds); err != nil {
		return err
	}
	if r.v.open() {
		o, err := r.t.OpenStats()
		if err != nil {
			return err
		}
		s.Open, s.Window = &o, r.tm.Measure
	}
	s.Isr, s.UserWakes, s.InputWakes = r.t.Isr.Stats(), r.t.UserWakes(), r.t.InputWakes()
	for _, d := range r.ds {
		s.Sent += d.Sent()
	}
	s.Stats, s.Counters, s.Path = r.in.Stats().Since(r.w.Opened()), since(r.in.Counters(), r.opened), r.w.Counters()
	return r.in.Close()
}

// heap is the number of bytes in use, garbage taken out.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// since is what now counts beyond before; gauges stand as they are.
func since(now, before []pcbinfo.Counter) []pcbinfo.Counter {
	for i := range now {
		if !now[i].Gauge {
			now[i].Value -= before[i].Value
		}
	}
	return now
}
