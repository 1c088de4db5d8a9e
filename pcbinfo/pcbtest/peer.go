package pcbtest

import (
	"slices"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// A peer is the far end of one connection of a Torture, used by the worker that owns the connection.
type peer struct {
	inc   pcbinfo.ConnInfo
	irs   uint32 // its first number; peerIRS where others are to make the same segments
	iss   uint32 // ours, as the peer knows it; 0: the one that follows from the peer's
	bytes uint64 // sent so far
	again bool   // its last life may still be in TIME-WAIT
}

const (
	peerIRS = 1000
	peerLen = 100 // bytes a segment
)

// segment makes the peer's next one. All of a peer's segments have the same window and acknowledge our SYN.
func (p *peer) segment(flags uint8) *pcbinfo.Segment {
	iss := p.iss
	if iss == 0 {
		iss = pcbinfo.ISN(&p.inc, p.irs)
	}
	return &pcbinfo.Segment{Inc: p.inc, Seq: p.irs + 1 + uint32(p.bytes), Ack: iss + 1, Win: 1 << 16, Flags: flags}
}

// syn makes its SYN, with which other flags may come.
func (p *peer) syn(flags uint8) *pcbinfo.Segment {
	syn := p.segment(pcbinfo.SYN | flags)
	syn.Seq--
	return syn
}

// openTries bounds the handshakes that a flood of SYNs may undo.
const openTries = 10000

// open makes the handshake. Somebody else's copy of the last ACK may be faster.
func (p *peer) open(w *worker) error {
	if w.arena.flood {
		return p.openFlooded(w)
	}
	if err := p.knock(w, pcbinfo.GotSyn); err != nil {
		return err
	}
	return w.expect(p.segment(pcbinfo.ACK), pcbinfo.GotAccept, pcbinfo.GotAck)
}

// knock sends the SYN. One that meets its last life while the clock ends that may be told that nobody is there (pcbinfo.Scheme.Once); then the
// peer sends it again, and there is nobody whom it could miss.
func (p *peer) knock(w *worker, want ...pcbinfo.Outcome) error {
	syn := p.syn(0)
	if p.again && w.arena.once {
		p.again = false
		if out, err := w.outcome(syn); err != nil || slices.Contains(want, out) {
			return err
		} else if out != pcbinfo.DropNoPCB {
			return oracle.Violated(oracle.Order, "the SYN that should open %v: %v", p.inc, out)
		}
	}
	return w.expect(syn, want...)
}

// openFlooded makes it again for as long as others' SYNs push it out of the syncache in between.
func (p *peer) openFlooded(w *worker) error {
	for range openTries {
		if err := p.knock(w, pcbinfo.GotSyn, pcbinfo.GotSynDup, pcbinfo.DropSyn, pcbinfo.DropOld); err != nil {
			return err
		}
		out, err := w.outcome(p.segment(pcbinfo.ACK))
		if err != nil || out == pcbinfo.GotAccept || out == pcbinfo.GotAck {
			return err
		}
		if out != pcbinfo.DropListen {
			return oracle.Violated(oracle.Found, "the ACK that should open %v: %v", p.inc, out)
		}
	}
	return oracle.Violated(oracle.Progress, "%v: %d handshakes did not hold", p.inc, openTries)
}

// connect lets our user connect, and answers.
func (p *peer) connect(w *worker) (err error) {
	if p.iss, err = w.cpu.Connect(&p.inc); err != nil {
		return err
	}
	return w.expect(p.syn(pcbinfo.ACK), pcbinfo.GotConnect)
}

// data sends the next text; only what is delivered counts as sent.
func (p *peer) data(w *worker, want pcbinfo.Outcome) error {
	seg := p.segment(pcbinfo.ACK | pcbinfo.PSH)
	seg.Len = peerLen
	if want == pcbinfo.GotData {
		p.bytes += peerLen
	}
	return w.expect(seg, want)
}

// close ends the connection from both sides.
func (p *peer) close(w *worker) error {
	if err := w.expect(p.segment(pcbinfo.FIN|pcbinfo.ACK), pcbinfo.GotFin); err != nil {
		return err
	}
	if err := answered("close", &p.inc, w.cpu.Close(&p.inc)); err != nil {
		return err
	}
	last := p.segment(pcbinfo.ACK)
	last.Seq, last.Ack = last.Seq+1, last.Ack+1
	return w.expect(last, pcbinfo.GotAck)
}
