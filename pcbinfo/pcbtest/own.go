package pcbtest

import (
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// What a worker does with names of its own: nothing but its own doing opens and closes them, so that its answers are certain.

// passive accepts a connection, which others' late handshake ACKs may complete first, and ends it in one of three ways.
func (w *worker) passive() error {
	w.comes.next()
	p := peer{inc: w.comes.inc, irs: peerIRS}
	if err := p.open(w); err != nil {
		return err
	}
	w.comes.next()
	if err := p.data(w, pcbinfo.GotData); err != nil {
		return err
	}
	w.comes.next()
	if err := w.endPassive(&p); err != nil {
		return err
	}
	w.comes.next()
	return p.data(w, pcbinfo.DropListen)
}

func (w *worker) endPassive(p *peer) error {
	switch w.rng.IntN(3) {
	case 0:
		return answered("abort", &p.inc, w.cpu.Abort(&p.inc))
	case 1:
		return w.expect(p.segment(pcbinfo.RST), pcbinfo.GotRst)
	}
	return p.close(w)
}

// active connects from a port that is given, and aborts.
func (w *worker) active() error {
	w.goes.next()
	p := peer{inc: w.goes.inc, irs: peerIRS}
	if err := p.connect(w); err != nil {
		return answered("connect", &p.inc, err)
	}
	w.goes.next()
	again := p.inc
	if _, err := w.cpu.Connect(&again); err != pcbinfo.ErrInUse {
		return oracle.Violated(oracle.Found, "second connect %v: %v", again, err)
	}
	w.goes.next()
	if err := answered("abort", &p.inc, w.cpu.Abort(&p.inc)); err != nil {
		return err
	}
	w.goes.next()
	return p.data(w, pcbinfo.DropNoPCB)
}

// listening opens a listener, accepts a connection on it, and closes it: the connection stays, and who comes later is turned away.
func (w *worker) listening() error {
	w.listens.next()
	if err := answered("listen", &w.listens.inc, w.cpu.Listen(&w.listens.inc)); err != nil {
		return err
	}
	w.listens.next()
	if err := w.cpu.Listen(&w.listens.inc); err != pcbinfo.ErrInUse {
		return oracle.Violated(oracle.Found, "second listen on %v: %v", w.listens.inc, err)
	}
	p := peer{inc: w.comes.inc, irs: peerIRS}
	p.inc.Lport = w.listens.inc.Lport
	if err := p.open(w); err != nil {
		return err
	}
	w.listens.next()
	if err := answered("close of listener", &w.listens.inc, w.cpu.Close(&w.listens.inc)); err != nil {
		return err
	}
	w.listens.next()
	late := peer{inc: p.inc, irs: peerIRS}
	late.inc.Fport++
	if err := w.expect(late.segment(pcbinfo.SYN), pcbinfo.DropNoPCB); err != nil {
		return err
	}
	if err := p.data(w, pcbinfo.GotData); err != nil {
		return err
	}
	return answered("abort", &p.inc, w.cpu.Abort(&p.inc))
}

// ephemeral connects towards the peer that all workers share. The port must be nobody else's from here until Abort is called.
func (w *worker) ephemeral() error {
	p := peer{inc: w.shares, irs: peerIRS}
	err := p.connect(w)
	if err == pcbinfo.ErrNoPort {
		return nil
	}
	if err != nil {
		return answered("connect", &p.inc, err)
	}
	owner := &w.arena.owners[p.inc.Lport-firstPort]
	if !owner.CompareAndSwap(0, int32(w.id+1)) {
		return oracle.Violated(oracle.Answer, "connect %v: worker %d has this port", p.inc, owner.Load()-1)
	}
	if err := p.data(w, pcbinfo.GotData); err != nil {
		return err
	}
	owner.Store(0)
	return answered("abort", &p.inc, w.cpu.Abort(&p.inc))
}

// lingering accepts a connection, closes first, and leaves it in TIME-WAIT, to the clock or to its next life.
func (w *worker) lingering() error {
	i := w.lives % waitPorts
	p := peer{inc: w.waits, irs: w.lives << 16}
	p.inc.Fport += uint16(i)
	w.lives++
	if last := w.left[i]; last.gone && int32(w.arena.ticked.Load()-last.until) >= 0 {
		if err := w.expect(p.segment(pcbinfo.ACK), pcbinfo.DropListen); err != nil {
			return err
		}
	}
	p.again = w.left[i].gone
	if err := p.open(w); err != nil {
		return err
	}
	if err := answered("close", &p.inc, w.cpu.Close(&p.inc)); err != nil {
		return err
	}
	return w.leave(&p, i)
}

// waiting goes back to a connection that may still be in TIME-WAIT, or makes one.
func (w *worker) waiting() error {
	i := w.rng.Uint32N(waitPorts)
	if !w.left[i].gone || w.rng.IntN(4) == 0 {
		return w.lingering()
	}
	_, err := w.stay(i)
	return err
}

// leave takes p, which we closed, into TIME-WAIT, and there once more.
func (w *worker) leave(p *peer, i uint32) error {
	fin := p.segment(pcbinfo.FIN | pcbinfo.ACK)
	fin.Ack++
	start := w.arena.ticking.Load()
	if err := w.expect(fin, pcbinfo.GotFin); err != nil {
		return err
	}
	w.left[i] = departure{gone: true, fin: fin}
	here, err := w.stay(i)
	if err != nil {
		return err
	}
	if !here && w.arena.ticking.Load() == start {
		return oracle.Violated(oracle.Found, "%v: nobody there right after it went into TIME-WAIT", p.inc)
	}
	if w.rng.IntN(4) == 0 {
		if err := w.cpu.Abort(&p.inc); err != nil && err != pcbinfo.ErrNotFound { // the clock may be faster
			return answered("abort", &p.inc, err)
		}
	}
	return nil
}

// stay sends the FIN of a departure again, as a peer does that did not get our ACK: if that is still in TIME-WAIT then 2MSL, which is two ticks,
// begins anew, and while the clock does not move it must be there.
func (w *worker) stay(i uint32) (here bool, err error) {
	d := &w.left[i]
	start := w.arena.ticking.Load()
	out, err := w.outcome(d.fin)
	if err != nil || out != pcbinfo.DropOld {
		return false, err
	}
	again, err := w.outcome(d.fin)
	now := w.arena.ticking.Load()
	if err == nil && now == start && again != pcbinfo.DropOld {
		return true, oracle.Violated(oracle.Found, "%v: a FIN in TIME-WAIT: %v, and right after it: %v", d.fin.Inc, out, again)
	}
	d.until = now + 3
	return true, err
}
