package harness

import (
	"cmp"
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
	batches [][]call      // by source, in the order in which they were sent
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
	for _, check := range []func() error{t.checkWindow, t.checkWorkers, t.checkSums, t.checkLatency, t.checkWaiting, t.checkHeldBack, t.checkPlaces, t.checkWalks, t.checkCounts, t.checkDispatch, t.checkLine} {
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
	if err != nil && !errors.Is(err, errStarved) {
		return t, err // whoever did not fail may be at work still
	}
	t.batches = t.a.batches(len(r.ds), !r.v.way.Model.Inline)
	if err == nil {
		err = r.check(s)
	}
	return t, err
}

// loose is how many batches of a driver may be on their way, so that a batch is served a while after it was handled; none if it is served
// before the next one is sent. A closed loop has no more than four.
func (r *run) loose() int {
	if r.v.way.Model.Inline && !r.v.way.Roles.Users {
		return 0
	}
	return 4
}

// batches are those of each source: a call is one, or those calls are that have parts of the same slot. A batch is in the phase of its first part.
func (a *account) batches(sources int, slotted bool) [][]call {
	type piece struct {
		call
		part
	}
	var pieces []piece
	for _, l := range a.cpus {
		parts := l.parts
		for _, c := range l.calls {
			for _, p := range parts[:c.parts] {
				pieces = append(pieces, piece{c, p})
			}
			parts = parts[c.parts:]
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.in, b.in) })
	all := make([][]call, sources)
	for _, p := range pieces {
		list := &all[p.source]
		n := len(*list)
		if slotted { // slots go round; what is on its way is far less than all of them
			const slots = 64
			n += (int(p.slot)-n%slots+slots+slots/2)%slots - slots/2
		}
		for len(*list) <= n {
			*list = append(*list, call{span: p.span, phase: p.phase})
		}
		b := &(*list)[n]
		if b.segs == 0 {
			*b = call{span: p.span, phase: p.phase}
		}
		b.segs += p.part.segs
		b.out = max(b.out, p.out)
	}
	for i := range all { // those of requests alone have a slot and no call
		all[i] = slices.DeleteFunc(all[i], func(b call) bool { return b.segs == 0 })
	}
	return all
}

// measured are the batches that began to be handled in the measured time. Up to loose of those before may be counted with them, since they
// were served later, or they were handled out of turn; so may as many of those after, or not as many of the last; and in either place one more, as the phase may
// have changed between the worker's look at it and the table's.
func measured(batches []call) (first, end int) {
	first = slices.IndexFunc(batches, func(c call) bool { return c.phase == measuring })
	if first < 0 {
		if first = slices.IndexFunc(batches, func(c call) bool { return c.phase == draining }); first < 0 {
			first = len(batches)
		}
		return first, first
	}
	for end = len(batches); batches[end-1].phase != measuring; end-- {
	}
	return first, end
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
	from, to := t.end, t.begin
	for i, batches := range t.batches {
		first, end := measured(batches)
		total, warm := 0, t.r.loose()*t.r.v.Workload.Batch // sent, perhaps, and not handled
		for k, b := range batches {
			total += b.segs
			if k < first {
				warm += b.segs
			}
		}
		laps := int(t.r.ds[i].Begun())
		if laps == 0 {
			continue
		}
		if total%laps != 0 || t.r.ds[i].Before(uint64(laps)) {
			return wrong("worker %d ends after %d segments of %d laps", i, total, laps)
		}
		if first < len(batches) && warm < total/laps {
			return wrong("worker %d has warmed up with %d segments of %d a lap", i, warm, total/laps)
		}
		for _, b := range batches[first:end] {
			if b.phase != measuring {
				continue
			}
			if b.out < t.begin+t.r.tm.Warm {
				return wrong("worker %d has warmed up for %v, want %v", i, b.out-t.begin, t.r.tm.Warm)
			}
			from, to = min(from, b.out), max(to, b.in) // the phase was read between the two
		}
	}
	if to-from > t.s.Wall {
		return wrong("measured time is %v, but %v passed in it", t.s.Wall, to-from)
	}
	return nil
}

// checkWorkers: each worker has counted its segments and batches of the measured time, and no others.
func (t *testimony) checkWorkers() error {
	for i, batches := range t.batches {
		w := &t.r.workers[i]
		if !t.counts(w, batches) {
			first, end := measured(batches)
			return wrong("worker %d counts %d segments in %d batches, the table has seen some %d batches in the measured time", i, w.segs, w.batches, end-first)
		}
		if n := w.hist.TotalCount(); uint64(n) != w.batches {
			return wrong("worker %d has %d latencies of %d batches", i, n, w.batches)
		}
	}
	return nil
}

// counts reports whether w's segments and batches are those of one stretch of batches that may have been served in the measured time.
func (t *testimony) counts(w *worker, batches []call) bool {
	first, end := measured(batches)
	loose := t.r.loose()
	for from := max(0, first-loose); from <= min(first+1+loose, len(batches)); from++ {
		to := from + int(w.batches)
		if to < end-loose && to < end || to > min(end+1+loose, len(batches)) {
			continue
		}
		sum := uint64(0)
		for _, b := range batches[from:to] {
			sum += uint64(b.segs)
		}
		if sum == w.segs {
			return true
		}
	}
	return false
}

// checkSums recomputes what is computed from the workers' counts.
func (t *testimony) checkSums() error {
	var segs, early, batches, squares, waiting, n float64
	for i := range t.r.workers {
		w := &t.r.workers[i]
		if w.early > w.segs {
			return wrong("worker %d counts %d segments, and %d in the first half of the time", i, w.segs, w.early)
		}
		segs, early, batches, n = segs+float64(w.segs), early+float64(w.early), batches+float64(w.batches), n+1
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
		{"late", s.Late, 1 - early/segs},
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
	own, allocs, reach := 0.0, t.a.cpus[0].allocs, max(1, t.r.loose())
	for _, batches := range t.batches {
		first, end := measured(batches)
		for k := first + reach; k < end-reach; k++ {
			own += float64(batches[k].segs * allocs)
		}
	}
	if got := (s.Allocs + 0.01) * segs; got < own || s.Allocs*segs > float64(t.mallocs) || math.Abs(math.Round(100*s.Allocs)-100*s.Allocs) > 1e-6 {
		return wrong("%v allocations a segment of %v; the table alone made %v, the process %d", s.Allocs, segs, own, t.mallocs)
	}
	return nil
}
