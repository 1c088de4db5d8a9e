package pcbtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

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
	asked  atomic.Int64     // bytes that users, on all CPUs, have sent there
	comes  pcbinfo.ConnInfo // accepted again and again
	goes   pcbinfo.ConnInfo // connected again and again, from the same port
	shares pcbinfo.ConnInfo // connected from an ephemeral port, towards a peer that all workers have
	waits  pcbinfo.ConnInfo // accepted, and closed by us first; the first of waitPorts
	lives  uint32           // of those, so far
}

// Names of a Torture: workers own those with their number, and fight over everybody's.
const (
	everybody  = maxWorkers
	stayPort   = 1000
	comePort   = 1001
	goPort     = 1002
	sharesPort = 1003
	boundPort  = 7000 // local port of what goes, without a listener
	waitPort   = 2000
	waitPorts  = 16
)

func newWorker(a *arena, id int, seed uint64) *worker {
	w := &worker{arena: a, id: id, cpu: a.in.CPU(id), rng: rand.New(rand.NewPCG(seed, uint64(id)))}
	name := func(owner, family int, fport, lport uint16) pcbinfo.ConnInfo {
		n := newNames(owner)
		return pcbinfo.ConnInfo{Laddr: n.local[family], Faddr: n.foreign[family], Fport: fport, Lport: lport}
	}
	family := id % 2
	w.stays = peer{inc: name(id, family, stayPort, sharedPort), irs: peerIRS}
	w.comes = name(id, family, comePort, sharedPort)
	w.goes = name(id, family, goPort, boundPort)
	w.shares = name(everybody, 0, sharesPort, 0)
	w.waits = name(id, family, waitPort, sharedPort)
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

// step sends on the connection that stays open, and does one of the other things.
func (w *worker) step() error {
	if err := w.stays.data(w, pcbinfo.GotData); err != nil {
		return err
	}
	if w.id == 0 {
		w.tick++
		w.cpu.SlowTimo(w.tick / 16)
	}
	switch w.rng.IntN(10) {
	case 0:
		return w.passive()
	case 1:
		return w.active()
	case 2:
		return w.ephemeral()
	case 3:
		return w.lingering()
	case 4, 5:
		return w.disturb()
	case 6:
		return w.hub()
	}
	o := w.fight.next()
	o.do(w.cpu)
	w.sent += uint64(len(o.segs))
	return nil
}

// passive accepts a connection, which others' late handshake ACKs may complete first, and ends it in one of two ways.
func (w *worker) passive() error {
	p := peer{inc: w.comes, irs: peerIRS}
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
	p := peer{inc: w.goes, irs: peerIRS}
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
	p := peer{inc: w.shares, irs: peerIRS}
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

// lingering accepts a connection, closes first, and leaves it in TIME-WAIT, to the clock or to its next life.
func (w *worker) lingering() error {
	p := peer{inc: w.waits, irs: w.lives << 16}
	p.inc.Fport += uint16(w.lives % waitPorts)
	w.lives++
	if err := p.open(w); err != nil {
		return err
	}
	if err := w.cpu.Close(&p.inc); err != nil {
		return fmt.Errorf("close %v: %w", p.inc, err)
	}
	fin := p.segment(pcbinfo.FIN | pcbinfo.ACK)
	fin.Ack++
	return w.expect(fin, pcbinfo.GotFin)
}

// disturb sends another worker's connections what changes nothing, so that they are looked up, locked and referenced while they come
// and go.
func (w *worker) disturb() error {
	other := w.arena.workers[w.rng.IntN(len(w.arena.workers))]
	waits := other.waits
	waits.Fport += uint16(w.rng.IntN(waitPorts))
	var segs []*pcbinfo.Segment
	for _, inc := range []pcbinfo.ConnInfo{other.comes, other.goes, waits, other.stays.inc, other.comes} {
		p := peer{inc: inc, irs: peerIRS}
		segs = append(segs, p.segment(pcbinfo.ACK))
	}
	w.cpu.Input(segs)
	w.sent += uint64(len(segs))
	w.cpu.Send(&other.goes, 1) // found or not
	return w.send(&other.stays.inc, &other.asked)
}

// send lets our user send a byte on a connection that is open, and counts it.
func (w *worker) send(inc *pcbinfo.ConnInfo, asked *atomic.Int64) error {
	if err := w.cpu.Send(inc, 1); err != nil {
		return fmt.Errorf("send to %v, which is open: %w", inc, err)
	}
	asked.Add(1)
	return nil
}

// hub uses a connection that is open throughout and that all workers send to.
func (w *worker) hub() error {
	p := w.arena.hub
	if err := w.send(&p.inc, &w.arena.asked); err != nil {
		return err
	}
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
