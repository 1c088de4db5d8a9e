package pcbinfo

import "testing"

// newSMRTest makes a table with a listener and one connection; walker is a handle for the test's own use.
func newSMRTest(t *testing.T) (in *smrInfo, walker *smrCPU, p *peer, inp *Inpcb) {
	return newSMRVariant(t, "smr")
}

func newSMRVariant(t *testing.T, text string) (in *smrInfo, walker *smrCPU, p *peer, inp *Inpcb) {
	in = newInfo(t, text, Config{CPUs: 2}).(*smrInfo)
	if err := in.CPU(0).Listen(&listen80); err != nil {
		t.Fatal(err)
	}
	p = newPeer(tuple(1))
	p.open(t, in.CPU(0))
	return in, &in.handles[2], p, in.tb.lookup(&p.inc)
}

// TestSMRGoneAtLock (H1) ends the connection while a segment has left its section and waits for the inpcb's lock.
func TestSMRGoneAtLock(t *testing.T) {
	in, walker, p, inp := newSMRTest(t)
	inp.wlock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
	await(func() bool { return inp.refs.Load() == 2 })
	walker.close(inp)
	if out := <-done; out != DropListen {
		t.Errorf("outcome %v: want the listener's", out)
	}
	for name, want := range map[string]uint64{"waited": 1, "slow": 1, "lost-race": 0} {
		if n := counter(t, in, name); n != want {
			t.Errorf("%s: %d, want %d", name, n, want)
		}
	}
	closeInfo(t, in)
}

// TestSMRGoneBeforeLock (H1) ends the connection between lookup and try: the lock is free then, and must be refused all the same.
func TestSMRGoneBeforeLock(t *testing.T) {
	in, walker, p, inp := newSMRTest(t)
	for _, shared := range []bool{false, true} {
		walker.enter()
		if !walker.lockInp(inp, shared) {
			t.Fatal("a living inpcb was refused")
		}
		inp.release(shared)
	}
	if err := in.CPU(1).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	for _, shared := range []bool{false, true} {
		walker.enter()
		if walker.lockInp(inp, shared) {
			t.Error("an inpcb that is gone was locked")
		}
		if !inp.lock.TryLock(nil) {
			t.Fatal("the refused inpcb's lock is still held")
		}
		inp.wunlock()
	}
	walker.exit()
	closeInfo(t, in)
}

// TestSMRLostRace (H5) ends first the connection and then the listener that the second look found: the documented deviation, none is
// reported though others may have come meanwhile. With lost=retry they are found.
func TestSMRLostRace(t *testing.T) {
	for text, want := range map[string]Outcome{"smr": DropNoPCB, "smr:lost=none": DropNoPCB, "smr:lost=retry": DropListen} {
		t.Run(text, func(t *testing.T) { testSMRLostRace(t, text, want) })
	}
}

func testSMRLostRace(t *testing.T, text string, want Outcome) {
	in, walker, p, inp := newSMRVariant(t, text)
	lsn := in.tb.lookupListener(Addr{}, 80)
	inp.wlock()
	lsn.wlock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
	await(func() bool { return inp.refs.Load() == 2 })
	walker.close(inp)
	await(func() bool { return lsn.refs.Load() == 2 })
	if err := in.CPU(1).Listen(&ConnInfo{Lport: 80, Laddr: p.inc.Laddr}); err != nil { // would have an answer
		t.Fatal(err)
	}
	walker.close(lsn)
	if out := <-done; out != want {
		t.Errorf("outcome %v, want %v", out, want)
	}
	if n := counter(t, in, "lost-race"); n != 1 {
		t.Errorf("%d races lost, want 1", n)
	}
	closeInfo(t, in)
}

// TestSMRHandshakeAckAgain (H8) holds the first of two handshake ACKs up between the syncache and the table.
func TestSMRHandshakeAckAgain(t *testing.T) {
	in, walker, _, _ := newSMRTest(t)
	lsn := in.tb.lookupListener(Addr{}, 80)
	p := newPeer(tuple(2))
	input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
	seg := p.segment(ACK, 0)
	walker.lockHash()
	first, second := make(chan Outcome), make(chan Outcome, 1)
	go func() { first <- outcome(in.CPU(0), seg) }()
	await(func() bool { // until the entry is taken out
		b := in.sc.enter(&p.inc)
		defer in.sc.leave(b)
		return b.n == 0
	})
	go func() { second <- outcome(in.CPU(1), seg) }()
	await(func() bool { return lsn.refs.Load() == 2 || len(second) == 1 }) // it waits for the listener, or is through
	walker.unlockHash()
	if a, b := <-first, <-second; a != GotAccept || b != GotAck {
		t.Errorf("outcomes %v and %v", a, b)
	}
	closeInfo(t, in)
}

// TestSMRTupleTwice (H9) puts the four-tuple into the table while a handshake's child waits for hashLock.
func TestSMRTupleTwice(t *testing.T) {
	in, walker, _, _ := newSMRTest(t)
	p := newPeer(tuple(2))
	input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
	walker.lockHash()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(ACK, 0)) }()
	await(func() bool {
		b := in.sc.enter(&p.inc)
		defer in.sc.leave(b)
		return b.n == 0
	})
	other := walker.allocConnect(&p.inc)
	in.tb.insertHash(other)
	walker.unlockHash()
	walker.insertList(other)
	if out := <-done; out != DropListen {
		t.Errorf("outcome %v: want a refusal", out)
	}
	if inp := in.tb.lookup(&p.inc); inp != other || in.Len() != 3 {
		t.Errorf("the table has %v of %d", inp.inc, in.Len())
	}
	closeInfo(t, in)
}

// TestSMRReader (H13, H14) stands on an inpcb in a section while it and hundreds more go: it stays as it was, with its way on, until the
// section is over; then the memory comes back for others.
func TestSMRReader(t *testing.T) {
	in, walker, p, inp := newSMRTest(t)
	next := inp.hashNext.Load()
	gen := inp.gen
	churn := func() {
		for i := range 4 * magSize {
			q := newPeer(tuple(100 + i))
			q.open(t, in.CPU(1))
			if err := in.CPU(1).Abort(&q.inc); err != nil {
				t.Fatal(err)
			}
		}
	}
	walker.enter()
	if err := in.CPU(1).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	churn()
	if inp.inc != p.inc || inp.hashNext.Load() != next || inp.gen != gen {
		t.Errorf("under a reader the inpcb became %v, generation %d, next %p", inp.inc, inp.gen, inp.hashNext.Load())
	}
	if z := in.Zone(); z.Reclaimed != 0 {
		t.Errorf("%d inpcbs came back under a reader", z.Reclaimed)
	}
	if inp.refIfAlive() {
		t.Error("a reader got a reference on a dead inpcb")
	}
	walker.exit()
	in.zone.reclaim(&in.zone.cpus[1])
	if z := in.Zone(); z.Reclaimed == 0 || inp.inc == p.inc {
		t.Errorf("after the reader %d inpcbs came back, and the one it stood on is %v", z.Reclaimed, inp.inc)
	}
	closeInfo(t, in)
	if z := in.Zone(); z.Retired != 0 {
		t.Errorf("%d inpcbs still wait after Close", z.Retired)
	}
}

// TestSMRUpgrade sends a SYN to a connection that somebody else holds shared.
func TestSMRUpgrade(t *testing.T) {
	in, _, p, inp := newSMRTest(t)
	inp.rlock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(SYN, 0)) }()
	await(func() bool { return inp.refs.Load() == 2 })
	inp.runlock()
	if out := <-done; out != DropSyn {
		t.Errorf("outcome %v", out)
	}
	if n := counter(t, in, "upgrade-failed"); n != 1 {
		t.Errorf("%d upgrades failed, want 1", n)
	}
	closeInfo(t, in)
}

// TestSMRWalk (H16) ends the connection that a walk would come to next, and makes a new one, while it is at another.
func TestSMRWalk(t *testing.T) {
	in, _, _, _ := newSMRTest(t)
	testWalk(t, in)
}

// TestSMRWalkWaits ends the connection for whose lock a walk is waiting, after another has come: the walk begins anew, with those that
// were there in the beginning.
func TestSMRWalkWaits(t *testing.T) {
	in, _, p, inp := newSMRTest(t)
	inp.wlock()
	done := make(chan map[ConnInfo]int)
	go func() {
		seen := map[ConnInfo]int{}
		in.Walk(func(x *Xinpcb) bool {
			seen[x.Inc]++
			return true
		})
		done <- seen
	}()
	await(func() bool { return inp.refs.Load() == 2 })
	late := tuple(2)
	if _, err := in.CPU(1).Connect(&late); err != nil {
		t.Fatal(err)
	}
	in.handles[1].close(inp)
	if seen := <-done; seen[p.inc] != 0 || seen[late] != 0 || seen[listen80] != 1 {
		t.Errorf("the walk met %v", seen)
	}
	closeInfo(t, in)
}

// TestSMRTimeWait (H17) lets the clock wait for an inpcb in TIME-WAIT whose 2MSL is over, and meanwhile begins 2MSL anew, or ends the
// connection.
func TestSMRTimeWait(t *testing.T) {
	for _, c := range []struct {
		name      string
		meanwhile func(in *smrInfo, walker *smrCPU, inp *Inpcb)
		left      int
	}{
		{"nothing", func(_ *smrInfo, _ *smrCPU, inp *Inpcb) { inp.wunlock() }, 1},
		{"restarted", func(in *smrInfo, walker *smrCPU, inp *Inpcb) {
			in.twLock.Lock(nil)
			in.tb.tw.restart(inp, 1000, 1)
			in.twLock.Unlock(nil)
			inp.wunlock()
		}, 2},
		{"gone", func(_ *smrInfo, walker *smrCPU, inp *Inpcb) { walker.close(inp) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, walker, p, inp := newSMRTest(t)
			if err := in.CPU(0).Close(&p.inc); err != nil {
				t.Fatal(err)
			}
			p.ack++
			input(t, in.CPU(0), p.segment(FIN|ACK, 0), GotFin)
			inp.wlock()
			done := make(chan bool)
			go func() {
				defer close(done)
				in.CPU(1).SlowTimo(1000)
			}()
			await(func() bool { return inp.refs.Load() == 2 })
			c.meanwhile(in, walker, inp)
			<-done
			if n := in.Len(); n != c.left {
				t.Errorf("%d inpcbs left, want %d", n, c.left)
			}
			if n := in.Stats().Expired; n > 1 || (n == 1) != (c.name == "nothing") {
				t.Errorf("%d expired", n)
			}
			closeInfo(t, in)
		})
	}
}
