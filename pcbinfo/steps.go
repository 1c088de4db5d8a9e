package pcbinfo

import (
	"pcbbench/locks"
	"pcbbench/locks/probe"
)

// The steps of segment input and of user requests that are the same under every locking. Each is called with the locks held
// that the scheme's protocol prescribes at that point, and takes none but a syncache bucket's.

// process runs the TCP machine and the protocol's work on an inpcb, under the lock that guards it.
func (c *cpu) process(inp *Inpcb, seg *Segment) action {
	if probe.Enabled {
		defer inp.end(inp.begin(&seg.Inc, true), true)
	}
	v := inp.tp.doSegment(seg)
	if v.act == reopen {
		c.stats.Reused++
		return reopen
	}
	locks.Delay(c.b.cfg.Work)
	c.stats.Outcomes[v.out]++
	c.reply(v.reply)
	return v.act
}

// send is a user's n bytes, on an inpcb under the lock that guards it; a listener's may be shared, as it only refuses.
func (c *cpu) send(inp *Inpcb, inc *ConnInfo, n int) error {
	if probe.Enabled {
		alone := inc.Fport != 0
		defer inp.end(inp.begin(inc.named(), alone), alone)
	}
	return inp.tp.send(n)
}

// usrClosed is a user's Close, on an inpcb under the lock that guards it.
func (c *cpu) usrClosed(inp *Inpcb, inc *ConnInfo) (gone bool, err error) {
	if probe.Enabled {
		defer inp.end(inp.begin(inc.named(), true), true)
	}
	return inp.tp.usrClosed()
}

// show copies inp for a walk, under a lock that keeps its writers out.
func (c *cpu) show(x *Xinpcb, inp *Inpcb) {
	if probe.Enabled {
		defer inp.end(inp.begin(nil, false), false)
	}
	x.copy(inp)
}

func (c *cpu) reply(r reply) {
	switch r {
	case replyAck:
		c.stats.Acks++
	case replyRst:
		c.stats.Rsts++
	case replySynAck:
		c.stats.SynAcks++
	}
}

// drop counts a segment that no connection took. Anything but a RST is answered by one (tcp_dropwithreset), but a listener
// ignores what neither opens nor acknowledges (RFC 9293 3.10.7.2).
func (c *cpu) drop(seg *Segment, out Outcome) {
	c.stats.Outcomes[out]++
	if !seg.is(RST) && (out != DropListen || seg.Flags&(SYN|ACK) != 0) {
		c.stats.Rsts++
	}
}

// listen is what a listener does with a segment that matched nothing better: a SYN goes into the syncache, a handshake
// ACK comes back as the new connection, in no table yet; the caller inserts it and has it process the segment.
func (c *cpu) listen(sc *syncache, seg *Segment) (child *Inpcb) {
	child, done := c.tryListen(sc, seg)
	if child == nil && !done {
		c.drop(seg, DropListen)
	}
	return child
}

// tryListen is listen without the last word on a segment that the syncache does not know.
func (c *cpu) tryListen(sc *syncache, seg *Segment) (child *Inpcb, done bool) {
	switch flags := seg.Flags & (SYN | ACK | RST | FIN); {
	case seg.opens():
		c.synReceived(sc, seg)
		return nil, true
	case flags&^FIN == ACK:
		if e, ok := sc.expand(seg); ok {
			return c.accept(&e), true
		}
	case flags&RST != 0 && sc.reset(seg):
		c.stats.Outcomes[GotRst]++
		return nil, true
	}
	return nil, false
}

func (c *cpu) synReceived(sc *syncache, seg *Segment) { c.synAdded(sc.add(seg)) }

// synAdded is the rest of a SYN's work, which needs no lock.
func (c *cpu) synAdded(dup, evicted bool) {
	locks.Delay(c.b.cfg.Work)
	if evicted {
		c.stats.Evicted++
	}
	out := GotSyn
	if dup {
		out = GotSynDup
	}
	c.stats.Outcomes[out]++
	c.stats.SynAcks++
}

// accept makes the inpcb of a completed handshake (syncache_socket).
func (c *cpu) accept(e *syncacheEntry) *Inpcb {
	inp := c.alloc(e.inc)
	inp.tp.accept(e.irs, e.iss, e.win)
	return inp
}

// alloc takes an inpcb for inc from the zone; nobody else knows it yet.
func (c *cpu) alloc(inc ConnInfo) *Inpcb {
	inp := c.b.zone.alloc(c.id)
	inp.inc = inc
	inp.hash = inc.hash(c.b.cfg.Seed)
	return inp
}

// allocConnect makes the inpcb of an active open.
func (c *cpu) allocConnect(inc *ConnInfo) *Inpcb {
	inp := c.alloc(*inc)
	c.startConnect(inp, inc)
	return inp
}

// startConnect gives inp its four-tuple and sends the SYN; its number differs from the last one that this memory used.
func (c *cpu) startConnect(inp *Inpcb, inc *ConnInfo) {
	inp.inc = *inc
	inp.hash = inc.hash(c.b.cfg.Seed)
	inp.tp.connect(ISN(inc, inp.gen<<16))
}

func (c *cpu) allocListen(inc *ConnInfo) *Inpcb {
	inp := c.alloc(ConnInfo{Laddr: inc.Laddr, Lport: inc.Lport})
	inp.tp.state = Listen
	return inp
}

// free gives back an inpcb that is out of the table and that nobody else can have, reference or not.
func (c *cpu) free(inp *Inpcb) {
	inp.refs.Store(0)
	c.b.zone.free(c.id, inp)
}

// rele gives back a reference and, if it was the last, the inpcb.
func (c *cpu) rele(inp *Inpcb) {
	if inp.rele() {
		c.b.zone.free(c.id, inp)
	}
}

// abortHalfOpen is Abort where no inpcb has the name: perhaps the syncache knows it.
func (c *cpu) abortHalfOpen(sc *syncache, inc *ConnInfo) error {
	if inc.Fport != 0 && sc.abort(inc) {
		return nil
	}
	return ErrNotFound
}

// startTimeWait puts inp at the end of the TIME_WAIT queue.
func (c *cpu) startTimeWait(q *twQueue, inp *Inpcb) { q.restart(inp, c.b.now.Load(), c.b.cfg.MSL) }

func checkConnect(inc *ConnInfo) error {
	if inc.Faddr.IsAny() || inc.Laddr.IsAny() || inc.Fport == 0 {
		return ErrInvalid
	}
	return nil
}

// ephemeral calls free with one local port after another until it says yes: RFC 6056 3.3.3, with a counter a CPU. It leaves the
// port in inc.
func (c *cpu) ephemeral(inc *ConnInfo, free func() bool) error {
	first := uint32(c.b.cfg.FirstPort)
	n := uint32(c.b.cfg.LastPort) - first + 1
	offset := ISN(inc, 0)
	for range n {
		inc.Lport = uint16(first + (offset+c.nextPort)%n)
		c.nextPort++
		if free() {
			return nil
		}
	}
	inc.Lport = 0
	return ErrNoPort
}

// choosePort settles inc's local port against tb: the given one, or an ephemeral one that neither a connection to this peer nor a
// listener uses (in_pcb_lport_dest).
func (c *cpu) choosePort(tb *table, inc *ConnInfo) error {
	if inc.Lport != 0 {
		if tb.lookupExact(inc, tb.hash(inc)) != nil {
			return ErrInUse
		}
		return nil
	}
	return c.ephemeral(inc, func() bool { return tb.portFree(inc) })
}

func (tb *table) portFree(inc *ConnInfo) bool {
	return tb.lookupExact(inc, tb.hash(inc)) == nil && tb.lookupWild(inc.Laddr, inc.Lport) == nil
}
