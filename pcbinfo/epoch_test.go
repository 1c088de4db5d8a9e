package pcbinfo

import "testing"

// newEpochTest makes a table with a listener and one connection; walker is a handle for the test's own use.
func newEpochTest(t *testing.T, options string) (in *epochInfo, walker *epochCPU, p *peer, inp *Inpcb) {
	in = newInfo(t, "epoch"+options, Config{CPUs: 2}).(*epochInfo)
	if err := in.CPU(0).Listen(&listen80); err != nil {
		t.Fatal(err)
	}
	p = newPeer(tuple(1))
	p.open(t, in.CPU(0))
	return in, &in.handles[2], p, in.tb.lookup(&p.inc)
}

// TestEpochLostRace (H1, H5) ends the connection for whose lock a segment waits, outside of its section: reported as none, though a listener is there. With
// lost=retry, and without a word, that is found.
func TestEpochLostRace(t *testing.T) {
	for options, want := range map[string]Outcome{"": DropListen, ":lost=none": DropNoPCB, ":lost=retry": DropListen, ":smr=gc:lost=none": DropNoPCB} {
		t.Run(options, func(t *testing.T) {
			in, walker, p, inp := newEpochTest(t, options)
			inp.wlock()
			done := make(chan Outcome)
			go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
			await(func() bool { return inp.refs.Load() == 2 })
			goal := in.dom.Advance()
			await(func() bool { return !in.dom.Recycles() || in.dom.Poll(goal) }) // no section stays open while the lock is waited for
			walker.close(inp)
			if out := <-done; out != want {
				t.Errorf("outcome %v, want %v", out, want)
			}
			for name, want := range map[string]uint64{"waited": 1, "lost-race": 1} {
				if n := counter(t, in, name); n != want {
					t.Errorf("%s: %d, want %d", name, n, want)
				}
			}
			closeInfo(t, in)
		})
	}
}

// TestEpochGoneBeforeLock (H1) ends the connection between lookup and try: the lock is free then, and must be refused all the same.
func TestEpochGoneBeforeLock(t *testing.T) {
	in, walker, p, inp := newEpochTest(t, "")
	walker.enter()
	if !walker.lockInp(inp, false) {
		t.Fatal("a living inpcb was refused")
	}
	inp.wunlock()
	if err := in.CPU(1).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	if walker.lockInp(inp, false) {
		t.Error("an inpcb that is gone was locked")
	}
	if !inp.lock.TryLock(nil) {
		t.Fatal("the refused inpcb's lock is still held")
	}
	inp.wunlock()
	walker.exit()
	closeInfo(t, in)
}

// TestEpochHandshakeAckAgain (H8) holds the first of two handshake ACKs up between the syncache and the table.
func TestEpochHandshakeAckAgain(t *testing.T) {
	in, walker, _, _ := newEpochTest(t, "")
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

// TestEpochReader (H13, H14) stands on an inpcb in a section while it and hundreds more go: it stays as it was, with its way on, until the section is
// over; then the memory comes back for others.
func TestEpochReader(t *testing.T) {
	in, walker, p, inp := newEpochTest(t, "")
	next, gen := inp.hashNext.Load(), inp.gen
	walker.enter()
	if err := in.CPU(1).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	for i := range 4 * magSize {
		q := newPeer(tuple(100 + i))
		q.open(t, in.CPU(1))
		if err := in.CPU(1).Abort(&q.inc); err != nil {
			t.Fatal(err)
		}
	}
	if inp.inc != p.inc || inp.hashNext.Load() != next || inp.gen != gen || inp.refIfAlive() {
		t.Errorf("under a reader the inpcb became %v, generation %d, next %p, %d references", inp.inc, inp.gen, inp.hashNext.Load(), inp.refs.Load())
	}
	if z := in.Zone(); z.Reclaimed != 0 {
		t.Errorf("%d inpcbs came back under a reader", z.Reclaimed)
	}
	walker.exit()
	in.zone.reclaim(&in.zone.cpus[1])
	if z := in.Zone(); z.Reclaimed == 0 || inp.inc == p.inc {
		t.Errorf("after the reader %d inpcbs came back, and the one it stood on is %v", z.Reclaimed, inp.inc)
	}
	closeInfo(t, in)
}

// TestEpochWalk (H16) ends the connection that a walk would come to next, and makes a new one, while it is at another: others go on though it has
// a reference on everything.
func TestEpochWalk(t *testing.T) {
	in, _, _, _ := newEpochTest(t, "")
	testWalk(t, in)
}

// TestEpochWalkEnds ends a walk at its first inpcb: all references come back, and to the grace period what went meanwhile.
func TestEpochWalkEnds(t *testing.T) {
	in, _, p, inp := newEpochTest(t, "")
	n := 0
	in.Walk(func(*Xinpcb) bool {
		n++
		done := make(chan error)
		go func() { done <- in.CPU(1).Abort(&p.inc) }()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if inp.refs.Load() != 1 || in.Zone().Frees != 0 {
			t.Errorf("%d references, %d freed while the walk has one", inp.refs.Load(), in.Zone().Frees)
		}
		return false
	})
	if n != 1 || in.Zone().Frees != 1 || in.Zone().Retired != 1 {
		t.Errorf("%d met; then %d freed, %d retired", n, in.Zone().Frees, in.Zone().Retired)
	}
	closeInfo(t, in)
}

func TestEpochGuards(t *testing.T) {
	type hashLook struct{ conn, other, lsn80, lsn81 *Inpcb }
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "epoch", p).(*epochInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		other := tuple(2)
		list := func() any { return in.tb.gencnt }
		return in, []guard{
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, func() any { return inpLook{in.tb.gencnt, inp.tp, inp.flags} }},
			{"list", walker.lockList, walker.unlockList, tableChanges, list},
			{"tw", func() { in.twLock.Lock(nil) }, func() { in.twLock.Unlock(nil) }, []string{"slowtimo"}, list},
			{"hash", walker.lockHash, walker.unlockHash, tableChanges, func() any {
				return hashLook{in.tb.lookupExact(&p.inc, inp.hash), in.tb.lookupExact(&other, in.tb.hash(&other)),
					in.tb.lookupListener(Addr{}, 80), in.tb.lookupListener(Addr{}, 81)}
			}},
		}
	})
}
