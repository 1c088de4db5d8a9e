package harness

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// SelfCheck is a round in which the harness measures a table that keeps an account of its own, and its figures are compared with it; or one that
// fails, which must get no figure. Before that it checks the parts that need no table to run: clock, plan, layout, header, what the torture is to have
// passed. It takes some 200 ms. What noise may explain is measured again before it counts. All but time and the scheduler's
// choices follows from seed; seeds in any even distance come by all ways to fail. beat, which may be nil, is called by each worker at each batch.
func SelfCheck(seed uint64, beat func(worker int)) error {
	if beat == nil {
		beat = func(int) {}
	}
	rng := rand.New(rand.NewPCG(seed, 0x73656c66))
	b, err := newBench(4)
	if err != nil {
		return err
	}
	au := &auditor{beat: beat}
	samples := func(rng *rand.Rand) error {
		i := turn(seed, kinds+len(failures))
		if i < kinds {
			return b.checkSample(rng, i, au)
		}
		return b.checkFaults(rng, failures[i-kinds], au)
	}
	config := func(rng *rand.Rand) error { return b.checkConfig(rng, au) }
	for _, part := range []func(*rand.Rand) error{b.checkClock, b.checkValues, b.checkNoise, checkMatrix, checkHeader, checkLayout, checkSubjects, checkProof,
		checkRunner, config, samples} {
		beat(0)
		if err := oracle.Guard(func() error { return part(rng) }); err != nil {
			return fmt.Errorf("harness seed %d: %w", seed, err)
		}
	}
	return nil
}

// turn chooses one of n for seed: the sum of its digits to the base n, which goes round with seeds that follow each other, and does so with
// those in a distance of any multiple of n, where the last digit stands still.
func turn(seed uint64, n int) int {
	sum := uint64(0)
	for ; seed > 0; seed /= uint64(n) {
		sum += seed % uint64(n)
	}
	return int(sum % uint64(n))
}

func wrong(format string, args ...any) error { return oracle.Violated(oracle.Measure, format, args...) }

// tries is how often a measurement is repeated before it counts as wrong: a machine with too much to do may stall the same place more than once.
const tries = 12

// kinds is how many kinds of experiment there are.
const kinds = 8

// drawExperiment draws a small experiment of one kind that any machine can do: pinned or not, sprayed or not, with two walkers or fewer. An account
// lets in one worker at a time: the scheme without locks is right for all.
func drawExperiment(rng *rand.Rand, kind int) Experiment {
	e := Experiment{Scheme: "unsync", Pin: PinNone, Force: true,
		Workload: workloads.Params{Mix: "churn", Conns: 20 + rng.IntN(60), Workers: 2 + rng.IntN(2), Batch: 32 + rng.IntN(64)}}
	if kind&1 != 0 && threadCPUs() != nil {
		e.Pin = PinCPU
	}
	if kind&2 != 0 {
		e.Workload.Affinity = workloads.Spray
	}
	if kind&4 != 0 {
		e.Workload.Walkers = 2
	} else {
		e.Workload.Walkers = rng.IntN(2)
		e.Scheme = [...]string{"unsync", "unsync", "null"}[rng.IntN(3)]
	}
	if kind&3 == 0 && rng.IntN(2) == 0 {
		e.Workload.Workers = 1
	}
	return e
}

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

// The margin of a latency: two digits of the histogram, the rate of the clock, and a stamp's own cost.
const (
	latencyShare = 0.02
	latencyNS    = 300
)

// checkLatency: a batch takes at least as long as the table's part of it, and at most from the end of the one before to the beginning of the
// next. What holds for each batch holds for quantiles.
func (t *testimony) checkLatency() error {
	var least, most []float64
	for i, l := range t.a.cpus {
		first, end := t.measured(i)
		for k := first; k < min(end+1, len(l.calls)); k++ {
			if 0 < k && k < end && k > first {
				least = append(least, float64(l.calls[k].out-l.calls[k].in))
			}
			next, before := t.end, t.begin
			if k > 0 {
				before = l.calls[k-1].out
			}
			if k+1 < len(l.calls) {
				next = l.calls[k+1].in
			}
			most = append(most, float64(next-before))
		}
	}
	slices.Sort(least)
	slices.Sort(most)
	units := map[string]float64{}
	for _, v := range t.s.values(t.b.clock) {
		units[v.Unit] = v.Value
	}
	n := float64(t.s.Latency.TotalCount())
	unsure := 2 * len(t.a.cpus)
	for _, q := range []struct {
		unit  string
		share float64
	}{{"p50-ns", 0.5}, {"p99-ns", 0.99}, {"p99.9-ns", 0.999}, {"max-ns", 1}} {
		got := units[q.unit]
		rank := int(math.Ceil(q.share*n)) - 1
		if i := min(rank, len(least)) - unsure; q.share < 1 && i >= 0 && got < least[i]*(1-latencyShare)-latencyNS {
			return wrong("%s is %v, in the table alone it is %v", q.unit, got, least[i])
		}
		if i := rank + unsure; i < len(most) && got > most[i]*(1+latencyShare)+latencyNS {
			return wrong("%s is %v, from one batch to the next but one it is %v", q.unit, got, most[i])
		}
	}
	if len(least) > 0 {
		longest, end := least[len(least)-1], most[len(most)-1]
		if got := units["max-ns"]; got < longest*(1-latencyShare)-latencyNS || got > end*(1+latencyShare)+latencyNS {
			return wrong("max-ns is %v, want %v to %v", got, longest, end)
		}
	}
	return nil
}

// gap is the time that worker i spent outside the table from before its first measured call to the call after its last.
func (t *testimony) gap(i int) (sum time.Duration) {
	calls := t.a.cpus[i].calls
	first, end := t.measured(i)
	for k := max(1, first); k <= end && k < len(calls); k++ {
		sum += calls[k].in - calls[k-1].out
	}
	if end == len(calls) && end > 0 {
		sum += t.end - calls[end-1].out
	}
	return sum
}

// checkWaiting: only sprayed workers wait, and outside the table.
func (t *testimony) checkWaiting() error {
	spray := t.r.v.Workload.Affinity == workloads.Spray && len(t.a.cpus) > 1
	for i := range t.r.workers {
		got := t.b.clock.NS(t.r.workers[i].waiting)
		if got < 0 || got > float64(t.gap(i))*(1+latencyShare)+latencyNS || got > 0 && !spray {
			return wrong("worker %d has waited %v ns, outside the table it was for %v", i, got, t.gap(i))
		}
	}
	return nil
}

// checkHeldBack: who waits for worker 0, which is held back, counts it.
func (t *testimony) checkHeldBack() error {
	if t.r.v.Workload.Affinity != workloads.Spray || len(t.a.cpus) < 2 {
		return nil
	}
	for i, l := range t.a.cpus {
		if got := t.b.clock.NS(t.r.workers[i].waiting); got < float64(l.sure)*(1-latencyShare)-latencyNS {
			return wrong("worker %d has waited %.0f ns; it has turned without a call for %v, while worker 0 was held back", i, got, l.sure)
		}
	}
	return nil
}

// checkPlaces: pinned workers are each on the CPU of their own.
func (t *testimony) checkPlaces() error {
	for i, l := range t.a.cpus {
		if t.r.v.Pin == PinCPU && l.pins != nil && !slices.Equal(l.pins, t.b.cpus[i:i+1]) {
			return wrong("worker %d may use the CPUs %v, its place is %d", i, l.pins, t.b.cpus[i])
		}
	}
	return nil
}

// checkWalks: all walks that ended in the measured time, with their time, by as many walkers as there should be.
func (t *testimony) checkWalks() error {
	walkers := t.r.v.walkers()
	if t.a.many.Load() || walkers > 0 && !t.a.all.Load() {
		return wrong("want %d walkers at once; that many were there: %v, more: %v", walkers, t.a.all.Load(), t.a.many.Load())
	}
	first, n := len(t.a.walks), 0
	for k := range t.a.walks {
		if t.a.ended[k] != warming {
			first = min(first, k)
		}
		if t.a.ended[k] == measuring {
			n++
		}
	}
	s := t.s
	got := int(s.Walks)
	if got > n+walkers || got+walkers < n {
		return wrong("%d walks, the table has seen %d end in the measured time", got, n)
	}
	// The phase may have changed between the table's look at it and the walker's: once at the beginning, once at the end.
	if walkers == 1 && !t.walksTake(first, got) && !t.walksTake(first-1, got) {
		return wrong("%d walks take %v, that is none of the times of the table's walks %v from %d on or before", got, s.WalkTime, t.a.walks, first)
	}
	return nil
}

// walksTake reports whether WalkTime may be that of the n walks of one walker from the first on.
func (t *testimony) walksTake(first, n int) bool {
	if first < 0 || first+n > len(t.a.walks) {
		return false
	}
	var least, most time.Duration
	for k := first; k < first+n; k++ {
		before, next := t.begin, t.end
		if k > 0 {
			before = t.a.walks[k-1].out
		}
		if k+1 < len(t.a.walks) {
			next = t.a.walks[k+1].in
		}
		least += t.a.walks[k].out - t.a.walks[k].in
		most += next - before
	}
	return t.s.WalkTime >= least && t.s.WalkTime <= most
}

// checkCounts: the table's counts are those since it was open, and gauges what they are at the end.
func (t *testimony) checkCounts() error {
	opened := 0
	for _, l := range t.a.cpus {
		opened += l.opens
	}
	all := t.a.seen()
	if got := t.s.Stats.Segments(); got != uint64(all-opened) {
		return wrong("the table counts %d segments since it was open, it has seen %d", got, all-opened)
	}
	want := map[string]uint64{eventName: uint64(all - opened), gaugeName: uint64(all)}
	for _, c := range t.s.Counters {
		if n, own := want[c.Name]; own && c.Value != n {
			return wrong("counter %s is %d, should be %d", c.Name, c.Value, n)
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		return wrong("counters %v are missing", want)
	}
	n := t.s.Noise
	for _, c := range []int64{n.RunDelay.N, n.CPU.N, n.Steal.N, n.Foreign.N, n.VoluntarySwitches.N, n.InvoluntarySwitches.N} {
		if c < 0 {
			return wrong("noise runs backwards: %+v", n)
		}
	}
	if bad, why := n.Disturbed(t.s.Wall, len(t.r.ds)); bad != (t.s.Disturbed != "") || why != t.s.Disturbed {
		return wrong("disturbed is %q, of %+v it is %q", t.s.Disturbed, n, why)
	}
	return nil
}

// checkLine: benchfmt reads back what was measured, under the right name and units.
func (t *testimony) checkLine() error {
	s, v := t.s, t.r.v
	text := t.b.line(v, s)
	r := benchfmt.NewReader(strings.NewReader(text), "line")
	var res *benchfmt.Result
	for r.Scan() {
		rec, ok := r.Result().(*benchfmt.Result)
		if !ok || res != nil {
			return wrong("not one result: %q", text)
		}
		res = rec.Clone()
	}
	if res == nil || uint64(res.Iters) != s.Segs || string(res.Name) != v.name() {
		return wrong("read back as %+v: %q", res, text)
	}
	ns := t.b.clock.NS
	want := map[string]float64{"ns/seg": s.NSPerSeg, "segs/s": float64(s.Segs) / s.Wall.Seconds(), "fairness": s.Fairness, "allocs/seg": s.Allocs,
		"segs/batch": s.SegsBatch, "p50-ns": ns(s.Latency.ValueAtQuantile(50)), "p99-ns": ns(s.Latency.ValueAtQuantile(99)),
		"p99.9-ns": ns(s.Latency.ValueAtQuantile(99.9)), "max-ns": ns(s.Latency.Max()), "disturbed": 0, gaugeName: float64(t.a.seen()), eventName + "/seg": 1}
	optional := func(unit string, v float64, there bool) {
		if there {
			want[unit] = v
		}
	}
	if s.Disturbed != "" {
		want["disturbed"] = 1
	}
	optional("B/conn", s.BytesConn, s.BytesConn > 0)
	optional("B/table", s.BytesTable, s.BytesTable > 0)
	optional("sprayed", s.Sprayed, s.Sprayed > 0)
	optional("waiting", s.Waiting, s.Waiting > 0)
	optional("walks/s", float64(s.Walks)/s.Wall.Seconds(), s.Walks > 0)
	optional("walk-ns", float64(s.WalkTime.Nanoseconds())/float64(s.Walks), s.Walks > 0)
	optional("pingpong-ns", (s.OneWay[0]+s.OneWay[1])/2, s.Class != "")
	optional("pingpong-class", map[machine.Class]float64{machine.Near: 1, machine.Far: 2, machine.Moved: 3}[s.Class], s.Class != "")
	optional("rundelay-ns", float64(s.Noise.RunDelay.N), s.Noise.RunDelay.Known)
	optional("steal-ns", float64(s.Noise.Steal.N), s.Noise.Steal.Known)
	optional("foreign-ns", float64(s.Noise.Foreign.N), s.Noise.Foreign.Known)
	total := float64(s.Stats.Segments())
	var drops uint64
	for o := pcbinfo.DropNoPCB; o < pcbinfo.NumOutcomes; o++ {
		drops += s.Stats.Outcomes[o]
	}
	optional("drops/seg", float64(drops)/total, drops > 0)
	optional("evicted/seg", float64(s.Stats.Evicted)/total, s.Stats.Evicted > 0)
	optional("timewait-reused/seg", float64(s.Stats.Reused)/total, s.Stats.Reused > 0)
	optional("timewait-expired/seg", float64(s.Stats.Expired)/total, s.Stats.Expired > 0)
	for _, c := range s.Counters { // the scheme's own
		if c.Gauge {
			want[c.Name] = float64(c.Value)
		} else {
			want[c.Name+"/seg"] = float64(c.Value) / total
		}
	}
	got := map[string]float64{}
	for _, v := range res.Values {
		if v.OrigUnit != "" {
			v.Unit, v.Value = v.OrigUnit, v.OrigValue
		}
		if _, twice := got[v.Unit]; twice {
			return wrong("%s is there twice: %q", v.Unit, text)
		}
		got[v.Unit] = v.Value
	}
	for unit, v := range want {
		if back, ok := got[unit]; !ok || math.Abs(back-v) > 2e-5*math.Abs(v) {
			return wrong("%s is read back as %v, measured was %v: %q", unit, back, v, text)
		}
		delete(got, unit)
	}
	if len(got) > 0 {
		return wrong("%v should not be there: %q", got, text)
	}
	return nil
}

// checkHeap: the table's known bytes and the connections' show.
func (t *testimony) checkHeap() error {
	if len(t.a.opening) == 0 { // a table of nothing
		return nil
	}
	if got := t.s.BytesTable; got < 0.8*accountBytes || got > 2*accountBytes {
		return wrong("a table of some %d bytes is measured as %.0f", accountBytes, got)
	}
	if got := t.s.BytesConn; got < 0.9*connBytes || got > 1.15*connBytes {
		return wrong("connections of some %d bytes are measured as %.0f", connBytes, got)
	}
	return nil
}

// checkTime: the measured time begins after the last call of the warm-up and ends before the first of the drain. The two stamps and the changes of
// phase beside them are a few instructions apart, which a stall may part.
func (t *testimony) checkTime() error {
	from, to := t.begin, t.end
	for i, l := range t.a.cpus {
		first, end := t.measured(i)
		if first > 0 {
			from = max(from, l.calls[first-1].in)
		}
		if end < len(l.calls) {
			to = min(to, l.calls[end].in)
		}
	}
	if t.s.Wall > to-from+time.Millisecond {
		return wrong("measured time is %v, from the last call before to the first one after %v passed", t.s.Wall, to-from)
	}
	return nil
}

// failures are the ways in which an account fails.
var failures = []fault{{loses, warming, 0}, {loses, measuring, 3}, {loses, draining, 0}, {doubles, warming, 2}, {doubles, measuring, 0}, {panics, measuring, 3}, {closesBad, 0, 0}}

// checkFaults has a failing table measured, after a good one where that is the same for any fault: the good one gets its line, the other is named and gets none.
func (b *bench) checkFaults(rng *rand.Rand, bad fault, au *auditor) error {
	variants := make([]*variant, 2)
	for i := range variants {
		e := drawExperiment(rng, rng.IntN(kinds))
		e.Workload.Walkers, e.Workload.Workers = 0, 1+i
		v, err := e.resolve()
		if err != nil {
			return err
		}
		variants[i] = &v
		au.audit(variants[i], func(a *account) {
			if i == 1 {
				a.fault = bad
			}
		})
	}
	if bad.phase != warming || bad.what == closesBad {
		return b.checkFault(variants[1], bad, rng.Uint64(), au)
	}
	var out, errs bytes.Buffer
	err := b.rounds(variants, Job{Rounds: 1, Timing: Timing{time.Millisecond, 5 * time.Millisecond}, Seed: rng.Uint64()}, &out, &errs)
	if strings.Contains(errs.String(), errStarved.Error()) {
		return nil
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		if name, ok := strings.CutPrefix(line, "Benchmark"); ok {
			name, _, _ = strings.Cut(name, "\t")
			names = append(names, name)
		}
	}
	good := variants[0].name()
	if !slices.Equal(names, []string{good}) {
		return wrong("a table that %s, and one that is good, have numbers for %q; errors: %s", bad.what, names, errs.String())
	}
	if !errors.Is(err, ErrFailedSamples) || !strings.HasPrefix(err.Error(), "1 ") || strings.Count(errs.String(), "FAILED "+variants[1].name()+": no number: ") != 1 {
		return wrong("a table that %s is reported as %v: %s", bad.what, err, errs.String())
	}
	return nil
}

// checkFault has one table fail at a known time. Once a batch was counted, nobody may say that there was no time for one.
func (b *bench) checkFault(v *variant, bad fault, seed uint64, au *auditor) error {
	t, err := b.testify(v, seed, Timing{time.Millisecond, 5 * time.Millisecond}, au)
	if t == nil {
		return wrong("%s: a good table does not open: %w", v.name(), err)
	}
	if !t.a.done.Load() || errors.Is(err, errStarved) && !t.worked() {
		return nil
	}
	if err == nil || errors.Is(err, errStarved) || bad.what == panics && !strings.Contains(err.Error(), "pcb 7 is gone") {
		return wrong("a table that %s in phase %d of a sample is reported as: %v", bad.what, bad.phase, err)
	}
	return nil
}

// worked reports whether a batch was counted for sure.
func (t *testimony) worked() bool {
	for i, l := range t.a.cpus {
		first, end := t.measured(i)
		for k := first + 1; k < end; k++ {
			if l.calls[k].segs > 0 {
				return true
			}
		}
	}
	return false
}

// checkClock: stamps of one thread do not go back, and a difference of them is, in nanoseconds, what the system's clock says.
func (b *bench) checkClock(rng *rand.Rand) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := b.clock
	outer, first := time.Now(), c.Now()
	inner, last := time.Now(), first
	for time.Since(inner) < 2*time.Millisecond {
		now := c.Now()
		if now < last {
			return wrong("the %s clock went back by %d", c.Source(), last-now)
		}
		last = now
	}
	least := time.Since(inner)
	took := c.NS(c.Now() - first)
	most := time.Since(outer)
	if took < 0.95*float64(least) || took > 1.05*float64(most) {
		return wrong("%v to %v are %.0f ns by the %s clock", least, most, took, c.Source())
	}
	if n := rng.Int64N(1 << 30); math.Abs(c.NS(2*n)-2*c.NS(n)) > 1e-6*c.NS(2*n) || c.NS(0) != 0 {
		return wrong("the clock's nanoseconds are not proportional to ticks")
	}
	return nil
}
