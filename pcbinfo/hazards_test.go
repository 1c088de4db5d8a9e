package pcbinfo

import (
	"sync"
	"sync/atomic"
	"testing"
)

// What every scheme has to survive, numbered as in the schemes' comments.

// TestListenerGone (H7) closes the listener between SYN and handshake ACK: there is nobody to hand the connection to.
func TestListenerGone(t *testing.T) {
	eachTable(t, 1, func(t *testing.T, in Info) {
		c, d := in.CPU(0), in.CPU(1)
		p := newPeer(tuple(1))
		input(t, c, p.segment(SYN, 0), GotSyn)
		if err := d.Close(&listen80); err != nil {
			t.Fatal(err)
		}
		input(t, c, p.segment(ACK, 0), DropNoPCB)
		if n := in.Len(); n != 0 {
			t.Errorf("%d inpcbs left", n)
		}
	})
}

// TestHandshakeAckAgain (H8) sends the handshake's ACK twice, and on another CPU: it makes one connection.
func TestHandshakeAckAgain(t *testing.T) {
	eachTable(t, 1, func(t *testing.T, in Info) {
		p := newPeer(tuple(1))
		p.open(t, in.CPU(0))
		input(t, in.CPU(1), p.segment(ACK, 0), GotAck)
		if n := in.Len(); n != 2 {
			t.Errorf("%d inpcbs, want the listener and one connection", n)
		}
	})
}

// TestTwoHandshakeAcks (H8) sends them at once: whichever is second is not a stranger's.
func TestTwoHandshakeAcks(t *testing.T) {
	const conns = 300
	eachTable(t, 2, func(t *testing.T, in Info) {
		for i := range conns {
			p := newPeer(tuple(i))
			input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
			seg := p.segment(ACK, 0)
			both(func(cpu int) { in.CPU(cpu).Input([]*Segment{seg}) })
		}
		if o := in.Stats().Outcomes; o[GotAccept] != conns || o[GotAck] != conns {
			t.Errorf("of %d pairs of ACKs %d were the first and %d the second: %v", conns, o[GotAccept], o[GotAck], o)
		}
	})
}

// TestTupleTwice (H9) tries to enter one four-tuple, or one listener's end, twice.
func TestTupleTwice(t *testing.T) {
	eachTable(t, 1, func(t *testing.T, in Info) {
		c, d := in.CPU(0), in.CPU(1)
		p := newPeer(tuple(1))
		input(t, c, p.segment(SYN, 0), GotSyn)
		inc := p.inc
		if _, err := c.Connect(&inc); err != nil { // half-open is not in the table yet
			t.Fatal(err)
		}
		if _, err := d.Connect(&inc); err != ErrInUse {
			t.Errorf("connect again: %v", err)
		}
		input(t, d, p.segment(ACK, 0), DropAck) // the connecting one's, who sent another number
		if err := d.Listen(&listen80); err != ErrInUse {
			t.Errorf("listen again: %v", err)
		}
		if err := d.Listen(&ConnInfo{Lport: 80, Laddr: inc.Laddr}); err != nil {
			t.Errorf("listen on an address beside any: %v", err)
		}
		if n := in.Len(); n != 3 {
			t.Errorf("%d inpcbs, want two listeners and one connection", n)
		}
	})
}

// TestTwoConnects (H9) lets two CPUs connect the same four-tuple at once, and listen on the same port.
func TestTwoConnects(t *testing.T) {
	eachTable(t, 2, func(t *testing.T, in Info) {
		for i := range 300 {
			var connect, listen [2]error
			both(func(cpu int) {
				inc := tuple(i)
				_, connect[cpu] = in.CPU(cpu).Connect(&inc)
				listen[cpu] = in.CPU(cpu).Listen(&ConnInfo{Lport: uint16(1000 + i)})
			})
			for _, errs := range [][2]error{connect, listen} {
				if errs != [2]error{nil, ErrInUse} && errs != [2]error{ErrInUse, nil} {
					t.Fatalf("two at once of %v: connect %v, listen %v", tuple(i), connect, listen)
				}
			}
		}
	})
}

// TestPortZero sends a handshake from port 0, which in a name means a listener: no connection may come of it, or it would take
// the listener's place.
func TestPortZero(t *testing.T) {
	eachTable(t, 1, func(t *testing.T, in Info) {
		inc := tuple(1)
		inc.Fport = 0
		p := newPeer(inc)
		input(t, in.CPU(0), p.segment(SYN, 0), DropListen)
		input(t, in.CPU(0), p.segment(ACK, 0), DropListen)
		newPeer(tuple(2)).open(t, in.CPU(0))
	})
}

// TestWalkEnds ends a walk half-way: it must let go of all that it holds, locks and references.
func TestWalkEnds(t *testing.T) {
	eachTable(t, 1, func(t *testing.T, in Info) {
		for i := range 5 {
			newPeer(tuple(i)).open(t, in.CPU(0))
		}
		n := 0
		in.Walk(func(*Xinpcb) bool {
			n++
			return n < 2
		})
		if n != 2 {
			t.Errorf("the walk met %d, want 2", n)
		}
		for i := range 5 {
			inc := tuple(i)
			if err := in.CPU(1).Abort(&inc); err != nil {
				t.Error(err)
			}
		}
		if z := in.Zone(); z.Frees != 5 {
			t.Errorf("%d of 5 given back", z.Frees)
		}
	})
}

// TestEviction floods one bucket of a syncache: what is pushed out is counted, and cannot complete any more.
func TestEviction(t *testing.T) {
	in := newInfo(t, "connp:groups=512", Config{CPUs: 1}).(*connpInfo) // one bucket a group
	c := in.CPU(0)
	if err := c.Listen(&listen80); err != nil {
		t.Fatal(err)
	}
	var peers []*peer
	for i := 0; len(peers) < syncacheLimit+2; i++ {
		if inc := tuple(i); in.index(inc.hash(in.cfg.Seed)) == 0 {
			peers = append(peers, newPeer(inc))
		}
	}
	for _, p := range peers {
		input(t, c, p.segment(SYN, 0), GotSyn)
	}
	for i, p := range peers {
		want := GotAccept
		if i < 2 {
			want = DropListen
		}
		input(t, c, p.segment(ACK, 0), want)
	}
	if n := in.Stats().Evicted; n != 2 {
		t.Errorf("%d evicted, want 2", n)
	}
	closeInfo(t, in)
}

// both runs f as two CPUs, which start as close together as two goroutines can.
func both(f func(cpu int)) {
	var wg sync.WaitGroup
	var ready atomic.Int32
	for cpu := range 2 {
		wg.Go(func() {
			ready.Add(1)
			await(func() bool { return ready.Load() == 2 })
			f(cpu)
		})
	}
	wg.Wait()
}
