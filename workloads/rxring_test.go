package workloads

import (
	"math/rand/v2"
	"testing"

	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// An openRig is an open loop on a clock that stands still unless it is told otherwise, with one goroutine for all.
type openRig struct {
	*Traffic
	w   *Workload
	in  pcbinfo.Info
	now int64 // ns
}

func newOpenRig(t *testing.T, scheme, dispatch, roles, how string, rate float64, p Params) *openRig {
	t.Helper()
	w, err := Build(p)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := pcbinfo.ParseSpec(scheme)
	if err != nil {
		t.Fatal(err)
	}
	g := &openRig{w: w}
	y := Way{Now: func() int64 { return g.now }}
	if y.Model, err = netisr.ParseSpec(dispatch); err != nil {
		t.Fatal(err)
	}
	if y.Roles, err = FindRoles(roles); err != nil {
		t.Fatal(err)
	}
	if g.in, err = sp.New(pcbinfo.Config{CPUs: y.Handles(w.Workers), Conns: max(w.Conns, w.Flows())}); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(g.in); err != nil {
		t.Fatal(err)
	}
	g.Traffic = w.Start(g.in, y)
	g.Prepare(arrivals(t, how), rate, 1, p.Seed)
	return g
}

// close takes turns, arrivals being shut, until nothing waits and every driver stands at the end of a lap, and has everything checked.
func (g *openRig) close(t *testing.T) OpenStats {
	t.Helper()
	for _, d := range g.Drivers {
		d.Shut()
	}
	left := func() (n int) {
		for _, d := range g.Drivers {
			n += d.Backlog()
		}
		return n
	}
	for left() > 0 {
		for i := range g.Drivers {
			g.Next(i, 1<<40)
		}
	}
	ends := make([]uint64, len(g.Drivers))
	for i, d := range g.Drivers {
		ends[i] = d.Begun()
	}
	for going := true; going; {
		going = false
		for i, d := range g.Drivers {
			g.Next(i, ends[i])
			going = going || d.Before(ends[i]) || !d.Rest()
		}
	}
	s, err := g.OpenStats()
	if err != nil {
		t.Error(err)
	}
	if err := g.w.Check(g.in, g.Drivers); err != nil {
		t.Error(err)
	}
	if err := g.in.Close(); err != nil {
		t.Error(err)
	}
	return s
}

// TestOpenLoop lets an open loop run on every kind of way with turns of random lengths, some of them long enough to overflow what can: whatever is
// dropped, every connection ends where its script says, and every slot is accounted for.
func TestOpenLoop(t *testing.T) {
	const turns, mean = 6_000, 3_000.0 // ns
	for seed, c := range []struct {
		dispatch, how string
		rate          float64 // a worker, in segments a ns
		workers       int
		qdrops, rx    bool // must be dropped
	}{
		{"direct", "poisson", 1e-3, 1, false, false},
		{"direct", "poisson:rxring=8", 5e-3, 2, false, true},
		{"deferred:qlimit=16", "burst:rxring=64", 5e-3, 2, true, true},
		{"netisr2:qlimit=1", "onoff", 2e-4, 2, true, false},
		{"netisr2:policy=source:qlimit=2", "poisson:rxring=1", 5e-3, 3, false, true},
		{"hybrid:qlimit=4", "burst:interval=50us:rxring=32", 5e-3, 3, true, true},
	} {
		for _, mix := range []string{"churn", "rpc", "bulk"} {
			p := Params{Mix: mix, Conns: 50, Workers: c.workers, Seed: uint64(seed) + 1}
			g := newOpenRig(t, "global", c.dispatch, "all", c.how, c.rate*float64(c.workers), p)
			rng := rand.New(rand.NewPCG(p.Seed, 1))
			const from, to = 1_000_000, 12_000_000
			for _, d := range g.Drivers {
				d.Open(0)
				d.Window(from, to)
			}
			for range turns {
				g.now += int64(rng.ExpFloat64() * mean)
				i := rng.IntN(c.workers)
				g.Drivers[i].Arrive(g.now)
				g.Next(i, 1<<40)
			}
			s := g.close(t)
			near(t, "offered", float64(s.Offered), (to-from)*c.rate*float64(c.workers), 0.1)
			if (s.QDrops > 0) != c.qdrops || (s.RxDrops > 0) != c.rx {
				t.Errorf("%+v seed %d: %d dropped by queues, %d by receive rings", c, p.Seed, s.QDrops, s.RxDrops)
			}
			if t.Failed() {
				t.Fatalf("%s by %s, %s, %d workers, seed %d", mix, c.dispatch, c.how, c.workers, p.Seed)
			}
		}
	}
}

// TestLatencyFromArrival lets the input context come late by known times: latency counts from when a segment should have come, not from when it
// was taken in, and what came too early or too late is not measured.
func TestLatencyFromArrival(t *testing.T) {
	g := newOpenRig(t, "null", "direct", "all", "poisson", 1e-3, Params{Mix: "churn", Seed: 1})
	d := g.Drivers[0]
	const from, to = 100_000, 200_000
	var want []int64
	var s stream
	arrivals(t, "poisson").begin(&s, 1e-3, 1, 1, 0)
	for at := int64(0); at < to; at = int64(s.next(&s)) {
		if at >= from {
			want = append(want, at)
		}
	}
	d.Open(0)
	d.Window(from, to)
	g.now = 250_000 // the thread was away all the time
	d.Arrive(g.now)
	for d.Ready() {
		g.Next(0, 1<<40)
	}
	stats, err := g.OpenStats()
	if err != nil {
		t.Fatal(err)
	}
	h := stats.Latency
	if int(stats.Offered) != len(want) || h.TotalCount() != int64(len(want)) {
		t.Errorf("%d offered, %d measured, want %d", stats.Offered, h.TotalCount(), len(want))
	}
	if slowest, fastest := g.now-want[0], g.now-want[len(want)-1]; !h.ValuesAreEquivalent(h.Max(), slowest) || !h.ValuesAreEquivalent(h.Min(), fastest) {
		t.Errorf("latencies from %d to %d, want %d to %d", h.Min(), h.Max(), fastest, slowest)
	}
	if d.Send(0); d.Backlog() != 0 {
		t.Errorf("%d wait", d.Backlog())
	}
}

// TestReceiveRing fills the ring beyond its end: the first segments stay, the rest is dropped and counted, and a batch goes out in pieces.
func TestReceiveRing(t *testing.T) {
	g := newOpenRig(t, "global", "direct", "all", "poisson:rxring=10", 1e-3, Params{Mix: "churn", Seed: 2})
	d := g.Drivers[0]
	d.Open(0)
	d.Window(0, 1_000_000)
	if d.Ready() {
		t.Error("ready before anything has come")
	}
	d.Arrive(999_999)
	if d.Backlog() != 10 || d.rx.rxdrops != d.rx.offered-10 || d.rx.offered < 800 {
		t.Errorf("%d wait of %d, %d dropped", d.Backlog(), d.rx.offered, d.rx.rxdrops)
	}
	batch := len(d.ring.batches[0].Segs)
	if sent := d.Send(0); sent != min(10, batch) || d.Rest() != (sent < batch) {
		t.Errorf("%d sent of a batch of %d; complete: %v", sent, batch, !d.Rest())
	}
	g.close(t)
}

// TestOpenLoopNoAllocation: once under way, an open loop in overload allocates nothing.
func TestOpenLoopNoAllocation(t *testing.T) {
	for _, how := range []string{"poisson", "burst", "onoff"} {
		g := newOpenRig(t, "global", "netisr2:qlimit=8", "all", how, 1e-2, Params{Mix: "churn", Conns: 50, Seed: 3})
		d := g.Drivers[0]
		d.Open(0)
		d.Window(0, 1<<60)
		run := func() {
			for range 2_000 {
				g.now += 2_000
				d.Arrive(g.now)
				g.Next(0, 1<<40)
			}
		}
		run()
		if n := testing.AllocsPerRun(2, run); n != 0 {
			t.Errorf("%s: %v allocations", how, n)
		}
		if d.rx.qdrops == 0 {
			t.Errorf("%s: nothing dropped", how)
		}
	}
}
