package pcbtest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// A worker is one CPU of a Torture.
type worker struct {
	arena *arena
	id    int
	cpu   pcbinfo.CPU
	rng   *rand.Rand
	fight *history // on what all workers use
	tick  uint32
	sent  uint64 // segments

	stays    peer             // opened once, open to the end
	asked    []uint64         // by worker: bytes that we, as a user, have sent on its stays
	hubSent  uint64           // and on the hub
	streamed uint64           // segments that the stream took from us
	flooded  int              // SYNs from everywhere
	comes    owned            // accepted again and again
	goes     owned            // connected again and again, from the same port
	listens  owned            // a listener that comes and goes
	shares   pcbinfo.ConnInfo // connected from an ephemeral port, towards a peer that all workers have
	waits    pcbinfo.ConnInfo // accepted, and closed by us first; the first of waitPorts
	lives    uint32           // of those, so far
	left     [waitPorts]departure
	contests [contests][contestNames]tally
}

// An owned name is one worker's to open and close, and everybody's to ask for.
type owned struct {
	phase
	inc pcbinfo.ConnInfo
}

// A departure is when the last life of one of waits entered TIME-WAIT.
type departure struct {
	gone  bool
	fin   *pcbinfo.Segment // the peer's, which it may send again
	until uint32           // the tick by which it has expired
}

// Names of a Torture: workers own those with their number, and fight over everybody's.
const (
	everybody    = maxWorkers
	stayPort     = 1000
	comePort     = 1001
	goPort       = 1002
	sharesPort   = 1003
	contestPort  = 1010
	boundPort    = 7000 // local port of what goes, without a listener
	waitPort     = 2000
	waitPorts    = 2    // so few that the next life comes about when 2MSL ends
	listenPort   = 3000 // and the worker's number
	disputedPort = 4000 // a listener that everybody opens and closes
	stepsPerTick = 8    // of worker 0
)

func newWorker(a *arena, id int, seed uint64) *worker {
	w := &worker{arena: a, id: id, cpu: a.in.CPU(id), rng: rand.New(rand.NewPCG(seed, uint64(id))), asked: make([]uint64, maxWorkers)}
	name := func(owner, family int, fport, lport uint16) pcbinfo.ConnInfo {
		n := newNames(owner)
		return pcbinfo.ConnInfo{Laddr: n.local[family], Faddr: n.foreign[family], Fport: fport, Lport: lport}
	}
	family := id % 2
	w.stays = peer{inc: name(id, family, stayPort, sharedPort), irs: peerIRS}
	w.comes.inc = name(id, family, comePort, sharedPort)
	w.goes.inc = name(id, family, goPort, boundPort)
	w.listens.inc = pcbinfo.ConnInfo{Lport: listenPort + uint16(id)}
	if id%4 < 2 {
		w.listens.inc.Laddr = name(id, family, 0, 0).Laddr
	}
	w.shares = name(everybody, 0, sharesPort, 0)
	w.waits = name(id, family, waitPort, sharedPort)
	w.fight = &history{rng: w.rng, names: newNames(everybody, ownPort, firstPort), at: w.guess, tick: -1}
	return w
}

// owns are the names that others ask for.
func (w *worker) owns() []*owned { return []*owned{&w.comes, &w.goes, &w.listens} }

// guess is where a connection may stand that others are using too.
func (w *worker) guess(inc *pcbinfo.ConnInfo) position {
	first := pick(w.rng, irs[:]...)
	iss := pcbinfo.ISN(inc, first)
	return position{
		state:  pick(w.rng, pcbinfo.Closed, pcbinfo.Listen, pcbinfo.SynSent, pcbinfo.Established, pcbinfo.TimeWait),
		rcvNxt: first + pick[uint32](w.rng, 1, 1, 2), una: iss + 1, sndNxt: iss + pick[uint32](w.rng, 1, 1, 2),
	}
}

func (w *worker) work(steps int) error {
	defer w.cpu.Idle()
	for step := 0; step < steps && !w.arena.crew.Failed(); step++ {
		if err := w.step(); err != nil {
			return fmt.Errorf("worker %d, step %d: %w", w.id, step, err)
		}
		w.arena.beat(w.id)
		if step%idleEvery == 0 {
			w.cpu.Idle()
		}
	}
	return nil
}

// idleEvery is after how many steps a worker that goes on says that it may not.
const idleEvery = 16

// step sends on the connection that stays open, and does one of the other things.
func (w *worker) step() error {
	if w.arena.prize >= 0 && w.rng.IntN(16) != 0 {
		if w.id == 0 {
			w.clock()
		}
		if w.arena.prize == contestWait && w.rng.IntN(2) == 0 {
			return w.waiting()
		}
		return w.take(w.arena.prize)
	}
	if err := w.stays.data(w, pcbinfo.GotData); err != nil {
		return err
	}
	if w.id == 0 {
		w.clock()
	}
	switch w.rng.IntN(20) {
	case 0:
		return w.passive()
	case 1:
		return w.active()
	case 2:
		return w.ephemeral()
	case 3:
		return w.lingering()
	case 17:
		return w.waiting()
	case 4:
		return w.listening()
	case 5, 6, 7, 8:
		return w.disturb()
	case 9:
		return w.hub()
	case 10:
		return w.stream()
	case 11, 12, 13, 14, 15, 16:
		return w.contend()
	}
	if w.arena.flood && w.rng.IntN(2) == 0 {
		return w.floodSyns()
	}
	o := w.fight.next()
	o.do(w.cpu)
	w.sent += uint64(len(o.segs))
	return nil
}

func (w *worker) clock() {
	w.tick++
	now := w.tick / stepsPerTick
	if w.arena.prize == contestWait {
		now = w.tick // so that TIME-WAITs expire among those who end them otherwise
	}
	w.arena.ticking.Store(now)
	w.cpu.SlowTimo(now)
	w.arena.ticked.Store(now)
}

// outcome sends seg and returns what became of it. An outcome that was not counted, or counted twice, is no outcome.
func (w *worker) outcome(seg *pcbinfo.Segment) (pcbinfo.Outcome, error) {
	before := w.cpu.Stats().Outcomes
	w.cpu.Input([]*pcbinfo.Segment{seg})
	w.sent++
	var out pcbinfo.Outcome
	n := uint64(0)
	for o, now := range w.cpu.Stats().Outcomes {
		if now != before[o] {
			out, n = pcbinfo.Outcome(o), n+now-before[o]
		}
	}
	if n != 1 {
		return out, oracle.Violated(oracle.Conservation, "%v: %d outcomes", &op{segs: []*pcbinfo.Segment{seg}}, n)
	}
	return out, nil
}

// nobody are the outcomes of a segment that no connection took.
var nobody = []pcbinfo.Outcome{pcbinfo.DropNoPCB, pcbinfo.DropListen}

// expect sends seg, which must come to one of these ends.
func (w *worker) expect(seg *pcbinfo.Segment, want ...pcbinfo.Outcome) error {
	got, err := w.outcome(seg)
	if err != nil || slices.Contains(want, got) {
		return err
	}
	name := oracle.Order
	if slices.Contains(nobody, got) {
		name = oracle.Found
	} else if slices.Contains(nobody, want[0]) {
		name = oracle.Gone
	}
	return oracle.Violated(name, "%v: outcome %v, want one of %v", &op{segs: []*pcbinfo.Segment{seg}}, got, want)
}

// answered checks a user's request that cannot fail.
func answered(what string, inc *pcbinfo.ConnInfo, err error) error {
	if err != nil {
		return oracle.Violated(oracle.Found, "%s %v: %w", what, inc, err)
	}
	return nil
}
