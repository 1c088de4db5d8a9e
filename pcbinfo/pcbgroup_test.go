package pcbinfo

import (
	"strings"
	"testing"

	"pcbbench/locks/oracle"
)

// newPcbgroupTest makes a table of two groups with a listener and a connection in the second of them; walker is a handle for the test's own use.
func newPcbgroupTest(t *testing.T, options string) (in *pcbgroupInfo, walker *pcbgroupCPU, p *peer, inp *Inpcb) {
	in = newInfo(t, "pcbgroup:groups=2"+options, Config{CPUs: 2}).(*pcbgroupInfo)
	if err := in.CPU(0).Listen(&listen80); err != nil {
		t.Fatal(err)
	}
	p = newPeer(in.tupleOf(1, 0))
	p.open(t, in.CPU(0))
	return in, &in.handles[2], p, in.tb.lookup(&p.inc)
}

// tupleOf is a connection of tests in that group, past the first few.
func (in *pcbgroupInfo) tupleOf(group, few int) ConnInfo {
	for i := 1; ; i++ {
		if inc := tuple(i); in.index(inc.hash(in.cfg.Seed)) != group {
			continue
		} else if few--; few < 0 {
			return inc
		}
	}
}

// TestPcbgroupLostRace (H5) ends the connection for whose lock a segment waits: reported as none, though a listener is there. With lost=retry that
// is found.
func TestPcbgroupLostRace(t *testing.T) {
	for options, want := range map[string]Outcome{"": DropListen, ":lost=none": DropNoPCB, ":lost=retry": DropListen} {
		t.Run(options, func(t *testing.T) {
			in, walker, p, inp := newPcbgroupTest(t, options)
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

// TestPcbgroupReadPath sends on an open connection while others hold tcbinfo, hashLock and the other group: it needs none of them.
func TestPcbgroupReadPath(t *testing.T) {
	in, walker, p, _ := newPcbgroupTest(t, "")
	walker.lock()
	walker.lockHash()
	other := in.tupleOf(0, 0)
	_, i := walker.enter(other.hash(in.cfg.Seed))
	input(t, in.CPU(0), p.segment(ACK, 10), GotData)
	if err := in.CPU(0).Send(&p.inc, 10); err != nil {
		t.Error(err)
	}
	walker.leave(i)
	walker.unlockHash()
	walker.unlock()
	closeInfo(t, in)
}

// TestPcbgroupGoneAtReacquire (H4) ends a connection that is closing while a segment for it has let go of it and waits for tcbinfo.
func TestPcbgroupGoneAtReacquire(t *testing.T) {
	for range 100 { // the segment may have its reference and not yet the lock: then it is found gone before
		if pcbgroupGone(t) {
			return
		}
	}
	t.Error("never re-acquired")
}

func pcbgroupGone(t *testing.T) (reacquired bool) {
	in, walker, p, inp := newPcbgroupTest(t, "")
	input(t, in.CPU(0), p.segment(FIN|ACK, 0), GotFin)
	walker.lock()
	done := make(chan Outcome)
	go func() { done <- outcome(in.CPU(0), p.segment(ACK, 0)) }()
	await(func() bool { return inp.refs.Load() == 2 && inp.lock.TryLock(nil) })
	walker.close(inp)
	walker.unlock()
	if out := <-done; out != DropListen {
		t.Errorf("outcome %v: want the listener's", out)
	}
	n, m := counter(t, in, "reacquired"), counter(t, in, "gone")
	if n != m || n > 1 {
		t.Errorf("re-acquired %d times, gone %d times", n, m)
	}
	closeInfo(t, in)
	return n == 1
}

// TestPcbgroupChild (H8) lets the first of two handshake ACKs through when the second has found the listener and has no tcbinfo yet, whether it gets
// that by a try or has to wait.
func TestPcbgroupChild(t *testing.T) {
	for _, waits := range []bool{false, true} {
		in, walker, _, _ := newPcbgroupTest(t, "")
		p := newPeer(in.tupleOf(0, 0))
		input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
		lsn := in.tb.lookupListener(Addr{}, 80)
		seg := p.segment(ACK, 0)
		lsn.wlock()
		done := make(chan Outcome)
		go func() { done <- outcome(in.CPU(0), seg) }()
		await(func() bool { return lsn.refs.Load() == 2 })
		child := walker.listen(&in.sc, seg)
		child.wlock()
		walker.lock()
		walker.insert(child)
		if waits {
			lsn.wunlock()
			await(func() bool { return lsn.refs.Load() == 2 && lsn.lock.TryLock(nil) })
		}
		walker.process(child, seg)
		walker.unlock()
		child.wunlock()
		lsn.wunlock()
		if out := <-done; out != GotAck {
			t.Errorf("outcome %v of the second, which waits for tcbinfo: %v", out, waits)
		}
		if n := counter(t, in, "gone"); n != 1 {
			t.Errorf("gone %d times", n)
		}
		closeInfo(t, in)
	}
}

// TestPcbgroupMigration (H10, H11) goes through a connect step by step. Who asks for another connection on its local port while it is bound waits for
// it and then gets his own answer, as does who asks for it; while it is in no group the answer is as before the connect.
func TestPcbgroupMigration(t *testing.T) {
	in, walker, _, _ := newPcbgroupTest(t, "")
	ours, stranger := newPeer(in.tupleOf(0, 0)), newPeer(in.tupleOf(1, 1))
	answers := make(chan Outcome, 2)
	walker.lock()
	inp := walker.allocConnect(&ours.inc)
	inp.wlock()
	walker.lockHash()
	in.tb.insertHash(inp)
	walker.bind(inp)
	for cpu, p := range []*peer{ours, stranger} {
		go func() { answers <- outcome(in.CPU(cpu), p.segment(ACK, 10)) }()
	}
	await(func() bool { return inp.refs.Load() == 3 }) // both have found it
	walker.enterAll()
	in.wild.removeWild(inp)
	walker.leaveAll()
	for _, p := range []*peer{ours, stranger} { // nowhere
		if found := walker.lookup(&p.inc); found == nil || found.tp.state != Listen {
			t.Errorf("for %v in between: %v", p.inc, found)
		} else {
			found.rele()
		}
	}
	walker.enterGroup(inp)
	walker.unlockHash()
	in.tb.insertList(inp)
	walker.unlock()
	if len(answers) != 0 {
		t.Error("an answer while the inpcb is locked")
	}
	inp.wunlock()
	got := []Outcome{<-answers, <-answers}
	if got[0] == DropListen {
		got[0], got[1] = got[1], got[0]
	}
	if got[0] != DropAck || got[1] != DropListen {
		t.Errorf("outcomes %v, want that of a connection in SYN-SENT and the listener's", got)
	}
	if n := counter(t, in, "bound"); n != 1 {
		t.Errorf("found bound and another's %d times, want 1", n)
	}
	closeInfo(t, in)
}

// TestPcbgroupBoundIsNoListener closes and opens listeners by the name of what is bound in order to connect.
func TestPcbgroupBoundIsNoListener(t *testing.T) {
	in, walker, _, _ := newPcbgroupTest(t, "")
	inc := in.tupleOf(0, 0)
	inp := walker.allocConnect(&inc)
	inp.wlock()
	walker.bind(inp)
	name := ConnInfo{Laddr: inc.Laddr, Lport: inc.Lport}
	for what, err := range map[string]error{"send": in.CPU(0).Send(&name, 1), "close": in.CPU(0).Close(&name), "abort": in.CPU(0).Abort(&name)} {
		if err != ErrNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	walker.enterAll()
	in.wild.removeWild(inp)
	walker.leaveAll()
	inp.wunlock()
	walker.free(inp)
	closeInfo(t, in)
}

// TestPcbgroupListener (H12) stops a new listener half-way through the groups' locks: nobody may see it before it has them all.
func TestPcbgroupListener(t *testing.T) {
	in, walker, p, _ := newPcbgroupTest(t, "")
	late := ConnInfo{Lport: 81}
	seg := newPeer(p.inc).segment(ACK, 0)
	for seg.Inc.Lport = 81; in.index(seg.Inc.hash(in.cfg.Seed)) != 1; seg.Inc.Fport++ {
	}
	_, i := walker.enter(seg.Inc.hash(in.cfg.Seed))
	done := make(chan error)
	go func() { done <- in.CPU(0).Listen(&late) }()
	giveWay() // it takes the first group's lock and waits for the second's
	if inp := in.wild.lookupWild(seg.Inc.Laddr, 81); inp != nil {
		t.Error("a listener was there before its Listen had all locks")
	}
	walker.leave(i)
	if err := <-done; err != nil {
		t.Error(err)
	}
	input(t, in.CPU(1), seg, DropListen)
	closeInfo(t, in)
}

// TestPcbgroupGroups checks that there are as many as CPUs unless the option says otherwise, that connections use all, and that each finds its own again.
func TestPcbgroupGroups(t *testing.T) {
	const groups, conns = 8, 1000
	if in := newInfo(t, "pcbgroup:groups=3", Config{CPUs: 2, Groups: 7}).(*pcbgroupInfo); len(in.groups) != 3 {
		t.Errorf("groups=3 made %d groups", len(in.groups))
	}
	in := newInfo(t, "pcbgroup", Config{CPUs: groups}).(*pcbgroupInfo)
	if len(in.groups) != groups {
		t.Fatalf("%d groups for %d CPUs", len(in.groups), groups)
	}
	for i := range conns {
		inc := tuple(i)
		if _, err := in.CPU(0).Connect(&inc); err != nil {
			t.Fatal(err)
		}
	}
	for i := range in.groups {
		left := conns
		in.groups[i].hash.each(&left, func(int, *Inpcb) {})
		if n := conns - left; n < conns/groups/2 || n > 2*conns/groups {
			t.Errorf("group %d has %d of %d connections", i, n, conns)
		}
	}
	if n := counter(t, in, "migrations"); n != conns {
		t.Errorf("%d migrations for %d connects", n, conns)
	}
	for i := range conns {
		inc := tuple(i)
		if err := in.CPU(0).Abort(&inc); err != nil {
			t.Fatal(err)
		}
	}
	closeInfo(t, in)
}

// TestPcbgroupWalk (H16) ends the connection that a walk would come to next, and makes a new one, while it is at another.
func TestPcbgroupWalk(t *testing.T) {
	in, _, _, _ := newPcbgroupTest(t, "")
	testWalk(t, in)
}

// TestPcbgroupAuditFindsFaults breaks one link of a group at a time.
func TestPcbgroupAuditFindsFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(in *pcbgroupInfo, inp *Inpcb)
		want  string
	}{
		{"nothing", func(in *pcbgroupInfo, inp *Inpcb) {}, ""},
		{"ungrouped", func(in *pcbgroupInfo, inp *Inpcb) { in.groups[1].hash.remove(inp) }, "in no group"},
		{"another group", func(in *pcbgroupInfo, inp *Inpcb) {
			in.groups[1].hash.remove(inp)
			in.groups[0].hash.insert(inp)
		}, "group 0, which is not its own"},
		{"another bucket", func(in *pcbgroupInfo, inp *Inpcb) {
			in.groups[1].hash.remove(inp)
			in.groups[1].hash.link(&in.groups[1].hash.base[(inp.hash+1)&in.groups[1].hash.mask].head, inp)
		}, "which is not its own"},
		{"circle", func(in *pcbgroupInfo, inp *Inpcb) { inp.groupNext.Store(inp) }, "circle"},
		{"still bound", func(in *pcbgroupInfo, inp *Inpcb) {
			in.groups[1].hash.remove(inp)
			in.wild.insertWild(inp)
		}, "of the listeners, which is not its own"},
		{"not in the table", func(in *pcbgroupInfo, inp *Inpcb) { in.tb.removeHash(inp) }, "not in the table"},
		{"listener gone", func(in *pcbgroupInfo, inp *Inpcb) { in.wild.removeWild(in.tb.lookupListener(Addr{}, 80)) }, "in no group"},
		{"listener hidden", func(in *pcbgroupInfo, inp *Inpcb) {
			lsn := in.tb.lookupListener(Addr{}, 80)
			in.wild.removeWild(lsn)
			in.wild.link(&in.wild.base[80&in.wild.mask].head, lsn)
		}, "behind one that hides it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, _, p, inp := newPcbgroupTest(t, "")
			if err := in.CPU(0).Listen(&ConnInfo{Laddr: p.inc.Laddr, Lport: 80}); err != nil {
				t.Fatal(err)
			}
			c.fault(in, inp)
			err := in.audit()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) || oracle.Of(err) != oracle.Structure {
				t.Errorf("audit says %v, want %q", err, c.want)
			} else if in.Close() == nil {
				t.Error("Close says nothing")
			}
		})
	}
}

func TestPcbgroupGuards(t *testing.T) {
	type groupLook struct{ conn, other, lsn80, lsn81 *Inpcb }
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "pcbgroup:groups=2", p).(*pcbgroupInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		look := func() any { return inpLook{in.tb.gencnt, inp.tp, inp.flags} }
		other := tuple(2)
		wild := func() any { return [2]*Inpcb{in.wild.lookupListener(Addr{}, 80), in.wild.lookupListener(Addr{}, 81)} }
		guards := []guard{
			{"tcbinfo", walker.lock, walker.unlock, append([]string{"fin", "close"}, tableChanges...), look},
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, look},
			{"hash", walker.lockHash, walker.unlockHash, tableChanges, func() any {
				return groupLook{in.tb.lookupExact(&p.inc, inp.hash), in.tb.lookupExact(&other, in.tb.hash(&other)),
					in.tb.lookupListener(Addr{}, 80), in.tb.lookupListener(Addr{}, 81)}
			}},
			{"group", func() { walker.enter(inp.hash) }, func() { walker.leave(in.index(inp.hash)) }, []string{"rst", "abort", "slowtimo"},
				func() any { return in.groups[in.index(inp.hash)].hash.lookupExact(&p.inc, inp.hash) }},
		}
		for i, name := range []string{"group-0", "group-1"} {
			guards = append(guards, guard{name, func() { in.groups[i].lock.Lock(&walker.nodes[i]) }, func() { walker.leave(i) },
				[]string{"listen", "unlisten"}, wild})
		}
		return in, guards
	})
}
