package pcbinfo

import "testing"

// A guard is a lock, or a way to hold it, what must wait for it, and a look at what it guards.
type guard struct {
	name          string
	hold, release func()
	changes       []string
	look          func() any
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
// afterwards. setup makes the guards of a fresh table with p's connection.
func testGuards(t *testing.T, setup func(t *testing.T, p *peer) (Info, []guard)) {
	_, guards := setup(t, newPeer(tuple(1)))
	for i, g := range guards {
		for _, name := range g.changes {
			t.Run(g.name+"/"+name, func(t *testing.T) {
				p := newPeer(tuple(1))
				in, guards := setup(t, p)
				if name == "slowtimo" {
					timeWaitNow(t, in.CPU(0), p)
				}
				g := guards[i]
				g.hold()
				old := g.look()
				done := make(chan error, 1)
				go func() { done <- changes[name](in.CPU(1), p) }()
				giveWay()
				if now := g.look(); now != old {
					t.Errorf("changed although the lock is held:\n\tfrom %+v\n\tto   %+v", old, now)
				}
				g.release()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if g.look() == old {
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

// An inpLook is what one inpcb, and the list it is on, show.
type inpLook struct {
	gencnt uint64
	tp     Tcpcb
	flags  uint32
}

func TestGlobalGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "global", p).(*globalInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		look := func() any { return inpLook{in.tb.gencnt, inp.tp, inp.flags} }
		return in, []guard{
			{"tcbinfo", walker.lock, walker.unlock, allChanges, look},
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, look},
		}
	})
}

func TestRefcountGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "refcount", p).(*refcountInfo)
		inp, walker := in.tb.lookup(&p.inc), &in.handles[2]
		look := func() any { return inpLook{in.tb.gencnt, inp.tp, inp.flags} }
		return in, []guard{
			{"tcbinfo", walker.lock, walker.unlock, allChanges, look},
			{"tcbinfo-shared", walker.rlock, walker.runlock, tableChanges, look},
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, look},
		}
	})
}

func TestConnpGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "connp:groups=2", p).(*connpInfo)
		walker := &in.handles[2]
		hash := p.inc.hash(in.cfg.Seed)
		ours := in.index(hash)
		inp := in.groups[ours].tb.lookupExact(&p.inc, hash)
		guards := []guard{{
			"group", func() { walker.enter(hash) }, func() { walker.leave(ours) }, inpChanges,
			func() any { return inpLook{in.groups[ours].tb.gencnt, inp.tp, inp.flags} },
		}}
		for i, name := range []string{"group-0", "group-1"} {
			guards = append(guards, guard{
				name, func() { in.groups[i].lock.Lock(&walker.nodes[i]) }, func() { walker.leave(i) }, []string{"listen", "unlisten"},
				func() any { return in.wild.gencnt },
			})
		}
		return in, guards
	})
}

func TestSMRGuards(t *testing.T) {
	type hashLook struct{ conn, other, lsn80, lsn81 *Inpcb }
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "smr", p).(*smrInfo)
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
