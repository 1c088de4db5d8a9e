package pcbinfo

import "testing"

// newGvisorTest makes a table with a listener and one connection; walker is a handle for the test's own use.
func newGvisorTest(t *testing.T, cpus int) (in *gvisorInfo, walker *gvisorCPU, p *peer, inp *Inpcb) {
	in = newInfo(t, "gvisor", Config{CPUs: cpus}).(*gvisorInfo)
	if err := in.CPU(0).Listen(&listen80); err != nil {
		t.Fatal(err)
	}
	p = newPeer(tuple(1))
	p.open(t, in.CPU(0))
	return in, &in.handles[cpus], p, in.nm.exact(&p.inc)
}

func TestGvisorGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "gvisor", p).(*gvisorInfo)
		inp, walker := in.nm.exact(&p.inc), &in.handles[2]
		look := func() any { return inpLook{in.gen, inp.tp, inp.flags} }
		names := func() any { return [2]int{len(in.nm.m), int(in.gen)} }
		return in, []guard{
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, look},
			{"demux", walker.lock, walker.unlock, tableChanges, names},
			{"demux-lookup", walker.lock, walker.unlock, []string{"data", "fin", "send", "close"}, look},
			{"demux-shared", walker.rlock, walker.runlock, tableChanges, names},
			{"dispatcher", func() { in.disp.Lock(nil) }, func() { in.disp.Unlock(nil) }, []string{"data", "fin", "rst"}, look},
			{"ports", func() { in.ports.Lock(nil) }, func() { in.ports.Unlock(nil) }, []string{"listen", "unlisten"}, names},
		}
	})
}

// queued is how many segments wait on inp's queue.
func queued(inp *Inpcb) (n int) {
	inp.segs.mu.Lock(nil)
	defer inp.segs.mu.Unlock(nil)
	for q := inp.segs.head; q != nil; q = q.next {
		n++
	}
	return n
}

// TestGvisorBacklog has a user hold a connection while a batch comes for it and for another: the batch goes on past the one, the user works that off,
// and its CPU counts it.
func TestGvisorBacklog(t *testing.T) {
	in, walker, p, inp := newGvisorTest(t, 1)
	other := newPeer(tuple(2))
	other.open(t, in.CPU(0))
	inp.wlock()
	inp.ref()
	batch := []*Segment{p.segment(ACK, 10), other.segment(ACK, 20)}
	done := make(chan Stats)
	go func() {
		old := *in.CPU(0).Stats()
		in.CPU(0).Input(batch)
		done <- in.CPU(0).Stats().Since(old)
	}()
	second := in.nm.exact(&other.inc)
	await(func() bool {
		second.wlock()
		defer walker.unlockUser(second) // and works off what it kept from being delivered
		return second.tp.rcvd == 20
	})
	if n := queued(inp); n != 1 || inp.tp.rcvd != 0 {
		t.Errorf("%d segments queued, %d bytes delivered while a user has the connection", n, inp.tp.rcvd)
	}
	walker.leave(inp)
	if s := <-done; s.Outcomes[GotData] != 2 || s.Segments() != 2 {
		t.Errorf("the batch's own CPU counts %+v", s)
	}
	if walker.stats.Segments() != 0 {
		t.Error("the user counts what is another's")
	}
	if left, served := counter(t, in, "backlogged"), counter(t, in, "served"); left < 1 || served < left || served > 2 { // the look at the second may meet its segment, before or after that is left
		t.Errorf("%d backlogged, %d served", left, served)
	}
	for _, name := range []string{"gone", "stale"} {
		if n := counter(t, in, name); n != 0 {
			t.Errorf("%s: %d", name, n)
		}
	}
	closeInfo(t, in)
}

// TestGvisorOrder sends two pieces of text in a batch while a user has the connection: the second must not come first.
func TestGvisorOrder(t *testing.T) {
	in, walker, p, inp := newGvisorTest(t, 1)
	inp.wlock()
	inp.ref()
	batch := []*Segment{p.segment(ACK, 10), p.segment(ACK, 10), p.segment(ACK, 10)}
	done := make(chan struct{})
	go func() {
		in.CPU(0).Input(batch)
		close(done)
	}()
	await(func() bool { return queued(inp) == 1 })
	giveWay()
	if n := queued(inp); n != 1 {
		t.Errorf("%d segments of one connection are queued by one CPU, want 1", n)
	}
	walker.leave(inp)
	<-done
	if o := in.Stats().Outcomes; o[GotData] != 3 || o[DropOrder] != 0 {
		t.Errorf("outcomes %v", o)
	}
	closeInfo(t, in)
}

// TestGvisorGone (H1) ends the connection while a segment is on its queue: that goes to the listener.
func TestGvisorGone(t *testing.T) {
	in, walker, p, inp := newGvisorTest(t, 1)
	inp.wlock()
	inp.ref()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
	await(func() bool { return queued(inp) == 1 })
	walker.close(inp)
	walker.leave(inp)
	if out := <-done; out != DropListen {
		t.Errorf("outcome %v: want the listener's", out)
	}
	if n := counter(t, in, "gone"); n != 1 {
		t.Errorf("gone: %d, want 1", n)
	}
	closeInfo(t, in)
}

// TestGvisorShare has more SYNs wait for the listener than one holder works off: the rest is left to those who wait.
func TestGvisorShare(t *testing.T) {
	const cpus = gvisorWake/gvisorBacklog + 1
	in, walker, _, _ := newGvisorTest(t, cpus)
	lsn := in.nm.exact(&listen80)
	lsn.wlock()
	lsn.ref()
	done := make(chan struct{})
	for cpu := range cpus {
		var batch []*Segment
		for i := range gvisorBacklog {
			batch = append(batch, newPeer(tuple(100+cpu*gvisorBacklog+i)).segment(SYN, 0))
		}
		go func() {
			in.CPU(cpu).Input(batch)
			done <- struct{}{}
		}()
	}
	await(func() bool { return queued(lsn) == cpus*gvisorBacklog })
	walker.leave(lsn)
	for range cpus {
		<-done
	}
	if walker.served != gvisorWake {
		t.Errorf("one holder worked off %d segments, want %d", walker.served, gvisorWake)
	}
	if n := in.Stats().Outcomes[GotSyn]; n != 1+cpus*gvisorBacklog {
		t.Errorf("%d SYNs", n)
	}
	closeInfo(t, in)
}

// TestGvisorClosed sends to a table that is closed.
func TestGvisorClosed(t *testing.T) {
	in, _, p, _ := newGvisorTest(t, 1)
	closeInfo(t, in)
	input(t, in.CPU(0), p.segment(ACK, 10), DropNoPCB)
}
