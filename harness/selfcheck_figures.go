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
	"pcbbench/workloads/netisr"
)

// The margin of a latency: two digits of the histogram, the rate of the clock, and a stamp's own cost.
const (
	latencyShare = 0.02
	latencyNS    = 300
)

// checkLatency: a batch takes at least as long as the table's part of it. At most it takes from the end of the one before to the beginning of the
// next; or, where more are on their way, from the one that had to be answered before it was sent to the one that was sent after its answer.
// What holds for each batch holds for quantiles.
func (t *testimony) checkLatency() error {
	var least, most []float64
	loose := t.r.loose()
	for _, batches := range t.batches {
		first, end := measured(batches)
		reach := max(1, loose)
		for k := max(0, first-loose); k < min(end+1+loose, len(batches)); k++ {
			if k > first+loose && k < end-loose {
				least = append(least, float64(batches[k].out-batches[k].in))
			}
			next, before := t.end, t.begin
			if k >= reach {
				before = batches[k-reach].out
			}
			if k+reach < len(batches) {
				next = batches[k+reach].in
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
	unsure := 2 * len(t.batches) * (1 + 2*loose)
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

// gap is the time that worker i spent outside the table from before its first measured call to the call after its last; all of the time, if
// it does not wait for its own calls alone.
func (t *testimony) gap(i int) (sum time.Duration) {
	if t.r.loose() > 0 {
		return t.end - t.begin
	}
	calls := t.batches[i]
	first, end := measured(calls)
	for k := max(1, first); k <= end && k < len(calls); k++ {
		sum += calls[k].in - calls[k-1].out
	}
	if end == len(calls) && end > 0 {
		sum += t.end - calls[end-1].out
	}
	return sum
}

// checkWaiting: outside the table, and only for other workers or for the answers to batches that are on their way.
func (t *testimony) checkWaiting() error {
	waits := t.r.loose() > 0 || t.r.v.Workload.Affinity == workloads.Spray && len(t.batches) > 1
	for i := range t.r.workers {
		got := t.b.clock.NS(t.r.workers[i].waiting)
		if got < 0 || got > float64(t.gap(i))*(1+latencyShare)+latencyNS || got > 0 && !waits {
			return wrong("worker %d has waited %v ns, outside the table it was for %v", i, got, t.gap(i))
		}
	}
	return nil
}

// checkHeldBack: who waits for worker 0, which is held back, counts it.
func (t *testimony) checkHeldBack() error {
	if t.r.v.Workload.Affinity != workloads.Spray || t.r.loose() > 0 {
		return nil
	}
	for i := range t.r.workers {
		l := t.a.cpus[i]
		if got := t.b.clock.NS(t.r.workers[i].waiting); got < float64(l.sure)*(1-latencyShare)-latencyNS {
			return wrong("worker %d has waited %.0f ns; it has turned without a call for %v, while worker 0 was held back", i, got, l.sure)
		}
	}
	return nil
}

// checkPlaces: pinned threads are each on the CPU of their own worker. Where workers own the table, whoever finds one idle does its work.
func (t *testimony) checkPlaces() error {
	if t.r.v.Pin != PinCPU || t.r.v.way.Model.Owns {
		return nil
	}
	for i, l := range t.a.cpus {
		if want := t.b.cpus[t.worker(i)]; l.pins != nil && !slices.Equal(l.pins, []int{want}) {
			return wrong("the thread of handle %d may use the CPUs %v, its place is %d", i, l.pins, want)
		}
	}
	return nil
}

// worker is whose CPU the thread of that handle is on: input contexts come first, then netisr's workers and users, if they are threads of
// their own, and the timer, which is on the first.
func (t *testimony) worker(handle int) int {
	workers := len(t.r.ds)
	if handle < workers {
		return handle
	}
	handle -= workers
	if streams := len(t.s.Isr.Streams); t.r.v.way.Roles.Netisr {
		if handle < streams {
			return handle % workers
		}
		handle -= streams
	}
	return handle % workers
}

// crowd is how many threads there are, and how many CPUs they are bound to.
func (t *testimony) crowd() (threads, places int) {
	workers, roles := len(t.r.ds), t.r.v.way.Roles
	walkers := t.r.v.walkers()
	threads = workers + walkers
	if roles.Netisr {
		threads += len(t.s.Isr.Streams)
	}
	if roles.Users {
		threads += workers + 1
	}
	if t.r.v.Pin == PinCPU {
		return threads, workers + walkers
	}
	return threads, threads
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
	threads, places := t.crowd()
	if bad, why := n.Disturbed(t.s.Watched, threads, places); bad != (t.s.Disturbed != "") || why != t.s.Disturbed {
		return wrong("disturbed is %q, of %+v it is %q", t.s.Disturbed, n, why)
	}
	return nil
}

// checkDispatch: netisr has handled what the table has seen, each segment once and on one of three ways, and nobody was woken who does not sleep.
func (t *testimony) checkDispatch() error {
	s, roles := t.s, t.r.v.way.Roles
	all, sum := s.Isr.Total(), uint64(0)
	for _, batches := range t.batches {
		for _, b := range batches {
			sum += uint64(b.segs)
		}
	}
	if s.Sent != sum || all.Handled != sum || all.Handled != all.Dispatched+all.HDispatched+all.Queued {
		return wrong("the table has seen %d segments, %d were sent; netisr: %+v", sum, s.Sent, all)
	}
	for _, c := range []struct {
		who    string
		sleeps bool
		w      *netisr.Wakes
	}{{"netisr's workers", roles.Netisr, &s.Isr.Wakes}, {"users", roles.Users, &s.UserWakes}, {"input contexts", roles.Netisr, &s.InputWakes}} {
		if c.w.N > 0 && !c.sleeps || c.w.Latency == nil || uint64(c.w.Latency.TotalCount()) != c.w.N {
			return wrong("%s, who sleep: %v, were woken %d times, of which %v are measured", c.who, c.sleeps, c.w.N, c.w.Latency)
		}
		if longest := t.b.clock.NS(c.w.Latency.Max()); longest > float64(t.end-t.begin)*(1+latencyShare) {
			return wrong("%s took %v ns to wake, in a sample of %v", c.who, longest, t.end-t.begin)
		}
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
		"p99.9-ns": ns(s.Latency.ValueAtQuantile(99.9)), "max-ns": ns(s.Latency.Max()), "disturbed": 0, "mul-ns": s.NSMul, "late": s.Late, gaugeName: float64(t.a.seen()), eventName + "/seg": 1}
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
	vol, invol := s.Noise.VoluntarySwitches, s.Noise.InvoluntarySwitches
	switches := vol.Known && invol.Known
	optional("ctxsw/seg", float64(vol.N+invol.N)/float64(s.Segs), switches)
	optional("ctxsw-voluntary/seg", float64(vol.N)/float64(s.Segs), switches)
	optional("ctxsw-involuntary/seg", float64(invol.N)/float64(s.Segs), switches)
	sent, all := float64(s.Sent), s.Isr.Total()
	optional("handoffs/seg", float64(s.Isr.Handoffs)/sent, all.Queued+all.HDispatched > 0)
	optional("segs/queue-batch", float64(all.Queued)/float64(all.Batches), all.Batches > 0)
	optional("qdrops/seg", float64(all.QDrops)/sent, all.Queued > 0)
	wakes := func(prefix string, w *netisr.Wakes) {
		optional(prefix+"wakeups/seg", float64(w.N)/sent, w.N > 0)
		optional(prefix+"wake-p50-ns", ns(w.Latency.ValueAtQuantile(50)), w.N > 0)
		optional(prefix+"wake-p99-ns", ns(w.Latency.ValueAtQuantile(99)), w.N > 0)
	}
	wakes("", &s.Isr.Wakes)
	wakes("user-", &s.UserWakes)
	wakes("input-", &s.InputWakes)
	wakes("call-", &s.Isr.Calls)
	total := float64(s.Stats.Segments())
	var drops uint64
	for o := pcbinfo.DropNoPCB; o < pcbinfo.NumOutcomes; o++ {
		drops += s.Stats.Outcomes[o]
	}
	optional("drops/seg", float64(drops)/total, drops > 0)
	reordered := s.Stats.Outcomes[pcbinfo.DropOrder]
	optional("reordered/seg", float64(reordered)/total, reordered > 0)
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
	for _, l := range t.a.cpus {
		for _, c := range l.calls {
			switch c.phase {
			case warming:
				from = max(from, c.in)
			case draining:
				to = min(to, c.in)
			}
		}
	}
	if t.s.Wall > to-from+time.Millisecond {
		return wrong("measured time is %v, from the last call before to the first one after %v passed", t.s.Wall, to-from)
	}
	return nil
}
