package pcbtest

import (
	"slices"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// What a worker does with what others use too.

// disturb asks for another worker's things, by segment and as a user, while they come and go.
func (w *worker) disturb() error {
	other := w.arena.workers[w.rng.IntN(len(w.arena.workers))]
	waits := peer{inc: other.waits, irs: peerIRS}
	waits.inc.Fport += uint16(w.rng.IntN(waitPorts))
	stays := peer{inc: other.stays.inc, irs: peerIRS}
	batch := []*pcbinfo.Segment{waits.segment(pcbinfo.ACK), stays.segment(pcbinfo.ACK)}
	w.cpu.Input(batch)
	w.sent += uint64(len(batch))
	if err := answered("send to", &other.stays.inc, w.cpu.Send(&other.stays.inc, 1)); err != nil {
		return err
	}
	w.asked[other.id]++
	switch w.rng.IntN(4) {
	case 0:
		return w.ask(&other.comes, pcbinfo.DropListen)
	case 1:
		return w.ask(&other.goes, pcbinfo.DropNoPCB)
	case 2:
		return w.askUser(&other.goes)
	}
	return w.askListener(other)
}

// ask sends what changes nothing to a connection that others may be opening or closing; closed is the outcome where there is none.
func (w *worker) ask(o *owned, closed pcbinfo.Outcome) (err error) {
	p := peer{inc: o.inc, irs: peerIRS}
	var out pcbinfo.Outcome
	switch was := o.while(func() { out, err = w.outcome(p.segment(pcbinfo.ACK)) }); {
	case err != nil:
		return err
	case was == isOpen && slices.Contains(nobody, out):
		return oracle.Violated(oracle.Found, "%v is open, and a segment for it: %v", o.inc, out)
	case was == isClosed && out != closed:
		return oracle.Violated(oracle.Gone, "%v is closed, and a segment for it: %v, want %v", o.inc, out, closed)
	}
	return nil
}

func (w *worker) askUser(o *owned) error {
	var err error
	switch was := o.while(func() { err = w.cpu.Send(&o.inc, 1) }); {
	case was == isOpen && err != nil:
		return oracle.Violated(oracle.Found, "%v is open, and a user's send: %v", o.inc, err)
	case was == isClosed && err != pcbinfo.ErrNotFound:
		return oracle.Violated(oracle.Gone, "%v is closed, and a user's send: %v", o.inc, err)
	}
	return nil
}

// askListener knocks at another worker's listener from an address that nobody uses.
func (w *worker) askListener(other *worker) (err error) {
	l := &other.listens
	p := peer{inc: w.comes.inc, irs: w.rng.Uint32()}
	p.inc.Fport = goPort
	p.inc.Lport = l.inc.Lport
	if !l.inc.Laddr.IsAny() {
		p.inc.Laddr, p.inc.Faddr = l.inc.Laddr, other.comes.inc.Faddr
	}
	p.inc.Fport += uint16(w.id) << 8
	flags := pick[uint8](w.rng, pcbinfo.SYN, pcbinfo.ACK)
	var out pcbinfo.Outcome
	was := l.while(func() { out, err = w.outcome(p.segment(flags)) })
	found := out == pcbinfo.GotSyn || out == pcbinfo.GotSynDup
	if flags == pcbinfo.ACK {
		found = out == pcbinfo.DropListen
	}
	switch {
	case err != nil:
		return err
	case was == isOpen && !found:
		return oracle.Violated(oracle.Found, "a listener is at %v, and %s there: %v", l.inc, pcbinfo.FlagString(flags), out)
	case was == isClosed && out != pcbinfo.DropNoPCB:
		return oracle.Violated(oracle.Gone, "no listener is at %v, and %s there: %v", l.inc, pcbinfo.FlagString(flags), out)
	}
	return nil
}

// hub uses a connection that is open throughout and that all workers send to.
func (w *worker) hub() error {
	p := w.arena.hub
	if err := answered("send to", &p.inc, w.cpu.Send(&p.inc, 1)); err != nil {
		return err
	}
	w.hubSent++
	return w.expect(p.segment(pcbinfo.ACK), pcbinfo.GotAck)
}

// stream sends the next text on a connection on which all workers do; each piece must be taken from one of them.
func (w *worker) stream() error {
	p := w.arena.stream
	at := w.arena.at.Load()
	seg := p.segment(pcbinfo.ACK | pcbinfo.PSH)
	seg.Seq += uint32(at)
	seg.Len = peerLen
	out, err := w.outcome(seg)
	switch {
	case err != nil:
		return err
	case out == pcbinfo.GotData:
		w.streamed++
		w.arena.at.Store(at + peerLen) // might fall back behind another's, who then finds old text and goes on
	case out == pcbinfo.DropOld:
		w.arena.at.CompareAndSwap(at, at+peerLen)
	default:
		return oracle.Violated(oracle.Found, "text on the stream: %v", out)
	}
	return nil
}

// floodSyns sends SYNs from everywhere.
func (w *worker) floodSyns() error {
	for range 8 {
		seg := &pcbinfo.Segment{Inc: w.comes.inc, Seq: w.rng.Uint32(), Win: 1 << 16, Flags: pcbinfo.SYN}
		seg.Inc.Fport, seg.Inc.Lport = uint16(10000+w.rng.IntN(50000)), sharedPort
		if err := w.expect(seg, pcbinfo.GotSyn, pcbinfo.GotSynDup); err != nil {
			return err
		}
		w.flooded++
	}
	return nil
}
