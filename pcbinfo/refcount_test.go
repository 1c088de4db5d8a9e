package pcbinfo

import "testing"

// newRefcountTest makes a table with a listener and one connection; walker is a handle for the test's own use.
func newRefcountTest(t *testing.T) (in *refcountInfo, walker *refcountCPU, p *peer, inp *Inpcb) {
	in = newInfo(t, "refcount", Config{CPUs: 2}).(*refcountInfo)
	if err := in.CPU(0).Listen(&listen80); err != nil {
		t.Fatal(err)
	}
	p = newPeer(tuple(1))
	p.open(t, in.CPU(0))
	return in, &in.handles[2], p, in.tb.lookup(&p.inc)
}

// TestRefcountLastReference (H2, H3) keeps two references over the end of a connection: it is out of the table at once, and the
// memory is not free before the last of them is given back.
func TestRefcountLastReference(t *testing.T) {
	in, walker, p, inp := newRefcountTest(t)
	inp.ref()
	inp.ref()
	if err := in.CPU(1).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	input(t, in.CPU(0), p.segment(ACK, 10), DropListen)
	if err := in.CPU(0).Send(&p.inc, 1); err != ErrNotFound {
		t.Errorf("send: %v", err)
	}
	in.Walk(func(x *Xinpcb) bool {
		if x.Inc == p.inc {
			t.Error("a walk meets it")
		}
		return true
	})
	for i, frees := range []uint64{0, 1} {
		if walker.rele(inp); in.Zone().Frees != frees {
			t.Errorf("%d references given back: %d freed, want %d", i+1, in.Zone().Frees, frees)
		}
	}
	closeInfo(t, in)
}

// TestRefcountGoneAtLock (H1, H4) ends the connection while a segment has a reference and waits for the inpcb's lock.
func TestRefcountGoneAtLock(t *testing.T) {
	in, walker, p, inp := newRefcountTest(t)
	inp.wlock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
	await(func() bool { return inp.refs.Load() == 2 })
	walker.lock()
	walker.close(inp)
	walker.unlock()
	if out := <-done; out != DropListen {
		t.Errorf("outcome %v: want the listener's", out)
	}
	if n := counter(t, in, "gone"); n != 1 {
		t.Errorf("gone %d times", n)
	}
	closeInfo(t, in)
}

// TestRefcountSendGone ends the connection while a user's request waits for the inpcb's lock.
func TestRefcountSendGone(t *testing.T) {
	in, walker, p, inp := newRefcountTest(t)
	inp.wlock()
	done := make(chan error)
	go func() { done <- in.CPU(0).Send(&p.inc, 1) }()
	await(func() bool { return inp.refs.Load() == 2 })
	walker.lock()
	walker.close(inp)
	walker.unlock()
	if err := <-done; err != ErrNotFound {
		t.Errorf("send: %v", err)
	}
	closeInfo(t, in)
}

// TestRefcountGoneAtReacquire (H4) ends the connection while a FIN has let go of tcbinfo and waits for it exclusively.
func TestRefcountGoneAtReacquire(t *testing.T) {
	in, walker, p, inp := newRefcountTest(t)
	reacquired := counter(t, in, "reacquired")
	walker.rlock() // so that the FIN cannot upgrade (H6: it must not wait for that either)
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(FIN|ACK, 0)) }()
	await(func() bool { return inp.refs.Load() == 2 })
	await(func() bool { return in.tcbinfo.TryUpgrade(&walker.node) })
	inp.wlock()
	walker.close(inp)
	walker.unlock()
	if out := <-done; out != DropListen {
		t.Errorf("outcome %v: want the listener's", out)
	}
	if n, m := counter(t, in, "reacquired")-reacquired, counter(t, in, "gone"); n != 1 || m != 1 {
		t.Errorf("re-acquired %d times, gone %d times", n, m)
	}
	closeInfo(t, in)
}

// TestRefcountChildAtReacquire (H8) lets the first of two handshake ACKs through while the second waits for tcbinfo with a reference
// on the listener.
func TestRefcountChildAtReacquire(t *testing.T) {
	in, walker, _, _ := newRefcountTest(t)
	p := newPeer(tuple(2))
	input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
	lsn := in.tb.lookupListener(Addr{}, 80)
	seg := p.segment(ACK, 0)
	lsn.wlock()
	walker.rlock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), seg) }()
	await(func() bool { return lsn.refs.Load() == 2 })
	lsn.wunlock()
	await(func() bool { return in.tcbinfo.TryUpgrade(&walker.node) })
	walker.inputExclusive(seg)
	if out := <-done; out != GotAck {
		t.Errorf("outcome %v of the second", out)
	}
	if n := walker.stats.Outcomes[GotAccept]; n != 1 {
		t.Errorf("%d accepted by the first", n)
	}
	closeInfo(t, in)
}

// TestRefcountWalk (H16) ends the connection that a walk would come to next, and makes a new one, while it is at another.
func TestRefcountWalk(t *testing.T) {
	in, _, _, _ := newRefcountTest(t)
	testWalk(t, in)
}

// testWalk is for schemes that let others in between two inpcbs of a walk.
func testWalk(t *testing.T, in Info) {
	const conns = 5
	for i := range conns {
		newPeer(tuple(10+i)).open(t, in.CPU(0))
	}
	gone, late := tuple(10+conns-2), tuple(99)
	seen := map[ConnInfo]int{}
	in.Walk(func(x *Xinpcb) bool {
		if seen[x.Inc]++; len(seen) == 1 {
			done := make(chan bool)
			go func() {
				defer close(done)
				if err := in.CPU(1).Abort(&gone); err != nil {
					t.Error(err)
				}
				inc := late
				if _, err := in.CPU(1).Connect(&inc); err != nil {
					t.Error(err)
				}
			}()
			<-done
		}
		return true
	})
	if seen[gone] != 0 || seen[late] != 0 {
		t.Errorf("the walk met the one that was gone %d times, the one that came later %d times", seen[gone], seen[late])
	}
	for i := range conns {
		if inc := tuple(10 + i); inc != gone && seen[inc] != 1 {
			t.Errorf("the walk met %v %d times", inc, seen[inc])
		}
	}
	closeInfo(t, in)
}
