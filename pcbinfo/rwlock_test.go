package pcbinfo

import "testing"

// newRWLockTest makes a table with a listener and one connection; walker is a handle for the test's own use.
func newRWLockTest(t *testing.T) (in *rwlockInfo, walker *rwlockCPU, p *peer, inp *Inpcb) {
	p = newPeer(tuple(1))
	in = openBoth(t, "rwlock", p).(*rwlockInfo)
	return in, &in.handles[2], p, in.tb.lookup(&p.inc)
}

// TestRWLockInpcbUnderTable holds a segment up at its inpcb: it keeps tcbinfo shared meanwhile, unlike refcount's, and takes no reference.
func TestRWLockInpcbUnderTable(t *testing.T) {
	in, walker, p, inp := newRWLockTest(t)
	inp.wlock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
	await(func() bool {
		if !in.tcbinfo.TryLock(&walker.node) {
			return true
		}
		walker.unlock()
		return false
	})
	if n := inp.refs.Load(); n != 1 {
		t.Errorf("%d references", n)
	}
	inp.wunlock()
	if out := <-done; out != GotData {
		t.Errorf("outcome %v", out)
	}
	closeInfo(t, in)
}

// TestRWLockModes counts in which mode each kind of segment has tcbinfo: SYN, FIN and RST ask for no upgrade.
func TestRWLockModes(t *testing.T) {
	in, _, p, _ := newRWLockTest(t)
	for i, c := range []struct {
		seg            *Segment
		want           Outcome
		read, upgraded uint64
	}{
		{p.segment(ACK, 10), GotData, 1, 0},
		{p.segment(FIN|ACK, 0), GotFin, 0, 0},
		{p.segment(ACK, 0), GotAck, 0, 1}, // in CLOSE-WAIT
		{p.segment(SYN, 0), DropSyn, 0, 0},
		{&Segment{Inc: p.inc, Seq: p.seq - 1, Flags: RST}, GotRst, 0, 0},
	} {
		read, upgraded := counter(t, in, "read-locked"), counter(t, in, "upgraded")
		input(t, in.CPU(0), c.seg, c.want)
		if n, m := counter(t, in, "read-locked")-read, counter(t, in, "upgraded")-upgraded; n != c.read || m != c.upgraded {
			t.Errorf("segment %d, %s: shared was enough %d times, upgraded %d times", i, FlagString(c.seg.Flags), n, m)
		}
	}
	closeInfo(t, in)
}

// heldUp sends seg to inp while tcbinfo cannot be upgraded, and returns when walker has it instead, and the segment waits with a reference on
// inp. It must not wait for the upgrade (H6).
func (in *rwlockInfo) heldUp(seg *Segment, inp *Inpcb) (walker *rwlockCPU, done chan Outcome) {
	walker, done = &in.handles[2], make(chan Outcome)
	walker.rlock()
	go func() { done <- outcome(in.CPU(0), seg) }()
	await(func() bool { return inp.refs.Load() == 2 })
	await(func() bool { return in.tcbinfo.TryUpgrade(&walker.node) })
	return walker, done
}

// TestRWLockGoneAtUpgrade (H1, H4) ends the connection while a segment that could not upgrade waits for tcbinfo.
func TestRWLockGoneAtUpgrade(t *testing.T) {
	in, _, p, inp := newRWLockTest(t)
	if err := in.CPU(1).Close(&p.inc); err != nil {
		t.Fatal(err)
	}
	walker, done := in.heldUp(p.segment(ACK, 10), inp)
	inp.wlock()
	walker.close(inp)
	walker.unlock()
	if out := <-done; out != DropListen {
		t.Errorf("outcome %v: want the listener's", out)
	}
	if n, m := counter(t, in, "upgrade-failed"), counter(t, in, "gone"); n != 1 || m != 1 {
		t.Errorf("%d upgrades failed, gone %d times", n, m)
	}
	closeInfo(t, in)
}

// TestRWLockRelocked (H4) brings the connection into TIME-WAIT meanwhile: the segment looks at the state again.
func TestRWLockRelocked(t *testing.T) {
	in, _, p, inp := newRWLockTest(t)
	if err := in.CPU(1).Close(&p.inc); err != nil {
		t.Fatal(err)
	}
	p.ack++
	fin := *p.segment(FIN|ACK, 0)
	p.seq--
	walker, done := in.heldUp(p.segment(ACK, 10), inp)
	walker.input(&fin, true)
	if out := <-done; out != DropOld || inp.tp.state != TimeWait {
		t.Errorf("outcome %v in %v: want text behind the FIN", out, inp.tp.state)
	}
	if n := counter(t, in, "relocked"); n != 1 {
		t.Errorf("relocked %d times", n)
	}
	closeInfo(t, in)
}

// TestRWLockChildAtUpgrade (H8) lets the first of two handshake ACKs through while the second waits with a reference on the listener.
func TestRWLockChildAtUpgrade(t *testing.T) {
	in, _, _, _ := newRWLockTest(t)
	p := newPeer(tuple(2))
	input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
	seg := p.segment(ACK, 0)
	walker, done := in.heldUp(seg, in.tb.lookupListener(Addr{}, 80))
	walker.input(seg, true)
	if out := <-done; out != GotAck {
		t.Errorf("outcome %v of the second", out)
	}
	if n := walker.stats.Outcomes[GotAccept]; n != 1 {
		t.Errorf("%d accepted by the first", n)
	}
	closeInfo(t, in)
}

// TestRWLockWalk (H16) ends the connection that a walk would come to next, and makes a new one, while it is at another.
func TestRWLockWalk(t *testing.T) {
	in, _, _, _ := newRWLockTest(t)
	testWalk(t, in)
}

func TestRWLockGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "rwlock", p).(*rwlockInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		look := func() any { return inpLook{in.tb.gencnt, inp.tp, inp.flags} }
		return in, []guard{
			{"tcbinfo", walker.lock, walker.unlock, allChanges, look},
			{"tcbinfo-shared", walker.rlock, walker.runlock, setupChanges, look},
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, look},
		}
	})
}

// setupChanges are what may set up or tear down, by its name or by its flags.
var setupChanges = append([]string{"fin", "close"}, tableChanges...)
