package pcbinfo

import "testing"

// newHashlockTest makes a table with a listener and one connection; walker is a handle for the test's own use.
func newHashlockTest(t *testing.T, text string) (in *hashlockInfo, walker *hashlockCPU, p *peer, inp *Inpcb) {
	p = newPeer(tuple(1))
	in = openBoth(t, text, p).(*hashlockInfo)
	return in, &in.handles[2], p, in.tb.lookup(&p.inc)
}

// TestHashlockLostRace (H5) ends the connection for which a segment waits: it is told that nobody is there, though the listener is. With
// lost=retry it is the listener's.
func TestHashlockLostRace(t *testing.T) {
	for text, want := range map[string]Outcome{"hashlock": DropListen, "hashlock:lost=none": DropNoPCB, "hashlock:lost=retry": DropListen} {
		t.Run(text, func(t *testing.T) {
			in, walker, p, inp := newHashlockTest(t, text)
			inp.wlock()
			done := make(chan Outcome)
			go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
			await(func() bool { return inp.refs.Load() == 2 })
			walker.lock()
			walker.close(inp)
			walker.unlock()
			if out := <-done; out != want {
				t.Errorf("outcome %v, want %v", out, want)
			}
			if n := counter(t, in, "lost-race"); n != 1 {
				t.Errorf("%d races lost, want 1", n)
			}
			closeInfo(t, in)
		})
	}
}

// TestHashlockTwoWait (H2) ends the connection for which two wait: the first to give its reference back has not the last one, and finds it gone
// all the same.
func TestHashlockTwoWait(t *testing.T) {
	in, walker, p, inp := newHashlockTest(t, "hashlock:lost=none")
	inp.wlock()
	seg, sent := make(chan Outcome), make(chan error)
	go func() { seg <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
	go func() { sent <- in.CPU(1).Send(&p.inc, 1) }()
	await(func() bool { return inp.refs.Load() == 3 })
	walker.lock()
	walker.close(inp)
	walker.unlock()
	if out, err := <-seg, <-sent; out != DropNoPCB || err != ErrNotFound {
		t.Errorf("outcome %v, send: %v", out, err)
	}
	if n := in.Zone().Frees; n != 1 {
		t.Errorf("%d freed", n)
	}
	closeInfo(t, in)
}

// TestHashlockOpenNeedsNoTable holds tcbinfo: what neither opens nor closes goes on.
func TestHashlockOpenNeedsNoTable(t *testing.T) {
	in, walker, p, _ := newHashlockTest(t, "hashlock")
	walker.lock()
	input(t, in.CPU(0), p.segment(ACK, 10), GotData)
	input(t, in.CPU(1), newPeer(ConnInfo{Lport: 81, Fport: 1}).segment(ACK, 0), DropNoPCB)
	if err := in.CPU(1).Send(&p.inc, 1); err != nil {
		t.Error(err)
	}
	walker.unlock()
	closeInfo(t, in)
}

// TestHashlockGoneAtTable (H4) ends a closing connection whose segment waits for tcbinfo, or still for the inpcb: which of the two is not certain.
func TestHashlockGoneAtTable(t *testing.T) {
	in, walker, p, inp := newHashlockTest(t, "hashlock:lost=retry")
	if err := in.CPU(1).Close(&p.inc); err != nil {
		t.Fatal(err)
	}
	walker.lock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
	await(func() bool { return inp.refs.Load() == 2 })
	giveWay()
	inp.wlock()
	walker.close(inp)
	walker.unlock()
	if out := <-done; out != DropListen {
		t.Errorf("outcome %v: want the listener's", out)
	}
	if n, m := counter(t, in, "gone"), counter(t, in, "lost-race"); n+m != 1 {
		t.Errorf("gone %d times, races lost %d times", n, m)
	}
	closeInfo(t, in)
}

// TestHashlockHandshakeAckAgain (H8) lets the first of two handshake ACKs through while the second, which found the listener, waits for tcbinfo.
func TestHashlockHandshakeAckAgain(t *testing.T) {
	in, walker, _, _ := newHashlockTest(t, "hashlock")
	p := newPeer(tuple(2))
	input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
	lsn := in.tb.lookupListener(Addr{}, 80)
	seg := p.segment(ACK, 0)
	walker.lock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), seg) }()
	await(func() bool { return lsn.refs.Load() == 2 })
	walker.input(seg, true)
	if out := <-done; out != GotAck {
		t.Errorf("outcome %v of the second", out)
	}
	if n := walker.stats.Outcomes[GotAccept]; n != 1 {
		t.Errorf("%d accepted by the first", n)
	}
	closeInfo(t, in)
}

// TestHashlockTupleTwice (H9) connects a half-open four-tuple while its handshake's ACK waits for tcbinfo: the ACK is the connection's, and the
// half-open one stays what it was.
func TestHashlockTupleTwice(t *testing.T) {
	in, walker, _, _ := newHashlockTest(t, "hashlock")
	p := newPeer(tuple(2))
	input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
	lsn := in.tb.lookupListener(Addr{}, 80)
	seg := p.segment(ACK, 0)
	walker.lock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), seg) }()
	await(func() bool { return lsn.refs.Load() == 2 })
	other := walker.allocConnect(&p.inc)
	in.tb.insertList(other)
	walker.lockHash()
	in.tb.insertHash(other)
	walker.unlockHash()
	walker.unlock()
	if out := <-done; out != DropAck {
		t.Errorf("outcome %v: want the connection's", out)
	}
	if err := in.CPU(1).Abort(&p.inc); err != nil {
		t.Error(err)
	}
	input(t, in.CPU(1), seg, GotAccept)
	closeInfo(t, in)
}

// TestHashlockWholeNames (H10) walks while two Connects are on their way into the hash, one of which will be refused: the walk waits, and shows
// neither the one without a port nor the refused one.
func TestHashlockWholeNames(t *testing.T) {
	in, _, p, inp := newHashlockTest(t, "hashlock")
	other := &in.handles[2]
	other.lockHash()
	connects, walked := make(chan error), make(chan map[ConnInfo]int)
	for i, inc := range []ConnInfo{p.inc, {Laddr: p.inc.Laddr, Faddr: p.inc.Faddr, Fport: 443}} {
		go func() {
			_, err := in.CPU(i).Connect(&inc)
			connects <- err
		}()
		old := inp
		await(func() bool { // until it is in the list
			in.tcbinfo.RLock(&other.node)
			defer in.tcbinfo.RUnlock(&other.node)
			return in.tb.list.Load() != old
		})
		inp = in.tb.list.Load()
	}
	go func() {
		seen := map[ConnInfo]int{}
		in.Walk(func(x *Xinpcb) bool {
			seen[x.Inc]++
			return true
		})
		walked <- seen
	}()
	giveWay()
	other.unlockHash()
	if a, b := <-connects, <-connects; (a == nil) == (b == nil) {
		t.Errorf("connects: %v, %v", a, b)
	}
	seen := <-walked
	if n := len(seen); n != 3 || seen[p.inc] != 1 || seen[listen80] != 1 {
		t.Errorf("the walk met %v", seen)
	}
	for inc := range seen {
		if inc.Lport == 0 {
			t.Errorf("the walk met %v", inc)
		}
	}
	closeInfo(t, in)
}

// TestHashlockWalk (H16) ends the connection that a walk would come to next, and makes a new one, while it is at another.
func TestHashlockWalk(t *testing.T) {
	in, _, _, _ := newHashlockTest(t, "hashlock")
	testWalk(t, in)
}

// A hashLook is what stands in the hash of what the changes change, and the connection.
type hashLook struct {
	conn, other, lsn80, lsn81 *Inpcb
	tp                        Tcpcb
}

func lookAtHash(tb *table, inp *Inpcb, inc *ConnInfo) hashLook {
	other := tuple(2)
	return hashLook{tb.lookupExact(inc, tb.hash(inc)), tb.lookupExact(&other, tb.hash(&other)), tb.lookupListener(Addr{}, 80), tb.lookupListener(Addr{}, 81), inp.tp}
}

func TestHashlockGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "hashlock", p).(*hashlockInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		look := func() any { return inpLook{in.tb.gencnt, inp.tp, inp.flags} }
		hash := func() any { return lookAtHash(&in.tb, inp, &p.inc) }
		return in, []guard{
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, look},
			{"tcbinfo", walker.lock, walker.unlock, setupChanges, look},
			{"tcbinfo-shared", walker.rlock, walker.runlock, setupChanges, look},
			{"hash", walker.lockHash, walker.unlockHash, allChanges, hash},
			{"hash-shared", walker.rlockHash, walker.runlockHash, tableChanges, hash},
		}
	})
}
