package pcap

import "net/netip"

// A half is one direction of a connection. Positions in its sequence space are 64 bits wide, since
// the 32 bits of a header wrap: 0 is the SYN, 1 the first byte, and the FIN takes one as well.
type half struct {
	isn   uint32 // sequence number of position 0
	known bool   // isn is known
	scale int8   // window scale of the SYN, -1 without
	high  int64  // end of the highest byte that its sender has shown
	acked int64  // end of what its receiver has acknowledged
	fin   int64  // position of the FIN; 0 before it is seen
}

// learn sets the initial sequence number from the first packet that tells it.
func (h *half) learn(isn uint32) {
	if !h.known {
		h.isn, h.known = isn, true
	}
}

// pos returns the position of seq, taking the one nearest to near.
func (h *half) pos(seq uint32, near int64) int64 {
	return near + int64(int32(seq-h.isn-uint32(near)))
}

// edge is the end of everything known of the direction.
func (h *half) edge() int64 { return max(1, h.high, h.acked) }

// near reports whether seq lies in what is known of the direction, or within slack of it.
func (h *half) near(seq uint32, slack int64) bool {
	at := h.pos(seq, h.edge())
	return !h.known || -slack <= at && at <= h.edge()+1+slack
}

// close takes a FIN behind end and reports whether it counts. It does not if it contradicts what was
// sent or acknowledged before, or another FIN.
func (h *half) close(end int64) bool {
	if h.fin == 0 && end >= max(1, h.high, h.acked-1) {
		h.fin = end
	}
	return h.fin != 0 && h.fin == end
}

// clip returns at, or the end of the direction if at is beyond it. The end includes the FIN.
func (h *half) clip(at int64) int64 {
	if h.fin != 0 {
		return min(at, h.fin+1)
	}
	return at
}

// A conn is one connection of the capture: its packets, and what they have told so far. It knows only
// what was sent and acknowledged, and takes the state from that; it does not run a TCP. Unlike the
// machine of a replay it puts segments that arrive out of order together.
type conn struct {
	remote, local netip.AddrPort
	midStream     bool
	packets       []*Packet
	stale         int     // packets that came during this connection and do not belong to it
	replaced      bool    // another connection of the pair follows
	abortAt       *Packet // its SYN, if this one does not make room for it by itself

	in, out     half  // from the peer, from our host
	next        int64 // rcv_nxt of our host
	beyond      spans // what has arrived beyond next
	finAck      int64 // what our FIN acknowledged
	established bool
	closed      bool
}

// newConn opens the connection that p, its first packet, belongs to. Our host is the side that
// receives the SYN or answers it. Without either it is the one with the lower port, as servers have,
// or the receiver of p if the ports are equal.
func newConn(p *Packet) *conn {
	c := &conn{remote: p.Src, local: p.Dst, next: 1, in: half{scale: -1}, out: half{scale: -1}}
	if !p.syn() {
		c.midStream, c.established = true, true
		if p.Src.Port() < p.Dst.Port() {
			c.remote, c.local = p.Dst, p.Src
		}
	} else if p.Flags&ACK != 0 {
		c.remote, c.local = p.Dst, p.Src
	}
	return c
}

// add takes the next packet.
func (c *conn) add(p *Packet) {
	c.packets = append(c.packets, p)
	if c.closed {
		return
	}
	c.learn(p)
	if p.Src == c.remote {
		c.fromPeer(p)
	} else {
		c.fromUs(p)
	}
	c.closed = c.closed || c.state() == Closed
}

// learn takes the initial sequence numbers and window scales.
func (c *conn) learn(p *Packet) {
	mine, other := &c.in, &c.out
	if p.Src == c.local {
		mine, other = other, mine
	}
	if p.syn() {
		mine.learn(p.Seq)
		mine.scale = p.Scale
	} else {
		mine.learn(p.Seq - 1)
	}
	if p.Flags&ACK != 0 {
		other.learn(p.Ack - 1)
	}
}

// fromPeer takes a packet of the peer. A segment without ACK, or one that acknowledges what our host
// never sends, tells nothing.
func (c *conn) fromPeer(p *Packet) {
	at := c.in.pos(p.Seq, c.next)
	switch {
	case p.Flags&RST != 0:
		c.closed = at == c.next // RFC 5961, section 3.2
		return
	case p.Flags&ACK == 0:
		return
	case p.syn():
		at++ // the SYN|ACK of a simultaneous open says no more than the ACK of a handshake
	}
	ack := c.out.pos(p.Ack, c.out.edge())
	if ack != c.out.clip(ack) || !c.established && (at < 1 || ack < 1) {
		return
	}
	c.established = true
	c.out.acked = max(c.out.acked, ack)
	if !p.syn() {
		c.text(p, at)
	}
}

// text takes the payload and FIN of a segment at position at. A segment without either shows nothing:
// its sequence number is that of the next byte, and it may have overtaken those before.
func (c *conn) text(p *Packet, at int64) {
	end := at + int64(p.Len)
	if p.Flags&FIN != 0 && c.in.close(end) {
		end++
	}
	if end = c.in.clip(end); end <= at {
		return
	}
	c.in.high = max(c.in.high, end)
	c.beyond.add(at, end)
	c.next = c.beyond.reach(c.next)
}

// fromUs takes a packet of our host. A SYN says nothing beyond what learn has taken: if it
// acknowledges data that came with the peer's, then so does what follows.
func (c *conn) fromUs(p *Packet) {
	switch {
	case p.Flags&RST != 0:
		c.closed = true
		return
	case p.syn():
		return
	}
	ack := c.next
	if p.Flags&ACK != 0 {
		ack = c.in.clip(c.in.pos(p.Ack, c.next))
		c.in.acked = max(c.in.acked, ack)
		c.next = c.beyond.reach(max(c.next, ack))
	}
	c.established = c.established || ack > 1 || p.carries()
	if !p.carries() {
		return
	}
	end := c.out.pos(p.Seq, c.out.edge()) + int64(p.Len)
	if p.Flags&FIN != 0 && c.out.fin == 0 && c.out.close(end) {
		c.finAck = ack
	}
	c.out.high = max(c.out.high, c.out.clip(end))
}

// peerClosed reports whether our host has the peer's FIN and all before it.
func (c *conn) peerClosed() bool { return c.in.fin != 0 && c.next > c.in.fin }

// closedFirst reports whether our host sent its FIN before it had the peer's. The acknowledgement in
// the FIN is the witness: on the way to where it was captured a FIN may have passed the peer's.
func (c *conn) closedFirst() bool { return c.in.fin == 0 || c.finAck <= c.in.fin }

// state is what the packets so far imply for our host.
func (c *conn) state() State {
	acked := c.out.fin != 0 && c.out.acked > c.out.fin
	switch {
	case c.closed:
		return Closed
	case !c.established:
		return SynReceived
	case c.out.fin == 0 && c.peerClosed():
		return CloseWait
	case c.out.fin == 0:
		return Established
	case !c.peerClosed() && acked:
		return FinWait2
	case !c.peerClosed():
		return FinWait1
	case c.closedFirst() && acked:
		return TimeWait
	case c.closedFirst():
		return Closing
	case acked:
		return Closed
	}
	return LastAck
}

// received and sent return the bytes that our host has got in order and has sent.
func (c *conn) received() int64 {
	if c.peerClosed() {
		return c.next - 2
	}
	return c.next - 1
}

func (c *conn) sent() int64 {
	if c.out.fin != 0 {
		return c.out.fin - 1
	}
	return c.out.edge() - 1
}
