package pcbinfo

import (
	"testing"

	"pcbbench/locks/probe"
)

// newOwnedTest makes a table with an owner for each of n parts, a listener on port 80, and a note of who asked whom.
func newOwnedTest(t *testing.T, n int, cfg Config) (in *ownedInfo, asks *[][2]int) {
	t.Helper()
	cfg.CPUs = n
	in = newInfo(t, "owned", cfg).(*ownedInfo)
	asks = new([][2]int)
	var owners []int
	for i := range n {
		owners = append(owners, n-1-i) // not the part's own number
	}
	in.Own(owners, func(from, to int, do func()) {
		*asks = append(*asks, [2]int{from, to})
		do()
	})
	if err := in.CPU(n - 1).Listen(&listen80); err != nil {
		t.Fatal(err)
	}
	return in, asks
}

// TestOwnedMoves follows a connection: half-open with the listener, whose owner is asked, then in the part of its four-tuple, whose owner asks no more.
func TestOwnedMoves(t *testing.T) {
	const parts = 3
	in, asks := newOwnedTest(t, parts, Config{})
	for i := range 20 {
		*asks = nil
		p := newPeer(tuple(i))
		part := p.inc.Part(parts)
		c := in.CPU(parts - 1 - part)
		input(t, c, p.segment(SYN, 0), GotSyn)
		if in.door.sc.len() != 1 {
			t.Errorf("%d half-open connections, want 1", in.door.sc.len())
		}
		input(t, c, p.segment(ACK, 0), GotAccept)
		if in.door.sc.len() != 0 || in.parts[part].tb.lookupUser(&p.inc) == nil {
			t.Errorf("%v is not in part %d", p.inc, part)
		}
		input(t, c, p.segment(ACK|PSH, 10), GotData)
		if want := [2]int{part, 0}; len(*asks) != 2 || (*asks)[0] != want || (*asks)[1] != want {
			t.Errorf("asked %v, want %v twice", *asks, want)
		}
	}
	if got := counter(t, in, "owner-asks"); got == 0 || got == 40 {
		t.Errorf("%d asks counted of those who are not the listener's owner, of 40 in all", got)
	}
	closeInfo(t, in)
}

// TestOwnedPorts has every owner connect until there is no port left: each gets those whose four-tuples are its own, together they get all, but for the
// one that has a listener.
func TestOwnedPorts(t *testing.T) {
	const parts = 4
	in, _ := newOwnedTest(t, parts, Config{FirstPort: 50000, LastPort: 50063})
	if err := in.CPU(parts - 1).Listen(&ConnInfo{Lport: 50007}); err != nil {
		t.Fatal(err)
	}
	got := map[uint16]bool{}
	for part := range parts {
		for {
			inc := tuple(1)
			inc.Lport = 0
			_, err := in.CPU(parts - 1 - part).Connect(&inc)
			if err == ErrNoPort {
				break
			}
			if err != nil || inc.Part(parts) != part || got[inc.Lport] || inc.Lport == 50007 {
				t.Fatalf("owner %d got port %d of part %d, error %v", part, inc.Lport, inc.Part(parts), err)
			}
			got[inc.Lport] = true
		}
	}
	if len(got) != 63 {
		t.Errorf("%d ports of 64, of which one has a listener", len(got))
	}
	closeInfo(t, in)
}

// TestOwnedSlowTimo checks that an owner ends its own TIME-WAITs and no others.
func TestOwnedSlowTimo(t *testing.T) {
	const parts = 2
	in, _ := newOwnedTest(t, parts, Config{})
	var here [parts]int
	for i := range 20 {
		p := newPeer(tuple(i))
		part := p.inc.Part(parts)
		c := in.CPU(parts - 1 - part)
		p.open(t, c)
		timeWaitNow(t, c, p)
		here[part]++
	}
	for part := range parts {
		c := in.CPU(parts - 1 - part)
		if c.SlowTimo(1000); c.Stats().Expired != uint64(here[part]) || in.parts[part].tb.count != 0 {
			t.Errorf("of %d of part %d %d have expired", here[part], part, c.Stats().Expired)
		}
	}
	closeInfo(t, in)
}

// TestOwnedWalk (H16) inserts into the second part while a walk is in the first, and ends a walk on the way. Nobody's walk asks every owner.
func TestOwnedWalk(t *testing.T) {
	const parts = 2
	in, asks := newOwnedTest(t, parts, Config{})
	next := 0
	connect := func(part int) {
		for ; ; next++ {
			if inc := tuple(next); inc.Part(parts) == part {
				next++
				if _, err := in.CPU(parts - 1 - part).Connect(&inc); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
	connect(0)
	*asks = nil
	met := 0
	in.Walk(func(x *Xinpcb) bool {
		if met++; x.State == SynSent {
			connect(1)
		}
		return true
	})
	if met != 2 || in.Len() != 3 {
		t.Errorf("the walk met %d, the table holds %d", met, in.Len())
	}
	if want := [2]int{Nobody, 1}; (*asks)[0] != [2]int{Nobody, 0} || (*asks)[1] != want {
		t.Errorf("asked %v", *asks)
	}
	met = 0
	if in.Walk(func(*Xinpcb) bool { met++; return false }); met != 1 {
		t.Errorf("a walk that was ended met %d", met)
	}
	closeInfo(t, in)
}

// TestOwnedGuards: torture builds see two users of a part, and one who does not own it.
func TestOwnedGuards(t *testing.T) {
	in, _ := newOwnedTest(t, 2, Config{})
	mustPanic(t, "owners", func() { in.Own([]int{0}, in.ask) })
	if !probe.Enabled {
		return
	}
	p := newPeer(tuple(1))
	part := p.inc.Part(2)
	owner, other := in.CPU(1-part).(*ownedCPU), in.CPU(part).(*ownedCPU)
	mustPanic(t, "owns", func() { other.Input([]*Segment{p.segment(SYN, 0)}) })
	used := owner.enter(&p.inc)
	mustPanic(t, "two at once", func() { owner.Input([]*Segment{p.segment(ACK, 0)}) })
	used.users.n.Store(0)
	in.door.enter()
	mustPanic(t, "two at once", func() { owner.Input([]*Segment{p.segment(ACK, 0)}) })
}
