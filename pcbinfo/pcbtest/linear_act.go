package pcbtest

import (
	"fmt"

	"pcbbench/pcbinfo"
)

// A linAct is a kind of operation of a Linear.
type linAct uint8

const (
	// On a listener.
	linListen linAct = iota
	linShut          // close it
	linPoke          // send on it, which it refuses: a lookup
	// On a four-tuple, by our user.
	linConnect
	linChoose // connect from a port that the table chooses
	linClose
	linAbort
	linSend // a byte: a lookup
	// On a four-tuple, by its peer.
	linLookup       // an ACK far out of the window
	linLookupShared // a SYN and RST far out of the window: smr takes a SYN's listener shared
	linOpen         // SYN, which makes the four-tuple half-open
	linComplete     // the ACK for that
	linAnswer       // SYN|ACK for our Connect
	linReset        // RST, for the Connect that the worker made last, or for the half-open or open connection
)

// names is how many names of p it may be done to.
func (a linAct) names(p *linPlace) int {
	if a <= linPoke {
		return len(p.listeners)
	}
	return len(p.tuples)
}

// op makes the call; iss is our number that a segment acknowledges.
func (a linAct) op(p *linPlace, at int, iss uint32) op {
	switch a {
	case linListen:
		return op{kind: opListen, inc: p.listeners[at]}
	case linShut:
		return op{kind: opClose, inc: p.listeners[at]}
	case linPoke:
		return op{kind: opSend, inc: p.listeners[at], n: 1}
	case linConnect:
		return op{kind: opConnect, inc: p.tuples[at]}
	case linChoose:
		inc := p.tuples[at]
		inc.Lport = 0
		return op{kind: opConnect, inc: inc}
	case linClose:
		return op{kind: opClose, inc: p.tuples[at]}
	case linAbort:
		return op{kind: opAbort, inc: p.tuples[at]}
	case linSend:
		return op{kind: opSend, inc: p.tuples[at], n: 1}
	}
	return op{kind: opInput, segs: []*pcbinfo.Segment{a.segment(p.tuples[at], iss)}}
}

// far is beyond every window from peerIRS on.
const far = 1 << 30

// segment makes one of the peer's. It sends no text, so that its next number is peerIRS+1 in every state. What a lookup acknowledges is
// not what a connection waits for: our first number is ISN of the four-tuple and what a Connect adds, or peerIRS.
func (a linAct) segment(inc pcbinfo.ConnInfo, iss uint32) *pcbinfo.Segment {
	seg := &pcbinfo.Segment{Inc: inc, Seq: peerIRS + 1, Win: 1 << 16}
	switch a {
	case linLookup:
		seg.Flags, seg.Seq, seg.Ack = pcbinfo.ACK, seg.Seq+far, pcbinfo.ISN(&inc, 0)
	case linLookupShared:
		seg.Flags, seg.Seq = pcbinfo.SYN|pcbinfo.RST, seg.Seq+far
	case linOpen:
		seg.Flags, seg.Seq = pcbinfo.SYN, peerIRS
	case linComplete:
		seg.Flags, seg.Ack = pcbinfo.ACK, pcbinfo.ISN(&inc, peerIRS)+1
	case linAnswer:
		seg.Flags, seg.Seq, seg.Ack = pcbinfo.SYN|pcbinfo.ACK, peerIRS, iss+1
	case linReset:
		seg.Flags, seg.Ack = pcbinfo.RST|pcbinfo.ACK, iss+1
	}
	return seg
}

// A linEvent is one operation as it was called and answered.
type linEvent struct {
	act        linAct
	at         int // which of the place's listeners or tuples
	worker     int
	acked      uint32 // our number that an answer or a reset acknowledges
	op         op
	answer     answer
	outs       []pcbinfo.Outcome // of the segment: exactly one, if all is well
	call, back int64             // ns, both included
}

// said is the answer, as far as a plain table determines it: the port and the number of a Connect are its own choice.
func (e *linEvent) said() linSaid {
	if e.op.kind != opInput {
		return linSaid{err: e.answer.err}
	}
	if len(e.outs) != 1 {
		return linSaid{out: pcbinfo.NumOutcomes}
	}
	return linSaid{out: e.outs[0]}
}

// String is the call and its answer.
func (e *linEvent) String() string {
	if e.op.kind == opInput {
		return fmt.Sprintf("%v → %v", &e.op, e.outs)
	}
	if e.answer.iss != 0 {
		return fmt.Sprintf("%v → port %d, iss %d", &e.op, e.answer.port, e.answer.iss)
	}
	return fmt.Sprintf("%v → %v", &e.op, e.said())
}

// A linSaid is an answer of a plain table.
type linSaid struct {
	err error           // of a user's request
	out pcbinfo.Outcome // of a segment; NumOutcomes if it has not exactly one
}

func (s linSaid) String() string {
	switch {
	case s.err != nil:
		return s.err.Error()
	case s.out == 0:
		return "ok"
	}
	return s.out.String()
}
