package pcbinfo

import (
	"runtime"
	"testing"
)

// A guard is a lock, or a hold of one, and what must wait for it.
type guard struct {
	name          string
	hold, release func()
	changes       []string
}

// changes are what may change p's connection, or the table. The listener on port 80 is there, and in "slowtimo" the
// connection's 2MSL is over.
var changes = map[string]func(c CPU, p *peer) error{
	"data":     func(c CPU, p *peer) error { c.Input([]*Segment{p.segment(ACK, 10)}); return nil },
	"fin":      func(c CPU, p *peer) error { c.Input([]*Segment{p.segment(FIN|ACK, 0)}); return nil },
	"rst":      func(c CPU, p *peer) error { c.Input([]*Segment{p.segment(RST, 0)}); return nil },
	"send":     func(c CPU, p *peer) error { return c.Send(&p.inc, 1) },
	"close":    func(c CPU, p *peer) error { return c.Close(&p.inc) },
	"abort":    func(c CPU, p *peer) error { return c.Abort(&p.inc) },
	"slowtimo": func(c CPU, p *peer) error { c.SlowTimo(1000); return nil },
	"listen":   func(c CPU, p *peer) error { return c.Listen(&ConnInfo{Lport: 81}) },
	"unlisten": func(c CPU, p *peer) error { return c.Close(&listen80) },
	"connect": func(c CPU, p *peer) error {
		inc := tuple(2)
		_, err := c.Connect(&inc)
		return err
	},
}

// testGuards lets each change run while its guard is held: nothing may be different before the guard is let go, and something must be
// afterwards. setup makes a fresh table with p's connection, its guards, and a look at what changes may change.
func testGuards(t *testing.T, setup func(t *testing.T, p *peer) (in Info, guards []guard, look func() any)) {
	_, guards, _ := setup(t, newPeer(tuple(1)))
	for i, g := range guards {
		for _, name := range g.changes {
			t.Run(g.name+"/"+name, func(t *testing.T) {
				p := newPeer(tuple(1))
				in, guards, look := setup(t, p)
				if name == "slowtimo" {
					timeWaitNow(t, in.CPU(0), p)
				}
				g := guards[i]
				g.hold()
				old := look()
				done := make(chan error, 1)
				go func() { done <- changes[name](in.CPU(1), p) }()
				for range 500 { // time enough for what does not wait
					runtime.Gosched()
				}
				if now := look(); now != old {
					t.Errorf("changed although the lock is held:\n\tfrom %+v\n\tto   %+v", old, now)
				}
				g.release()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if look() == old {
					t.Error("changed nothing")
				}
				closeInfo(t, in)
			})
		}
	}
}

// timeWaitNow brings p's connection into TIME-WAIT.
func timeWaitNow(t *testing.T, c CPU, p *peer) {
	t.Helper()
	if err := c.Close(&p.inc); err != nil {
		t.Fatal(err)
	}
	p.ack++
	input(t, c, p.segment(FIN|ACK, 0), GotFin)
}

// openBoth makes a table with a listener and p's connection.
func openBoth(t *testing.T, text string, p *peer) Info {
	t.Helper()
	in := newInfo(t, text, Config{CPUs: 2})
	if err := in.CPU(0).Listen(&listen80); err != nil {
		t.Fatal(err)
	}
	p.open(t, in.CPU(0))
	return in
}

var (
	inpChanges   = []string{"data", "fin", "rst", "send", "close", "abort", "slowtimo"}
	tableChanges = []string{"rst", "abort", "slowtimo", "listen", "unlisten", "connect"}
	allChanges   = append([]string{"data", "fin", "send", "close"}, tableChanges...)
)

// tableLook is what one table and one inpcb show.
type tableLook struct {
	gencnt uint64
	tp     Tcpcb
	flags  uint32
}

func TestGlobalGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard, func() any) {
		in := openBoth(t, "global", p).(*globalInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		return in, []guard{
			{"tcbinfo", walker.lock, walker.unlock, allChanges},
			{"inpcb", inp.wlock, inp.wunlock, inpChanges},
		}, func() any { return tableLook{in.tb.gencnt, inp.tp, inp.flags} }
	})
}

func TestRefcountGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard, func() any) {
		in := openBoth(t, "refcount", p).(*refcountInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		return in, []guard{
			{"tcbinfo", walker.lock, walker.unlock, allChanges},
			{"tcbinfo-shared", walker.rlock, walker.runlock, tableChanges},
			{"inpcb", inp.wlock, inp.wunlock, inpChanges},
		}, func() any { return tableLook{in.tb.gencnt, inp.tp, inp.flags} }
	})
}

func TestConnpGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard, func() any) {
		in := openBoth(t, "connp:groups=2", p).(*connpInfo)
		walker := &in.handles[2]
		hash := p.inc.hash(in.cfg.Seed)
		i := in.index(hash)
		inp := in.groups[i].tb.lookupExact(&p.inc, hash)
		return in, []guard{
			{"group", func() { walker.enter(hash) }, func() { walker.leave(i) }, append([]string{"listen", "unlisten"}, inpChanges...)},
			{"group-0", func() { in.groups[0].lock.Lock(&walker.nodes[0]) }, func() { walker.leave(0) }, []string{"listen", "unlisten"}},
			{"group-1", func() { in.groups[1].lock.Lock(&walker.nodes[1]) }, func() { walker.leave(1) }, []string{"listen", "unlisten"}},
		}, func() any { return tableLook{in.wild.gencnt + in.groups[i].tb.gencnt, inp.tp, inp.flags} }
	})
}

func TestSMRGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard, func() any) {
		in := openBoth(t, "smr", p).(*smrInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		type hashLook struct{ conn, other, lsn80, lsn81 *Inpcb }
		return in, []guard{
			{"inpcb", inp.wlock, inp.wunlock, inpChanges},
			{"hash", walker.lockHash, walker.unlockHash, tableChanges},
			{"list", walker.lockList, walker.unlockList, tableChanges},
			{"tw", func() { in.twLock.Lock(nil) }, func() { in.twLock.Unlock(nil) }, []string{"slowtimo"}},
		}, func() any { return in.tb.gencnt }
	})
}
