package pcbtest

import (
	"fmt"
	"math/rand/v2"
	"slices"

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

	stays  peer             // opened once, open to the end
	comes  pcbinfo.ConnInfo // accepted again and again
	goes   pcbinfo.ConnInfo // connected again and again, from the same port
	shares pcbinfo.ConnInfo // connected from an ephemeral port, towards a peer that all workers have
}

// Names of a Torture: workers own those with their number, and fight over everybody's.
const (
	everybody  = 99
	stayPort   = 1000
	comePort   = 1001
	goPort     = 1002
	sharesPort = 1003
	boundPort  = 7000 // local port of what goes, without a listener
)

func newWorker(a *arena, id int, seed uint64) *worker {
	w := &worker{arena: a, id: id, cpu: a.in.CPU(id), rng: rand.New(rand.NewPCG(seed, uint64(id)))}
	name := func(owner, family int, fport, lport uint16) pcbinfo.ConnInfo {
		n := newNames(owner)
		return pcbinfo.ConnInfo{Laddr: n.local[family], Faddr: n.foreign[family], Fport: fport, Lport: lport}
	}
	family := id % 2
	w.stays = peer{inc: name(id, family, stayPort, sharedPort)}
	w.comes = name(id, family, comePort, sharedPort)
	w.goes = name(id, family, goPort, boundPort)
	w.shares = name(everybody, 0, sharesPort, 0)
	w.fight = &history{rng: w.rng, names: newNames(everybody, ownPort, firstPort), at: w.guess, tick: -1}
	return w
}

// guess is where a connection may stand that others are using too.
func (w *worker) guess(inc *pcbinfo.ConnInfo) position {
	first := pick(w.rng, irs[:]...)
	iss := pcbinfo.ISN(inc, first)
	return position{
		state:  pick(w.rng, pcbinfo.Closed, pcbinfo.Listen, pcbinfo.SynSent, pcbinfo.Established, pcbinfo.TimeWait),
		rcvNxt: first + pick[uint32](w.rng, 1, 1, 2), una: iss + 1, sndNxt: iss + pick[uint32](w.rng, 1, 1, 2),
	}
}

// step does one thing of each kind that is certain, and some that are not.
func (w *worker) step() error {
	if err := w.stays.data(w, pcbinfo.GotData); err != nil {
		return err
	}
	switch w.rng.IntN(8) {
	case 0:
		return w.passive()
	case 1:
		return w.active()
	case 2:
		return w.ephemeral()
	case 3, 4:
		return w.disturb()
	case 5:
		return w.hub()
	}
	if w.id == 0 {
		w.tick++
		w.cpu.SlowTimo(w.tick / 16)
	}
	o := w.fight.next()
	o.do(w.cpu)
	w.sent += uint64(len(o.segs))
	return nil
}

// passive accepts a connection, which others' late handshake ACKs may complete first, and ends it in one of two ways.
func (w *worker) passive() error {
	p := peer{inc: w.comes}
	if err := p.open(w); err != nil {
		return err
	}
	if err := p.data(w, pcbinfo.GotData); err != nil {
		return err
	}
	if w.rng.IntN(2) == 0 {
		if err := w.cpu.Abort(&p.inc); err != nil {
			return fmt.Errorf("abort %v: %w", p.inc, err)
		}
	} else if err := p.close(w); err != nil {
		return err
	}
	return p.data(w, pcbinfo.DropListen)
}

// active connects from a port that is given, and aborts.
func (w *worker) active() error {
	p := peer{inc: w.goes}
	if err := p.connect(w); err != nil {
		return err
	}
	if err := w.cpu.Abort(&p.inc); err != nil {
		return fmt.Errorf("abort %v: %w", p.inc, err)
	}
	return p.data(w, pcbinfo.DropNoPCB)
}

// ephemeral connects towards the peer that all workers share. The port must be nobody else's from here until Abort is called.
func (w *worker) ephemeral() error {
	p := peer{inc: w.shares}
	err := p.connect(w)
	if err == pcbinfo.ErrNoPort {
		return nil
	}
	if err != nil {
		return err
	}
	owner := &w.arena.owners[p.inc.Lport-firstPort]
	if !owner.CompareAndSwap(0, int32(w.id+1)) {
		return fmt.Errorf("connect %v: worker %d has this port", p.inc, owner.Load()-1)
	}
	if err := p.data(w, pcbinfo.GotData); err != nil {
		return err
	}
	owner.Store(0)
	if err := w.cpu.Abort(&p.inc); err != nil {
		return fmt.Errorf("abort %v: %w", p.inc, err)
	}
	return nil
}

// disturb sends another worker's connections what changes nothing, so that they are looked up, locked and referenced while they come
// and go.
func (w *worker) disturb() error {
	other := w.arena.workers[w.rng.IntN(len(w.arena.workers))]
	var segs []*pcbinfo.Segment
	for _, inc := range []pcbinfo.ConnInfo{other.comes, other.goes, other.stays.inc, other.comes} {
		p := peer{inc: inc}
		segs = append(segs, p.segment(pcbinfo.ACK))
	}
	w.cpu.Input(segs)
	w.sent += uint64(len(segs))
	w.cpu.Send(&other.goes, 1) // found or not
	return nil
}

// hub uses a connection that is open throughout and that all workers send to.
func (w *worker) hub() error {
	p := w.arena.hub
	if err := w.cpu.Send(&p.inc, 1); err != nil {
		return fmt.Errorf("send to %v, which is open: %w", p.inc, err)
	}
	w.arena.hubSent.Add(1)
	return w.expect(p.segment(pcbinfo.ACK), pcbinfo.GotAck)
}

// expect sends seg, which must come to one of these ends.
func (w *worker) expect(seg *pcbinfo.Segment, want ...pcbinfo.Outcome) error {
	before := w.cpu.Stats().Outcomes
	w.cpu.Input([]*pcbinfo.Segment{seg})
	w.sent++
	var got []pcbinfo.Outcome
	for o, n := range w.cpu.Stats().Outcomes {
		if n != before[o] {
			got = append(got, pcbinfo.Outcome(o))
		}
	}
	if len(got) != 1 || !slices.Contains(want, got[0]) {
		return fmt.Errorf("%v: outcome %v, want one of %v", &op{segs: []*pcbinfo.Segment{seg}}, got, want)
	}
	return nil
}
