package pcbtest

import (
	"math/rand/v2"
	"slices"

	"pcbbench/pcbinfo"
)

// The local ports of histories: two for listeners, and the ephemeral ones, so few that they run out.
const (
	sharedPort = 80 // ConformParallel and Torture keep a listener for any address here
	ownPort    = 81
	firstPort  = 50000
	lastPort   = 50003
)

// irs are peers' initial numbers: some that wrap around soon, few enough that workers who share nothing else guess them.
var irs = [...]uint32{0, 1 << 16, 1 << 20, 1<<31 - 500, 1 << 31, 1<<32 - 2, 1<<32 - 500}

// A history makes random operations on few connections, half of the segments such as a peer would send, half of them not.
type history struct {
	rng   *rand.Rand
	names names
	// at tells where a connection stands, so that segments can be aimed.
	at func(inc *pcbinfo.ConnInfo) position
	// tick is the last SlowTimo's. Where others share the clock it is negative, and the history leaves the clock alone.
	tick int
	last pcbinfo.ConnInfo // that conn drew
}

// A position is what a peer knows of a connection.
type position struct {
	state       pcbinfo.State // Closed: nobody; Listen: half-open
	rcvNxt      uint32
	una, sndNxt uint32
}

// pick returns one of choices; what stands there twice is twice as likely.
func pick[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }

// conn draws a connection's name, often the same as before, so that things happen to it which need several segments in a row.
func (h *history) conn() pcbinfo.ConnInfo {
	if h.last == (pcbinfo.ConnInfo{}) || h.rng.IntN(2) == 0 {
		h.last = h.other()
	}
	return h.last
}

// other draws a connection's name, every fourth a twin's.
func (h *history) other() pcbinfo.ConnInfo {
	if h.rng.IntN(4) == 0 {
		return pick(h.rng, h.names.twins...)
	}
	inc := h.names.conn(h.rng.IntN(2))
	inc.Lport = pick[uint16](h.rng, sharedPort, sharedPort, ownPort, ownPort, firstPort, firstPort+1, lastPort)
	inc.Fport = pick(h.rng, foreignPorts[:]...)
	return inc
}

// end draws a listener's name, with a foreign address that users of listeners may leave in it.
func (h *history) end() pcbinfo.ConnInfo {
	inc := h.other()
	inc.Fport = 0
	inc.Lport = pick[uint16](h.rng, sharedPort, sharedPort, ownPort, ownPort, firstPort, 0)
	if slices.Contains(h.names.any, inc.Lport) && h.rng.IntN(2) == 0 {
		inc.Laddr = pcbinfo.Addr{}
	}
	return inc
}

// spoil takes from a name to connect to what the user need not or must not leave out; half of them lack the local port.
func (h *history) spoil(inc *pcbinfo.ConnInfo) {
	switch h.rng.IntN(16) {
	case 0:
		inc.Fport = 0
	case 1:
		inc.Laddr = pcbinfo.Addr{}
	case 2:
		inc.Faddr = pcbinfo.Addr{}
	case 3, 4, 5:
		inc.Lport = 0
	case 6, 7, 8, 9, 10: // towards one peer, so that the ports run out
		*inc = h.names.conn(0)
		inc.Lport = 0
	}
}

// next draws an operation.
func (h *history) next() *op {
	o := &op{inc: h.conn()}
	switch p := h.rng.IntN(100); {
	case p < 62:
		o.kind, o.segs = opInput, h.segments()
	case p < 70:
		o.kind = opConnect
		h.spoil(&o.inc)
	case p < 73:
		o.kind, o.inc = opListen, h.end()
	case p < 84:
		o.kind = opClose
	case p < 86:
		o.kind = opAbort
	case p < 88:
		o.kind, o.inc = pick(h.rng, opClose, opAbort, opSend), h.end()
	case p < 97 || h.tick < 0:
		o.kind, o.n = opSend, 1+h.rng.IntN(3000)
	default:
		h.tick += h.rng.IntN(3)
		o.kind, o.n = opTick, h.tick
	}
	return o
}

// segments draws a batch: a whole short life of a connection, or a few segments that have nothing to do with one another.
func (h *history) segments() (segs []*pcbinfo.Segment) {
	if h.rng.IntN(16) == 0 {
		return h.life()
	}
	for range 1 + h.rng.IntN(4) {
		inc := h.conn()
		if h.rng.IntN(64) == 0 {
			inc.Fport = 0 // which would name a listener
		}
		seg := &pcbinfo.Segment{Inc: inc, Win: pick[uint32](h.rng, 1<<16, 1<<16, 1000, 1000, 1000, 0)}
		if at := h.at(&inc); h.rng.IntN(2) == 0 {
			h.sensible(seg, at)
		} else {
			h.wild(seg, at)
		}
		segs = append(segs, seg)
	}
	return segs
}

// sensible makes seg one that the peer of a connection at at might send next.
func (h *history) sensible(seg *pcbinfo.Segment, at position) {
	seg.Seq, seg.Ack = at.rcvNxt, at.sndNxt
	switch at.state {
	case pcbinfo.Closed:
		seg.Flags, seg.Seq = pcbinfo.SYN, pick(h.rng, irs[:]...)
	case pcbinfo.SynSent:
		seg.Flags = pick[uint8](h.rng, pcbinfo.SYN|pcbinfo.ACK, pcbinfo.SYN|pcbinfo.ACK, pcbinfo.SYN)
	case pcbinfo.TimeWait:
		seg.Flags, seg.Seq = pcbinfo.SYN, at.rcvNxt+pick[uint32](h.rng, 1, 100, 1<<20)
	case pcbinfo.Listen, pcbinfo.SynReceived:
		seg.Flags = pcbinfo.ACK
		if h.rng.IntN(4) == 0 {
			seg.Flags, seg.Seq = pcbinfo.SYN, at.rcvNxt-1
		}
	default:
		seg.Ack = pick(h.rng, at.sndNxt, at.sndNxt, at.una)
		seg.Flags = pick[uint8](h.rng, pcbinfo.ACK, pcbinfo.ACK|pcbinfo.PSH, pcbinfo.ACK|pcbinfo.PSH, pcbinfo.FIN|pcbinfo.ACK)
		if seg.Flags&pcbinfo.PSH != 0 {
			seg.Len = 1 + uint16(h.rng.IntN(pick(h.rng, 20, 1460)))
		}
		if h.rng.IntN(8) == 0 { // sent before, and now with more
			again := 1 + uint16(h.rng.IntN(pick(h.rng, 20, 1460)))
			seg.Seq -= uint32(again)
			seg.Len += again
		}
	}
}

// wild gives seg any flags and numbers, near to those that matter.
func (h *history) wild(seg *pcbinfo.Segment, at position) {
	const f, s, r, a = pcbinfo.FIN, pcbinfo.SYN, pcbinfo.RST, pcbinfo.ACK
	seg.Flags = pick[uint8](h.rng, a, a, a, a|pcbinfo.PSH, f|a, f|a, s, s, s|a, r, r|a, 0, f, s|f, s|r, s|f|a, pcbinfo.URG, 0xff)
	seg.Len = pick[uint16](h.rng, 0, 0, 0, 1, 100, 1460, 1<<16-1)
	seg.Seq = at.rcvNxt + pick(h.rng, 0, 0, 0, 0, 1, 2, 100, 1<<19, 1<<20-1, 1<<20, 1<<20+1, 1<<31, -1&0xffffffff, -50&0xffffffff, -1460&0xffffffff, h.rng.Uint32())
	seg.Ack = pick(h.rng, at.sndNxt, at.sndNxt, at.sndNxt, at.una, at.una+1, at.una-1, at.sndNxt-1, at.sndNxt+1, at.sndNxt+1<<31, 0, h.rng.Uint32())
}

// life is a connection from its SYN on, in one batch.
func (h *history) life() []*pcbinfo.Segment {
	irs := pick(h.rng, irs[:]...)
	first := pcbinfo.Segment{Inc: h.conn(), Seq: irs, Win: 1 << 16, Flags: pcbinfo.SYN}
	rest := first
	rest.Seq, rest.Ack, rest.Flags = irs+1, pcbinfo.ISN(&first.Inc, irs)+1, pcbinfo.ACK
	data, fin := rest, rest
	data.Len = 100
	fin.Seq += 100
	fin.Flags |= pick[uint8](h.rng, pcbinfo.FIN, pcbinfo.RST)
	return []*pcbinfo.Segment{&first, &rest, &data, &fin}[:1+h.rng.IntN(4)]
}
