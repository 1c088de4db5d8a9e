package harness

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// sampled measures e, with the bench that a job of e alone would have.
func sampled(t *testing.T, e Experiment, tm Timing) (*bench, *Sample) {
	t.Helper()
	b, err := newBench(e.Workload.Workers)
	if err != nil {
		t.Fatal(err)
	}
	v := resolved(t, e)
	s, err := b.patient(v, 5, tm)
	if err != nil {
		t.Fatalf("%s: %v", v.name(), err)
	}
	return b, s
}

// plausible checks what holds for every sample.
func plausible(t *testing.T, e Experiment, b *bench, s *Sample) {
	t.Helper()
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s with %d workers: %s", e.Scheme, e.Workload.Workers, fmt.Sprintf(format, args...))
	}
	value := map[string]float64{}
	for _, v := range s.values(b.clock) {
		value[v.Unit] = v.Value
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) || v.Value < 0 {
			bad("%s is %v", v.Unit, v.Value)
		}
	}
	workers := float64(e.Workload.Workers)
	if f := value["fairness"]; f < 1/workers-1e-9 || f > 1+1e-9 {
		bad("fairness is %v", f)
	}
	if p := value["ns/seg"] * value["segs/s"]; math.Abs(p/1e9-1) > 1e-9 {
		bad("ns/seg × segs/s is %v", p)
	}
	// All workers' segments fill the measured time once, however many share a CPU.
	if ratio := s.NSPerSeg * float64(s.Segs) / float64(s.Wall); s.Segs == 0 || math.Abs(ratio-1) > 1e-9 {
		bad("%d segments of %v ns in %v", s.Segs, s.NSPerSeg, s.Wall)
	}
	if p50, p99, p999, most := value["p50-ns"], value["p99-ns"], value["p99.9-ns"], value["max-ns"]; s.Open == nil && (p50 <= 0 || p50 > p99 || p99 > p999 || p999 > most) {
		bad("quantiles are not in order: %v %v %v %v", p50, p99, p999, most)
	}
	sp, err := pcbinfo.ParseSpec(e.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is allocated for a segment or a connection, unless it is the collector's; the harness and the runtime have a few in all.
	if !sp.Collects() && s.Allocs > 0.05 && s.Allocs*float64(s.Segs) > 50 {
		bad("%v allocations a segment of %d", s.Allocs, s.Segs)
	}
	if s.SegsBatch <= 0 || s.SegsBatch > 32 {
		bad("%v segments a batch of at most 32", s.SegsBatch)
	}
	if s.Waiting > 1 {
		bad("waited for %v of the time", s.Waiting)
	}
}

// noneLeft waits for the goroutines that a sample started.
func noneLeft(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

// TestSamples measures every scheme alone and with company, and where one CPU serves all.
func TestSamples(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(procs)
	before := runtime.NumGoroutine()
	for _, c := range []struct{ procs, workers int }{{procs, 1}, {procs, 2}, {1, 2}} {
		runtime.GOMAXPROCS(c.procs)
		for _, scheme := range append(pcbinfo.Names(), "smr:smr=gc") {
			if scheme == "unsync" && c.workers > 1 {
				continue
			}
			e := tiny(scheme, c.workers)
			if scheme == "owned" && c.workers > 1 {
				e.Dispatch = "connp-t"
			}
			b, s := sampled(t, e, brief)
			plausible(t, e, b, s)
		}
	}
	noneLeft(t, before)
}

// TestSpray measures the sprayed workload, whose workers must stop at the same lap.
func TestSpray(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, scheme := range []string{"null", "global", "smr"} {
		for _, workers := range []int{1, 2, 3} {
			e := tiny(scheme, workers)
			e.Workload.Affinity = workloads.Spray
			b, s := sampled(t, e, brief)
			plausible(t, e, b, s)
			if workers == 1 && s.Waiting > 0 {
				t.Errorf("a single worker waited for %v of the time", s.Waiting)
			}
		}
	}
	noneLeft(t, before)
}

// fewProcs is how many CPUs the test has; two of a large machine, so that four workers for each are soon warm.
func fewProcs(t *testing.T) int {
	t.Helper()
	old := runtime.GOMAXPROCS(0)
	procs := min(2, old)
	runtime.GOMAXPROCS(procs)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
	return procs
}

// TestPinned measures with threads and CPUs of their own, and more workers than those.
func TestPinned(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("threads cannot be pinned on " + runtime.GOOS)
	}
	before := runtime.NumGoroutine()
	for _, workers := range []int{1, 2, 4 * fewProcs(t)} {
		e := tiny("refcount", workers)
		e.Pin = PinCPU
		b, s := sampled(t, e, brief)
		plausible(t, e, b, s)
	}
	noneLeft(t, before)
}

// TestOversubscribed measures four workers a CPU: some may never have their turn in so short a time, and the rest must not be
// counted as if each had a CPU.
func TestOversubscribed(t *testing.T) {
	for _, scheme := range []string{"null", "global"} {
		e := tiny(scheme, 4*fewProcs(t))
		b, s := sampled(t, e, brief)
		plausible(t, e, b, s)
	}
}

// TestWalkers checks that walks are counted where somebody walks, and only there.
func TestWalkers(t *testing.T) {
	turns := Timing{Warm: time.Millisecond, Measure: 50 * time.Millisecond} // on one CPU they take 10 ms each
	walks := func(walkers int) (units int, s *Sample) {
		e := tiny("refcount", 1)
		e.Workload.Walkers = walkers
		b, s := sampled(t, e, turns)
		plausible(t, e, b, s)
		for _, v := range s.values(b.clock) {
			if strings.HasPrefix(v.Unit, "walk") {
				units++
			}
		}
		return units, s
	}
	if units, s := walks(0); units != 0 || s.Walks != 0 {
		t.Errorf("without walkers %d walks", s.Walks)
	}
	for range 10 { // a walker that starves has nothing to show
		if units, s := walks(2); s.Walks > 0 {
			if units != 2 || s.WalkTime <= 0 {
				t.Errorf("%d walks in %v are told in %d metrics", s.Walks, s.WalkTime, units)
			}
			return
		}
	}
	t.Error("no walk in ten samples")
}

// TestDrainSprayed stops two workers in different laps: both must go on to the end of the later one, or segments of it are missing.
func TestDrainSprayed(t *testing.T) {
	e := tiny("global", 2)
	e.Workload.Affinity = workloads.Spray
	v := resolved(t, e)
	w, err := workloads.Build(v.Workload)
	if err != nil {
		t.Fatal(err)
	}
	in, err := v.spec.New(pcbinfo.Config{CPUs: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Open(in); err != nil {
		t.Fatal(err)
	}
	tr := w.Start(in, v.way)
	r := &run{v: v, w: w, in: in, t: tr, ds: tr.Drivers, workers: make([]worker, 2)}
	for r.ds[0].Begun() < 2 { // the other is held back by little: see Driver.Ready
		if tr.Next(0, 2) == 0 {
			tr.Next(1, 2)
		}
	}
	if n := r.ds[1].Begun(); n != 1 {
		t.Fatalf("the second worker is in lap %d, want it to be behind in 1", n)
	}
	var wg sync.WaitGroup
	for i, d := range r.ds {
		wg.Go(func() { r.drain(i, d, &r.workers[i]) })
	}
	wg.Wait()
	for i, d := range r.ds {
		if d.Before(2) || d.Begun() != 2 {
			t.Errorf("worker %d stopped in lap %d, want at the end of 2", i, d.Begun())
		}
	}
	if err := r.check(new(Sample)); err != nil {
		t.Error(err)
	}
}

func TestBounded(t *testing.T) {
	if err := bounded(time.Minute, "", nil, func() error { return nil }); err != nil {
		t.Error(err)
	}
	plain := errors.New("plain")
	if err := bounded(time.Minute, "", nil, func() error { return plain }); err != plain {
		t.Errorf("%v, want %v", err, plain)
	}
	err := bounded(time.Minute, "", nil, func() error { panic("pcb 7 is gone") })
	if err == nil || !strings.Contains(err.Error(), "pcb 7 is gone") || !strings.Contains(err.Error(), "(sample_test.go:") {
		t.Errorf("a panic became %v, want its text and its site", err)
	}
	release := make(chan struct{})
	defer close(release)
	err = bounded(time.Millisecond, "waiting for Godot", nil, func() error { <-release; return nil })
	if !errors.As(err, new(*StuckError)) || !strings.Contains(err.Error(), "1ms: waiting for Godot") {
		t.Errorf("what is stuck became %v", err)
	}
}
