package lockbench

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// SelfCheck holds the figures to accounts that are kept and reckoned in other ways than theirs: plans, streaks and windows to ones drawn at random, a real sample to
// what its locks counted; and locks that lose or tear a section must get no figure. b has CPUs for at least two workers. It takes some 50 ms.
func (b *Bench) SelfCheck(rng *rand.Rand) error {
	for _, check := range []func(*rand.Rand) error{checkPlan, checkCapture, checkTrace, b.checkSample, b.checkFault} {
		if err := check(rng); err != nil {
			return fmt.Errorf("lock benchmark: %w", err)
		}
	}
	return nil
}

func wrong(format string, args ...any) error { return oracle.Violated(oracle.Measure, format, args...) }

// checkPlan: a plan has what was asked for, exactly, in an order that differs from one worker to the next.
func checkPlan(rng *rand.Rand) error {
	c := Case{Workers: 1 + rng.IntN(9), Critical: 1000, Think: 10_000, Reads: 25 * rng.IntN(5), Locks: 1 << rng.IntN(6), Uneven: 1 + 3*rng.Float64()}
	const perNS = 2
	plan, other := c.plan(rng, perNS), c.plan(rng, perNS)
	var think, reads, least, most float64
	least = math.Inf(1)
	rooms := map[uint16]int{}
	for _, d := range plan {
		ns := float64(d.think) / perNS
		think, least, most = think+ns/draws, min(least, ns), max(most, ns)
		rooms[d.room]++
		if d.read {
			reads++
		}
	}
	if math.Abs(think-10_000) > 10 || least > 100 || most < 19_900 || most > 20_000 || reads != float64(c.Reads)/100*draws || slices.Equal(plan, other) {
		return oracle.Violated(oracle.Distribution, "%+v: thinks %.0f ns, %.0f to %.0f, and %.0f of %d sections read", c, think, least, most, reads, draws)
	}
	for room, n := range rooms {
		if n != draws/c.Locks || int(room) >= c.Locks {
			return oracle.Violated(oracle.Distribution, "%+v: lock %d is chosen %d times of %d", c, room, n, draws)
		}
	}
	first, last := c.critical(0, perNS), c.critical(c.Workers-1, perNS)
	if want := 2000 * c.Uneven; first != 2000 || c.Workers > 1 && math.Abs(float64(last)-want) > 1 {
		return oracle.Violated(oracle.Distribution, "%+v: sections of %d and %d units", c, first, last)
	}
	return nil
}

// checkCapture: streaks and starvation of a random order of sections are those that one finds by going through it.
func checkCapture(rng *rand.Rand) error {
	workers := 1 + rng.IntN(5)
	order := make([]int, 50+rng.IntN(500))
	for i := range order {
		if i > 0 && rng.IntN(3) > 0 {
			order[i] = order[i-1]
		} else {
			order[i] = rng.IntN(workers)
		}
	}
	var streaks, starves tallies
	for w := range workers {
		c := newCapture(1)
		for i, owner := range order {
			if owner == w {
				c.note(0, uint64(i+1))
			}
		}
		c.finish()
		streaks.add(&c.streaks)
		starves.add(&c.starves)
	}
	var runs, gaps []float64
	longest, widest := 0, 0
	for i, begin := 1, 0; i <= len(order); i++ {
		if i == len(order) || order[i] != order[begin] {
			longest = max(longest, i-begin)
			runs, begin = append(runs, floorPow2(i-begin)), i
		}
	}
	for w := range workers {
		before := -1
		for i, owner := range order {
			if owner == w {
				if i > before+1 {
					widest = max(widest, i-before-1)
					gaps = append(gaps, floorPow2(i-before-1))
				}
				before = i
			}
		}
	}
	for i := range 64 {
		bound := float64(uint64(1<<63) >> i)
		if n := occurrences(runs, bound); streaks.lengths[i] != n {
			return wrong("streaks %v: %d of %v, not %d", runs, n, bound, streaks.lengths[i])
		}
		if n := occurrences(gaps, bound); starves.lengths[i] != n {
			return wrong("gaps %v: %d of %v, not %d", gaps, n, bound, starves.lengths[i])
		}
	}
	if streaks.most != uint64(longest) || starves.most != uint64(widest) {
		return wrong("streaks of up to %d, not %d, gaps of up to %d, not %d", longest, streaks.most, widest, starves.most)
	}
	for _, p := range []float64{0.5, 0.9, 1} {
		if got, want := streaks.percentile(p), weighed(runs, p); got != want {
			return wrong("streaks %v: %v of them are up to %v, not %v", runs, p, want, got)
		}
		if got, want := starves.percentile(p), weighed(gaps, p); got != want {
			return wrong("gaps %v: %v of them are up to %v, not %v", gaps, p, want, got)
		}
	}
	return nil
}

func floorPow2(n int) float64 { return float64(uint64(1) << (bits.Len(uint(n)) - 1)) }

func occurrences(list []float64, v float64) (n uint64) {
	for _, x := range list {
		if x == v {
			n++
		}
	}
	return n
}

// weighed is the largest of values such that those below it make up less than the share p of their sum; 0 if there are none.
func weighed(values []float64, p float64) (answer float64) {
	values = slices.Sorted(slices.Values(values))
	total, below := 0.0, 0.0
	for _, v := range values {
		total += v
	}
	for i, v := range values {
		if i > 0 && values[i-1] != v {
			below = 0
			for _, smaller := range values[:i] {
				below += smaller
			}
		}
		if below < total*p {
			answer = v
		}
	}
	return answer
}

// checkTrace: what is read from random sections is what one finds by going through them.
func checkTrace(rng *rand.Rand) error {
	workers := 2 + rng.IntN(4)
	t := newTrace(64 * chunkEvents)
	t.reset(workers)
	pens := make([]pen, workers)
	for i := range pens {
		pens[i] = t.newPen(i)
	}
	t.from, t.ended = 1000, 1000+int64(5000+rng.IntN(5000))
	held := make([]float64, workers)
	first, last := make([]int64, workers), make([]int64, workers)
	var order []entry
	logged := 0
	for now := int64(900); now < t.ended+100; now++ {
		w := rng.IntN(workers)
		e := event{arrived: now - 5, acquired: now, released: now + 1 + int64(w)}
		pens[w].log(e)
		logged++
		if now >= t.from && now <= t.ended {
			order = append(order, entry{now - t.from, w})
			held[w] += float64(1 + w)
			if last[w] == 0 {
				first[w] = now
			}
			last[w] = min(e.released, t.ended)
		}
		now = e.released
	}
	for i := range pens {
		pens[i].lift()
	}
	t.each(func(int, *event) { logged-- })
	if logged != 0 {
		return wrong("%d more sections were logged than are in the trace", logged)
	}
	if got := t.entries(); !slices.Equal(got, order) {
		return wrong("%d sections in the measured time, not %d, or another order", len(got), len(order))
	}
	together := float64(slices.Min(last)-slices.Max(first)) / float64(t.ended-t.from)
	if got := t.together(); math.Abs(got-together) > 1e-9 {
		return wrong("workers %v to %v of %d to %d: together %v", first, last, t.from, t.ended, got)
	}
	if got := t.holds(); math.Abs(got-spread(held)) > 1e-9 {
		return wrong("holds of %v: index %v", held, got)
	}
	size := 8 * workers
	windows := func(of func(i int, e entry) int, count int) (all []float64) {
		shares := make([][]float64, count)
		for i := range shares {
			shares[i] = make([]float64, workers)
		}
		for i, e := range order {
			if n := of(i, e); n < count {
				shares[n][e.worker]++
			}
		}
		for _, s := range shares {
			if slices.Max(s) > 0 {
				all = append(all, spread(s))
			}
		}
		return all
	}
	if got, want := byCount(order, workers, size).value(), average(windows(func(i int, _ entry) int { return i / size }, len(order)/size)); math.Abs(got-want) > 1e-9 {
		return wrong("windows of %d sections: index %v, want %v", size, got, want)
	}
	const width = 300
	measured := t.ended - t.from
	want := average(windows(func(_ int, e entry) int { return int(e.at / width) }, int(measured/width)))
	if got := byTime(order, workers, width, measured).value(); math.Abs(got-want) > 1e-9 {
		return wrong("windows of %d ticks: index %v, want %v", width, got, want)
	}
	return nil
}

// spread is Jain's index by way of the variance.
func spread(shares []float64) float64 {
	m := average(shares)
	variance := 0.0
	for _, x := range shares {
		variance += (x - m) * (x - m) / float64(len(shares))
	}
	return 1 / (1 + variance/(m*m))
}

func average(list []float64) (m float64) {
	for _, x := range list {
		m += x / float64(len(list))
	}
	return m
}

// An account is what locks count of a part.
type account struct {
	part     *part
	all      atomic.Int64 // sections
	measured atomic.Int64 // sections that ended in the measured time
}

func (a *account) note() {
	a.all.Add(1)
	if a.part.phase.Load() == measuring {
		a.measured.Add(1)
	}
}

// A counted lock keeps an account.
type counted struct {
	anyLock
	a *account
}

// An anyLock is a locks.Lock under a name that its method does not have.
type anyLock interface{ locks.Lock }

func (l counted) Unlock(n *locks.Node) {
	l.a.note()
	l.anyLock.Unlock(n)
}

type countedRW struct {
	locks.RWLock
	a *account
}

func (l countedRW) RUnlock(n *locks.Node) {
	l.a.note()
	l.RWLock.RUnlock(n)
}

type countedDo struct {
	locks.Delegator
	a *account
}

func (l countedDo) Do(n *locks.Node, f func()) {
	l.Delegator.Do(n, f)
	l.a.note()
}

// drawCase draws a small case of one of the locks that there are.
func (b *Bench) drawCase(rng *rand.Rand) Case {
	for {
		specs := locks.Specs()
		c := Case{Lock: specs[rng.IntN(len(specs))].String(), Workers: 1 + rng.IntN(len(b.CPUs)), Critical: 50 * rng.IntN(3), Think: 100 * rng.IntN(3), Lines: rng.IntN(4),
			Reads: []int{0, 0, 50, 100}[rng.IntN(4)], Locks: 1 + rng.IntN(3), Uneven: float64(1 + rng.IntN(3)), Try: rng.IntN(3) == 0, Pin: PinNone}
		if c.Refusal() == nil {
			return c
		}
	}
}

// checkSample: a sample's counts are its locks', and its figures follow from them.
func (b *Bench) checkSample(rng *rand.Rand) error {
	c := b.drawCase(rng)
	var accounts []*account
	spec := c.spec()
	res, err := b.measure(c, rng.Uint64(), time.Millisecond, 8*time.Millisecond, func(t *trace, d time.Duration, rng *rand.Rand) (*part, error) {
		p, err := b.newPart(c, &spec, t, d, rng)
		if err != nil {
			return nil, err
		}
		a := &account{part: p}
		accounts = append(accounts, a)
		for i := range p.rooms {
			r := &p.rooms[i]
			if r.rw != nil {
				r.rw = countedRW{r.rw, a}
			}
			if r.do != nil {
				r.do = countedDo{r.do, a}
			}
			r.lock, r.opt = counted{r.lock, a}, nil // who reads holds something, too
		}
		return p, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	for i, got := range []*counts{&res.Plain, &res.Stamped} {
		a := accounts[i]
		writes := uint64(0)
		for _, r := range a.part.rooms {
			writes += r.lines[0].seq
		}
		if n := a.all.Load(); n != int64(got.all) {
			return wrong("%s: locks saw %d sections, workers %d", c.Name(), n, got.all)
		}
		// A section may end on one side of a phase's edge and be counted on the other: one a worker at each.
		if d := a.measured.Load() - int64(got.sections); d < -2*int64(c.Workers) || d > 2*int64(c.Workers) {
			return wrong("%s: locks saw %d sections in the measured time, the figures say %d", c.Name(), a.measured.Load(), got.sections)
		}
		if got.writes > writes || c.Reads == 0 && got.writes != got.sections || c.Reads == 100 && writes != 0 {
			return wrong("%s: %d sections of which %d wrote, with counters at %d", c.Name(), got.sections, got.writes, writes)
		}
	}
	if err := b.trace.checkHandOffs(); err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	return res.checkValues()
}

// checkHandOffs: who was handed the lock had arrived when another worker let go.
func (t *trace) checkHandOffs() (err error) {
	released := map[int64][]int{}
	t.each(func(worker int, e *event) { released[e.released] = append(released[e.released], worker) })
	t.each(func(worker int, e *event) {
		if e.before != 0 && (e.before < e.arrived || len(released[e.before]) == 1 && released[e.before][0] == worker) {
			err = wrong("worker %d arrived at %d and was handed the lock at %d, when %v let go", worker, e.arrived, e.before, released[e.before])
		}
	})
	return err
}

// checkValues: metrics are known, each once and in order, and agree with each other.
func (r *Result) checkValues() error {
	got, at := map[string]float64{}, -1
	var err error
	r.Values(func(unit string, v float64) {
		i := slices.IndexFunc(Units, func(u Unit) bool { return u.Name == unit })
		if i <= at || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			err = wrong("%s: %v %s, which is number %d of the units, after %d", r.Name(), v, unit, i, at)
		}
		got[unit], at = v, i
	})
	if err != nil {
		return err
	}
	places := float64(r.Places)
	near := func(what string, a, b float64) error {
		if math.Abs(a-b) > 1e-6*math.Abs(b) {
			return wrong("%s: %s: %v and %v do not agree: %v", r.Name(), what, a, b, got)
		}
		return nil
	}
	if e := near("ns/lock × locks/s", got["ns/lock"]*got["locks/s"], 1e9*places); e != nil {
		return e
	}
	if e := near("sections", got["locks/s"]*r.Plain.wall/1e9, float64(r.Plain.sections)); e != nil {
		return e
	}
	if floor, ok := got["floor-ns"]; ok {
		if e := near("over", got["over-ns"], max(leastOver, got["ns/lock"]-floor)); e != nil {
			return e
		}
	}
	least := 1 / float64(r.Workers)
	for _, unit := range []string{"jain", "jain-8w", "jain-64w", "jain-1ms"} {
		if v, ok := got[unit]; ok && (v < least-1e-9 || v > 1+1e-9) {
			return wrong("%s: %s is %v of %d workers", r.Name(), unit, v, r.Workers)
		}
	}
	for _, list := range [][]string{{"wait-p50-ns", "wait-p99-ns", "wait-p99.9-ns", "wait-max-ns"}, {"handoff-p50-ns", "handoff-p99-ns", "handoff-max-ns"},
		{"ns/streak-p90", "ns/streak-p100"}, {"ns/starve-p90", "ns/starve-p100"}} {
		for i := 1; i < len(list); i++ {
			if got[list[i]] < got[list[i-1]] {
				return wrong("%s: %s %v is below %s %v", r.Name(), list[i], got[list[i]], list[i-1], got[list[i-1]])
			}
		}
	}
	if handed := r.HandOffs.TotalCount(); handed > 0 && (r.Workers == 1 || r.Reads > 0) {
		return wrong("%s: %d hand-offs", r.Name(), handed)
	}
	if r.Together > 1 || r.Waits.TotalCount() < int64(r.Stamped.sections)-int64(r.Workers) {
		return wrong("%s: together %v, %d waits in %d sections", r.Name(), r.Together, r.Waits.TotalCount(), r.Stamped.sections)
	}
	return nil
}

// A faulty lock is a right one, which at one section leaves the lines as a wrong one might.
type faulty struct {
	anyLock
	lines []line
	left  int // sections before it
	fault func(lines []line)
	undo  func(lines []line) // if not nil, the next section does not see it, but the last one's is there
}

func (f *faulty) Lock(n *locks.Node) {
	f.anyLock.Lock(n)
	if f.undo != nil && f.left <= 0 {
		f.undo(f.lines)
		f.left = 1
	}
}

func (f *faulty) Unlock(n *locks.Node) {
	if f.left--; f.left == 0 {
		f.fault(f.lines)
	}
	f.anyLock.Unlock(n)
}

// faults are what a lock that does not exclude leaves behind.
var faults = []struct {
	what        string
	fault, undo func(lines []line)
}{
	{"loses a section", func(lines []line) { lines[0].seq--; lines[0].done--; lines[1].seq-- }, nil},
	{"loses a line's write", func(lines []line) { lines[1].seq-- }, nil},
	{"has another one inside", func(lines []line) { lines[0].done-- }, nil},
	{"shows a line's write too late", func(lines []line) { lines[1].seq-- }, func(lines []line) { lines[1].seq++ }},
}

// checkFault: whatever a lock does wrong, and in whichever part, there is no result.
func (b *Bench) checkFault(rng *rand.Rand) error {
	f := faults[rng.IntN(len(faults))]
	c := Case{Lock: "mutex", Workers: 1 + rng.IntN(len(b.CPUs)), Lines: 1, Pin: PinNone}.withDefaults()
	in, now, spec := rng.IntN(2), 0, c.spec()
	res, err := b.measure(c, rng.Uint64(), 0, 2*time.Millisecond, func(t *trace, d time.Duration, rng *rand.Rand) (*part, error) {
		p, err := b.newPart(c, &spec, t, d, rng)
		if err == nil && now == in {
			r := &p.rooms[0]
			r.lock = &faulty{r.lock, r.lines, 1 + rng.IntN(20), f.fault, f.undo}
		}
		now++
		return p, err
	})
	if res != nil || oracle.Of(err) != oracle.Exclusion {
		return wrong("a lock that %s has the result %v and the error %v", f.what, res, err)
	}
	return nil
}
