package harness

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// A testimony is a sample and the account of the same.
type testimony struct {
	b       *bench
	r       *run
	s       *Sample
	a       *account
	begin   time.Duration // measure was called
	end     time.Duration // and returned
	mallocs uint64        // of the process between the two
}

// checkSample measures an accounted table and compares.
func (b *bench) checkSample(rng *rand.Rand, kind int, au *auditor) error {
	e := drawExperiment(rng, kind)
	v, err := e.resolve()
	if err != nil {
		return err
	}
	slow, allocs := time.Duration(rng.IntN(10))*time.Microsecond, rng.IntN(3)
	au.audit(&v, func(a *account) {
		for i, l := range a.cpus {
			l.slow = slow + time.Duration(i)*3*time.Microsecond
			l.long = l.slow + 60*time.Microsecond
			l.allocs = allocs
		}
	})
	tm := Timing{Warm: time.Duration(1+rng.IntN(3)) * time.Millisecond, Measure: time.Duration(8+rng.IntN(8)) * time.Millisecond}
	seed := rng.Uint64()
	for range tries {
		var t *testimony
		if t, err = b.testify(&v, seed, tm, au); errors.Is(err, errStarved) {
			err = nil // a machine without time for us
			continue
		}
		if err != nil {
			return wrong("%s: a good table fails: %w", v.name(), err)
		}
		if err = t.certain(); err != nil {
			return fmt.Errorf("%s: %w", v.name(), err)
		}
		if err = errors.Join(t.checkHeap(), t.checkTime()); err == nil {
			return nil
		}
	}
	return err
}

// certain is what no disturbance explains.
func (t *testimony) certain() error {
	for _, check := range []func() error{t.checkWindow, t.checkWorkers, t.checkSums, t.checkLatency, t.checkWaiting, t.checkHeldBack, t.checkPlaces, t.checkWalks, t.checkCounts, t.checkLine} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// testify takes a sample as bench.sample does, and lets the table know of the phases.
func (b *bench) testify(v *variant, seed uint64, tm Timing, au *auditor) (*testimony, error) {
	au.last = nil // its memory is not to go between two looks at the heap
	r, s, err := b.open(v, seed, tm)
	if err != nil {
		return nil, err
	}
	t := &testimony{b: b, r: r, s: s, a: au.last, mallocs: mallocs()}
	t.a.run.Store(r)
	t.begin = t.a.now()
	err = r.measure(s)
	t.end, t.mallocs = t.a.now(), mallocs()-t.mallocs
	if err == nil {
		err = r.check(s)
	}
	return t, err
}

// measured are the calls of worker i that began in the measured time, and the next one, which may be counted with them, as the first may not:
// the phase may have changed between the worker's look at it and the table's.
func (t *testimony) measured(i int) (first, end int) {
	calls := t.a.cpus[i].calls
	first = slices.IndexFunc(calls, func(c call) bool { return c.phase != warming })
	if first < 0 {
		return len(calls), len(calls)
	}
	n := slices.IndexFunc(calls[first:], func(c call) bool { return c.phase == draining })
	if n < 0 {
		n = len(calls) - first
	}
	return first, first + n
}

// checkWindow: warm-up takes at least its time and each worker a lap; the measured time is no shorter than was asked for, nor than what
// happened in it; the drain goes on to the end of a lap.
func (t *testimony) checkWindow() error {
	if t.s.Wall < t.r.tm.Measure {
		return wrong("measured for %v, want at least %v", t.s.Wall, t.r.tm.Measure)
	}
	if outer := t.end - t.begin; t.s.Wall > outer-t.r.tm.Warm {
		return wrong("measured %v, but all took %v with a warm-up of %v", t.s.Wall, outer, t.r.tm.Warm)
	}
	var from, to time.Duration
	for i, l := range t.a.cpus {
		first, end := t.measured(i)
		total, warm := 0, 0
		for k, c := range l.calls {
			total += c.segs
			if k < first {
				warm += c.segs
			}
		}
		laps := int(t.r.ds[i].Begun())
		if laps == 0 {
			continue
		}
		if total%laps != 0 || t.r.ds[i].Before(uint64(laps)) {
			return wrong("worker %d ends after %d segments of %d laps", i, total, laps)
		}
		if first < len(l.calls) && warm < total/laps {
			return wrong("worker %d has warmed up with %d segments of %d a lap", i, warm, total/laps)
		}
		if first < end && l.calls[first].in < t.begin+t.r.tm.Warm {
			return wrong("worker %d has warmed up for %v, want %v", i, l.calls[first].in-t.begin, t.r.tm.Warm)
		}
		if first+1 < end { // both within the measured time for sure
			if from == 0 || l.calls[first+1].in < from {
				from = l.calls[first+1].in
			}
			to = max(to, l.calls[end-1].in)
		}
	}
	if to-from > t.s.Wall {
		return wrong("measured time is %v, but %v passed in it", t.s.Wall, to-from)
	}
	return nil
}

// checkWorkers: each worker has counted its segments and batches of the measured time, and no others.
func (t *testimony) checkWorkers() error {
	for i := range t.a.cpus {
		calls := t.a.cpus[i].calls
		first, end := t.measured(i)
		w := &t.r.workers[i]
		var sure uint64
		for _, c := range calls[first:end] {
			sure += uint64(c.segs)
		}
		ok := false
		for _, skip := range []int{0, 1} {
			for _, more := range []int{0, 1} {
				segs, batches := sure, uint64(end-first)
				if skip > end-first || end+more > len(calls) {
					continue
				}
				if skip == 1 {
					segs -= uint64(calls[first].segs)
				}
				if more == 1 {
					segs += uint64(calls[end].segs)
				}
				ok = ok || w.segs == segs && w.batches == batches-uint64(skip)+uint64(more)
			}
		}
		if !ok {
			return wrong("worker %d counts %d segments in %d batches, the table has seen %d in %d in the measured time", i, w.segs, w.batches, sure, end-first)
		}
		if n := w.hist.TotalCount(); uint64(n) != w.batches {
			return wrong("worker %d has %d latencies of %d batches", i, n, w.batches)
		}
	}
	return nil
}

// checkSums recomputes what is computed from the workers' counts.
func (t *testimony) checkSums() error {
	var segs, batches, squares, waiting, n float64
	for i := range t.r.workers {
		w := &t.r.workers[i]
		segs, batches, n = segs+float64(w.segs), batches+float64(w.batches), n+1
		squares += math.Pow(float64(w.segs), 2)
		waiting += t.b.clock.NS(w.waiting)
	}
	s := t.s
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"segments", float64(s.Segs), segs},
		{"ns/seg", s.NSPerSeg, float64(s.Wall) / segs},
		{"fairness", s.Fairness, segs * segs / (n * squares)},
		{"segs/batch", s.SegsBatch, segs / batches},
		{"latencies", float64(s.Latency.TotalCount()), batches},
		{"waiting", s.Waiting, waiting / float64(s.Wall) / n},
		{"sprayed", s.Sprayed, t.r.w.Sprayed},
	} {
		if math.Abs(c.got-c.want) > 1e-6*math.Abs(c.want) {
			return wrong("%s is %v, should be %v", c.what, c.got, c.want)
		}
	}
	// Allocations are the whole process's: no fewer than the table's own, no more than all from start to end.
	own := 0.0
	for i, l := range t.a.cpus {
		first, end := t.measured(i)
		for k := first + 1; k+1 < end; k++ {
			own += float64(l.calls[k].segs * l.allocs)
		}
	}
	if got := (s.Allocs + 0.01) * segs; got < own || s.Allocs*segs > float64(t.mallocs) || math.Abs(math.Round(100*s.Allocs)-100*s.Allocs) > 1e-6 {
		return wrong("%v allocations a segment of %v; the table alone made %v, the process %d", s.Allocs, segs, own, t.mallocs)
	}
	return nil
}
