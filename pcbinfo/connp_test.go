package pcbinfo

import "testing"

// newConnpTest makes a table of two groups; p is a connection to be in the first of them, q one in the second.
func newConnpTest(t *testing.T) (in *connpInfo, p, q *peer) {
	in = newInfo(t, "connp:groups=2", Config{CPUs: 2}).(*connpInfo)
	for i := 0; p == nil || q == nil; i++ {
		if inc := tuple(i); in.index(inc.hash(in.cfg.Seed)) == 0 {
			p = newPeer(inc)
		} else {
			q = newPeer(inc)
		}
	}
	return in, p, q
}

// TestConnpListener (H12) stops a new listener half-way through the groups' locks: nobody may see it before it has them all.
func TestConnpListener(t *testing.T) {
	in, _, q := newConnpTest(t)
	walker := &in.handles[2]
	g, i := walker.enter(q.inc.hash(in.cfg.Seed))
	done := make(chan error)
	go func() { done <- in.CPU(0).Listen(&listen80) }()
	giveWay() // it takes the first group's lock and waits for the second's
	walker.input(g, q.segment(SYN, 0), q.inc.hash(in.cfg.Seed))
	if n := walker.stats.Outcomes[DropNoPCB]; n != 1 {
		t.Errorf("outcomes %v: a listener was there before its Listen had all locks", walker.stats.Outcomes)
	}
	walker.leave(i)
	if err := <-done; err != nil {
		t.Error(err)
	}
	q = newPeer(q.inc)
	q.open(t, in.CPU(1))
	closeInfo(t, in)
}

// TestConnpWalk (H16) inserts into the second group while a walk is in the first.
func TestConnpWalk(t *testing.T) {
	in, p, q := newConnpTest(t)
	inc := p.inc
	if _, err := in.CPU(0).Connect(&inc); err != nil {
		t.Fatal(err)
	}
	n := 0
	in.Walk(func(x *Xinpcb) bool {
		if n++; n > 1 {
			t.Errorf("the walk met %v, which came later", x.Inc)
			return true
		}
		done := make(chan error)
		go func() {
			inc := q.inc
			_, err := in.CPU(1).Connect(&inc)
			done <- err
		}()
		if err := <-done; err != nil {
			t.Error(err)
		}
		return true
	})
	if n != 1 || in.Len() != 2 {
		t.Errorf("the walk met %d, the table holds %d", n, in.Len())
	}
	closeInfo(t, in)
}

// TestConnpGroups checks that connections use all groups and that each finds its own again.
func TestConnpGroups(t *testing.T) {
	const groups, conns = 16, 1000
	in := newInfo(t, "connp:groups=16", Config{CPUs: 1}).(*connpInfo)
	for i := range conns {
		inc := tuple(i)
		if _, err := in.CPU(0).Connect(&inc); err != nil {
			t.Fatal(err)
		}
	}
	for i := range in.groups {
		if n := in.groups[i].tb.count; n < conns/groups/2 || n > 2*conns/groups {
			t.Errorf("group %d has %d of %d connections", i, n, conns)
		}
	}
	for i := range conns {
		inc := tuple(i)
		if err := in.CPU(0).Abort(&inc); err != nil {
			t.Fatal(err)
		}
	}
	closeInfo(t, in)
}
