package pcbinfo

import "testing"

// newThreelockTest makes a table with a listener and one connection; walker is a handle for the test's own use.
func newThreelockTest(t *testing.T, text string) (in *threelockInfo, walker *threelockCPU, p *peer, inp *Inpcb) {
	p = newPeer(tuple(1))
	in = openBoth(t, text, p).(*threelockInfo)
	return in, &in.handles[2], p, in.tb.lookup(&p.inc)
}

// TestThreelockLostRace (H5) ends the connection for which a FIN waits, which holds tcbinfo: that does not keep it in the table.
func TestThreelockLostRace(t *testing.T) {
	for text, want := range map[string]Outcome{"threelock": DropListen, "threelock:lost=none": DropNoPCB, "threelock:lost=retry": DropListen} {
		t.Run(text, func(t *testing.T) {
			in, walker, p, inp := newThreelockTest(t, text)
			inp.wlock()
			done := make(chan Outcome)
			go func() { done <- outcome(in.CPU(0), p.segment(FIN|ACK, 0)) }()
			await(func() bool { return inp.refs.Load() == 2 })
			walker.rlock()
			walker.close(inp)
			walker.runlock()
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

// TestThreelockSharesTable holds tcbinfo shared: whatever opens and closes goes on, but for nobody a walk.
func TestThreelockSharesTable(t *testing.T) {
	in, walker, p, _ := newThreelockTest(t, "threelock")
	c := in.CPU(0)
	walker.rlock()
	for name, change := range changes {
		if name == "abort" || name == "rst" {
			continue // the connection is there for the others
		}
		if err := change(c, p); err != nil && err != ErrPipe {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Abort(&p.inc); err != nil {
		t.Error(err)
	}
	walker.runlock()
	closeInfo(t, in)
}

// TestThreelockSynNeedsNoTable holds tcbinfo as a walk does: SYNs for a listener and what neither opens nor closes go on.
func TestThreelockSynNeedsNoTable(t *testing.T) {
	in, walker, p, _ := newThreelockTest(t, "threelock")
	walker.lock()
	input(t, in.CPU(0), newPeer(tuple(2)).segment(SYN, 0), GotSyn)
	input(t, in.CPU(0), p.segment(ACK, 10), GotData)
	if err := in.CPU(1).Send(&p.inc, 1); err != nil {
		t.Error(err)
	}
	walker.unlock()
	closeInfo(t, in)
}

// TestThreelockCopiesAtListener (H8, H9) completes a handshake, through the listener, while a copy of one of its segments, or a RST for it, waits
// for the listener: that is the connection's then.
func TestThreelockCopiesAtListener(t *testing.T) {
	for _, c := range []struct {
		flags uint8
		want  Outcome
	}{{SYN, DropSyn}, {ACK, GotAck}, {RST, GotRst}} {
		t.Run(FlagString(c.flags), func(t *testing.T) {
			in, walker, _, _ := newThreelockTest(t, "threelock")
			lsn := in.tb.lookupListener(Addr{}, 80)
			p := newPeer(tuple(2))
			syn := p.segment(SYN, 0)
			input(t, in.CPU(0), syn, GotSyn)
			ack := p.segment(ACK, 0)
			seg := *ack
			if seg.Flags = c.flags; c.flags == SYN {
				seg = *syn
				seg.Seq += 10 // in the window, so that a challenge is the answer
			}
			lsn.wlock()
			done := make(chan Outcome)
			go func() { done <- outcome(in.CPU(0), &seg) }()
			await(func() bool { return lsn.refs.Load() == 2 })
			walker.rlock()
			walker.inputListen(lsn, ack, true)
			if out := <-done; out != c.want {
				t.Errorf("outcome %v, want %v", out, c.want)
			}
			if n := walker.stats.Outcomes[GotAccept]; n != 1 {
				t.Errorf("%d accepted", n)
			}
			if n := in.sc.len(); n != 0 {
				t.Errorf("%d half-open connections left", n)
			}
			closeInfo(t, in)
		})
	}
}

// TestThreelockScanWaits (H17, H18) holds tcbinfo as a walk does when 2MSL is over: the scan ends the connection all the same, unless another did.
func TestThreelockScanWaits(t *testing.T) {
	for _, gone := range []bool{false, true} {
		in, walker, p, inp := newThreelockTest(t, "threelock")
		timeWaitNow(t, in.CPU(0), p)
		walker.lock()
		done := make(chan bool)
		go func() {
			defer close(done)
			in.CPU(1).SlowTimo(1000)
		}()
		await(func() bool { return inp.refs.Load() == 2 })
		giveWay()
		if gone {
			inp.wlock()
			walker.close(inp)
		}
		walker.unlock()
		<-done
		if n := in.Stats().Expired; (n == 0) != gone || in.Len() != 1 {
			t.Errorf("gone %v: %d expired, %d inpcbs left", gone, n, in.Len())
		}
		closeInfo(t, in)
	}
}

// TestThreelockWalk (H16) ends the connection that a walk would come to next, and makes a new one, while it is at another.
func TestThreelockWalk(t *testing.T) {
	in, _, _, _ := newThreelockTest(t, "threelock")
	testWalk(t, in)
}

func TestThreelockGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "threelock", p).(*threelockInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		look := func() any { return inpLook{in.tb.gencnt, inp.tp, inp.flags} }
		list := func() any { return in.tb.gencnt }
		hash := func() any { return lookAtHash(&in.tb, inp, &p.inc) }
		return in, []guard{
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, look},
			{"tcbinfo", walker.lock, walker.unlock, setupChanges, look},
			{"list", walker.lockList, walker.unlockList, tableChanges, list},
			{"tw", func() { in.twLock.Lock(nil) }, func() { in.twLock.Unlock(nil) }, []string{"slowtimo"}, list},
			{"hash", walker.lockHash, walker.unlockHash, allChanges, hash},
			{"hash-shared", walker.rlockHash, walker.runlockHash, tableChanges, hash},
		}
	})
}
