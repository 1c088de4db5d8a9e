package handoff

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/pcbinfo"
)

// places are CPUs for a sender and a receiver, and how many differ.
func places(t *testing.T) (cpus []int, n int) {
	t.Helper()
	topo, _ := machine.HostTopology()
	if cpus = topo.Order(2); cpus == nil || runtime.GOMAXPROCS(0) < 2 || cpus[0] == cpus[1] {
		return append(cpus, 0, 0)[:2], 1
	}
	return cpus, 2
}

// TestEveryCase: each way hands over everything, once and in order, wherever its threads are.
func TestEveryCase(t *testing.T) {
	clock := machine.NewClock()
	cpus, n := places(t)
	for _, c := range Cases(n) {
		if c.Pin == "cpu" && runtime.GOOS != "linux" {
			continue
		}
		t.Run(c.Name(), func(t *testing.T) {
			res, err := c.Measure(clock, cpus, 2*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if res.Packets == 0 || res.Packets%uint64(c.Batch) != 0 || res.Took <= 0 || res.RoundTrip.TotalCount() == 0 {
				t.Errorf("%d packets in %d ticks, %d round trips", res.Packets, res.Took, res.RoundTrip.TotalCount())
			}
		})
	}
}

// TestOneProcessor: where one processor runs both goroutines, each gives way to the other.
func TestOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	clock := machine.NewClock()
	for _, c := range Cases(2) {
		c.CPUs, c.Pin = Any, "none"
		if _, err := c.Measure(clock, nil, 2*time.Millisecond); err != nil {
			t.Errorf("%s: %v", c.Name(), err)
		}
	}
}

// TestCases: one CPU has no polling receivers, and nothing across CPUs.
func TestCases(t *testing.T) {
	names := map[string]bool{}
	for _, c := range Cases(2) {
		names[c.Name()] = true
	}
	if want := 2 * (2 + 3*len(Ways)); len(names) != want {
		t.Errorf("%d cases, want %d: %v", len(names), want, names)
	}
	one := Cases(1)
	for _, c := range one {
		if c.Wait == Poll || c.CPUs == Other || !names[c.Name()] {
			t.Errorf("one CPU: %s", c.Name())
		}
		if err := c.Check(1); err != nil {
			t.Error(err)
		}
	}
	if len(one) != 2*2*len(Ways) {
		t.Errorf("one CPU: %d cases", len(one))
	}
	bad := one[0]
	bad.Via = "pigeon"
	if err := bad.Check(2); err == nil || !strings.Contains(err.Error(), "pigeon") {
		t.Errorf("%+v is refused with %v", bad, err)
	}
}

// A faulty link is a mailbox that does something wrong once.
type faulty struct {
	link
	sends int
	fault func([]*pcbinfo.Segment) []*pcbinfo.Segment
}

func (f *faulty) send(ps []*pcbinfo.Segment) {
	if f.sends++; f.sends == 20 {
		ps = f.fault(ps)
	}
	f.link.send(ps)
}

// TestFaults: what loses, doubles or swaps packets has no figure.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault func([]*pcbinfo.Segment) []*pcbinfo.Segment
		says  string
	}{
		"lost":    {func(ps []*pcbinfo.Segment) []*pcbinfo.Segment { return ps[:7] }, "packet 160 came when 159 was due"},
		"doubled": {func(ps []*pcbinfo.Segment) []*pcbinfo.Segment { return append(ps[:8:8], ps[7]) }, "packet 159 came when 160 was due"},
		"swapped": {func(ps []*pcbinfo.Segment) []*pcbinfo.Segment {
			return append([]*pcbinfo.Segment{ps[1], ps[0]}, ps[2:]...)
		}, "packet 153 came when 152 was due"},
	} {
		m := &measurement{Case: Case{Batch: 8}, clock: machine.NewClock(), d: 200 * time.Millisecond, sender: -1, receiver: -1,
			link: func() link { return &faulty{link: newWakeup(false), fault: c.fault} }}
		if err := m.oneWay(&Result{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s", name, err, c.says)
		}
	}
	// One way drops the end; the other finds every round trip complete or not back at all.
	r := receipt{next: 7}
	if err := r.complete(8); err == nil || !strings.Contains(err.Error(), "8 packets were sent, 7 came") {
		t.Errorf("a loss at the end is %v", err)
	}
}

// TestUnpinnable: a CPU that there is not ends the measurement on both sides.
func TestUnpinnable(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("threads cannot be pinned on " + runtime.GOOS)
	}
	for _, cpus := range [][2]int{{-1, 1 << 15}, {1 << 15, -1}, {1 << 15, 1 << 15}} {
		m := &measurement{Case: Case{Batch: 1}, clock: machine.NewClock(), d: time.Hour, sender: cpus[0], receiver: cpus[1], link: func() link { return newWakeup(false) }}
		if err := m.roundTrips(hdrhistogram.New(1, maxTicks, 2)); err == nil || !strings.Contains(err.Error(), "cannot pin") {
			t.Errorf("CPUs %v: %v", cpus, err)
		}
	}
}

// TestRing compares the ring with a list, and the places where its sides meet with what a line is.
func TestRing(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	r, ps, buf := &ring{}, newPackets(3*room), make([]*pcbinfo.Segment, room)
	in, out := 0, 0
	for range 20_000 {
		var batch []*pcbinfo.Segment
		for range rng.IntN(room + 10) {
			batch = append(batch, ps[(in+len(batch))%len(ps)])
		}
		if n := r.push(batch); n != min(len(batch), room-(in-out)) {
			t.Fatalf("seed %d: %d of %d went in beside %d", seed, n, len(batch), in-out)
		} else {
			in += n
		}
		n := r.pop(buf[:rng.IntN(room+1)])
		for i := range n {
			if buf[i] != ps[(out+i)%len(ps)] {
				t.Fatalf("seed %d: packet %d is another one", seed, out+i)
			}
		}
		if out += n; out > in {
			t.Fatalf("seed %d: %d went in, %d came out", seed, in, out)
		}
	}
	for _, gap := range []uintptr{unsafe.Offsetof(r.tail), unsafe.Offsetof(r.head) - unsafe.Offsetof(r.tail), unsafe.Offsetof(r.slots) - unsafe.Offsetof(r.head)} {
		if gap < locks.LinePad {
			t.Errorf("what two sides write is %d bytes apart", gap)
		}
	}
}

// TestNoAllocation: what is measured is not the collector.
func TestNoAllocation(t *testing.T) {
	const setup = 2000 // threads, links, histograms
	clock := machine.NewClock()
	var before, after runtime.MemStats
	for _, w := range Ways {
		c := Case{Via: w.Name, Batch: 32, Wait: Park, CPUs: Any, Pin: "none"}
		runtime.ReadMemStats(&before)
		res, err := c.Measure(clock, nil, 10*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n > setup+res.Packets/100 {
			t.Errorf("%s: %d allocations for %d packets", w.Name, n, res.Packets)
		}
	}
}
