package pcap

import "net/netip"

// A pair is a connection's addresses and ports, whichever way round.
type pair struct{ a, b netip.AddrPort }

func pairOf(p *Packet) pair {
	if p.Src.Compare(p.Dst) < 0 {
		return pair{p.Src, p.Dst}
	}
	return pair{p.Dst, p.Src}
}

// A syn is what makes a connection one of its own among those of its pair.
type syn struct {
	from netip.AddrPort
	isn  uint32
}

// opening returns the SYN that p is, or that it answers.
func opening(p *Packet) syn {
	if p.Flags&ACK != 0 {
		return syn{p.Dst, p.Ack - 1}
	}
	return syn{p.Src, p.Seq}
}

// connections sorts the packets of one pair into its connections, one after the other.
func connections(packets []*Packet) []*conn {
	var all []*conn
	var cur, old *conn
	open := answered(packets)
	for _, p := range packets {
		switch {
		case cur == nil:
			cur = newConn(p)
		case !p.syn():
			if cur.strange(p, old) {
				cur.stale++
				continue
			}
		case cur.same(p):
			// Once a connection is gone even its own SYN opens a new one.
			if cur.closed && p.Flags&ACK == 0 && p.Src == cur.remote {
				cur.replace(p)
				cur, old = newConn(p), cur
			}
		case old != nil && old.same(p) || !cur.yields(p, open):
			cur.stale++
			continue
		default:
			cur.replace(p)
			cur, old = newConn(p), cur
		}
		if len(all) == 0 || all[len(all)-1] != cur {
			all = append(all, cur)
		}
		cur.add(p)
	}
	return all
}

// answered returns which of the SYNs were accepted: a SYN|ACK acknowledges them, or the peer goes on
// from there.
func answered(packets []*Packet) map[syn]bool {
	open := map[syn]bool{}
	for _, p := range packets {
		if p.syn() && p.Flags&ACK == 0 {
			open[opening(p)] = false
		}
	}
	for _, p := range packets {
		s := syn{p.Src, p.Seq - 1}
		if p.syn() {
			s = opening(p)
		}
		if _, ok := open[s]; ok && p.Flags&ACK != 0 {
			open[s] = true
		}
	}
	return open
}

// same reports whether p, a SYN, belongs to the handshake of c, first time or not.
func (c *conn) same(p *Packet) bool {
	bare := p.Flags&ACK == 0
	switch {
	case p.Src == c.remote && bare:
		return p.Seq == c.in.isn
	case p.Src == c.remote: // simultaneous open
		return p.Seq == c.in.isn && (!c.out.known || p.Ack-1 == c.out.isn)
	case c.out.known && p.Seq != c.out.isn: // our host forgot a half-open connection
		return false
	case bare: // simultaneous open
		return c.state() == SynReceived
	}
	return p.Ack-1-c.in.isn <= c.early()
}

// early is the payload of the SYN, which the SYN|ACK may acknowledge (RFC 7413). It counts only once
// it is acknowledged.
func (c *conn) early() uint32 {
	if first := c.packets[0]; first.syn() && first.Src == c.remote {
		return first.Len
	}
	return 0
}

// yields reports whether p, a SYN of another handshake, takes the place of c. One that nobody answers
// does not, as long as c lives: TCP challenges it (RFC 5961, section 4).
func (c *conn) yields(p *Packet, open map[syn]bool) bool {
	switch c.state() {
	case Closed, SynReceived:
		return true
	case TimeWait:
		if c.recycles(p) {
			return true
		}
	}
	return p.Flags&ACK != 0 || open[opening(p)]
}

// recycles reports whether p is a SYN for which a TIME_WAIT connection makes room by itself: beyond
// what it has received (RFC 9293, section 3.10.7.4).
func (c *conn) recycles(p *Packet) bool {
	s := opening(p)
	return c.state() == TimeWait && s.from == c.remote && int32(s.isn-c.in.isn-uint32(c.next)) > 0
}

// replace ends c for the newer connection of p.
func (c *conn) replace(p *Packet) {
	if !c.closed && !c.recycles(p) {
		c.abortAt = p
	}
	c.closed, c.replaced = true, true
}

// Bounds for telling connections of one pair apart by their numbers.
const (
	maxWindow = 1 << 30 // the largest window there is (RFC 7323, section 2.2)
	fewBytes  = 1 << 24 // more than most windows, and 0.4% of the sequence space
)

// strange reports whether p cannot belong to c: it is outside of any window, or it fits into the older
// connection and not into c.
func (c *conn) strange(p *Packet, old *conn) bool {
	return !c.fits(p, maxWindow) || old != nil && old.fits(p, 0) && !c.fits(p, fewBytes)
}

// fits reports whether both numbers of p are within slack of those of c.
func (c *conn) fits(p *Packet, slack int64) bool {
	seq, ack := &c.in, &c.out
	if p.Src == c.local {
		seq, ack = ack, seq
	}
	return seq.near(p.Seq, slack) && (p.Flags&ACK == 0 || ack.near(p.Ack, slack))
}
