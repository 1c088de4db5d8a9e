package harness

import (
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

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
