package pcbtest

import "pcbbench/pcbinfo"

// A refCPU is one handle. What a scheme may choose freely is told to it before Connect: the port and the initial number
// that the scheme chose. It follows if they are among those that the scheme may choose.
type refCPU struct {
	r     *Reference
	stats pcbinfo.Stats
	port  uint16
	iss   uint32
}

func (c *refCPU) Stats() *pcbinfo.Stats { return &c.stats }
func (c *refCPU) Idle()                 {}

func (c *refCPU) Input(segs []*pcbinfo.Segment) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	for _, seg := range segs {
		c.input(seg)
	}
}

func (c *refCPU) input(seg *pcbinfo.Segment) {
	to := c.r.conns[seg.Inc]
	if to == nil {
		if c.r.listener(&seg.Inc) == nil {
			c.drop(seg, pcbinfo.DropNoPCB)
			return
		}
		if to = c.listen(seg); to == nil {
			return
		}
		c.r.conns[seg.Inc] = to
	}
	v := to.input(seg)
	if v.reopen {
		c.stats.Reused++
		delete(c.r.conns, seg.Inc)
		c.input(seg)
		return
	}
	c.count(v)
	if v.remove {
		delete(c.r.conns, seg.Inc)
	}
	if v.timeWait {
		to.waits, to.expires = true, c.r.now+2*c.r.msl
	}
}

// listen is a listener's answer: the new connection, if the segment completes a handshake.
func (c *refCPU) listen(seg *pcbinfo.Segment) *conn {
	const flags = pcbinfo.SYN | pcbinfo.ACK | pcbinfo.RST | pcbinfo.FIN
	h, known := c.r.half[seg.Inc]
	expected := known && seg.Seq == h.irs+1
	inWindow := known && seg.Seq-(h.irs+1) < rcvWindow // text may have been lost before
	switch f := seg.Flags & flags; {
	case f == pcbinfo.SYN && seg.Inc.Fport != 0:
		c.r.half[seg.Inc] = halfOpen{seg.Seq, pcbinfo.ISN(&seg.Inc, seg.Seq)}
		out := pcbinfo.GotSyn
		if known && h.irs == seg.Seq {
			out = pcbinfo.GotSynDup
		}
		c.count(verdict{out: out, synAck: true})
	case f&^pcbinfo.FIN == pcbinfo.ACK && inWindow && seg.Ack == h.iss+1:
		delete(c.r.half, seg.Inc)
		return &conn{model: accepted(h.irs, h.iss)}
	case f&pcbinfo.RST != 0 && expected:
		delete(c.r.half, seg.Inc)
		c.count(verdict{out: pcbinfo.GotRst})
	default:
		c.drop(seg, pcbinfo.DropListen)
	}
	return nil
}

// drop counts a segment that nobody wants; a RST is never answered by another, and a listener is silent to what has no ACK.
func (c *refCPU) drop(seg *pcbinfo.Segment, out pcbinfo.Outcome) {
	silent := out == pcbinfo.DropListen && seg.Flags&(pcbinfo.SYN|pcbinfo.ACK) == 0
	c.count(verdict{out: out, rst: seg.Flags&pcbinfo.RST == 0 && !silent})
}

func (c *refCPU) count(v verdict) {
	c.stats.Outcomes[v.out]++
	if v.ack {
		c.stats.Acks++
	}
	if v.rst {
		c.stats.Rsts++
	}
	if v.synAck {
		c.stats.SynAcks++
	}
}

// user finds what a user's name means: a listener, if there is no foreign port.
func (r *Reference) user(inc *pcbinfo.ConnInfo) (name pcbinfo.ConnInfo, x *conn) {
	name = *inc
	if inc.Fport == 0 {
		name = pcbinfo.ConnInfo{Laddr: inc.Laddr, Lport: inc.Lport}
	}
	return name, r.conns[name]
}

func (c *refCPU) Send(inc *pcbinfo.ConnInfo, n int) error {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	_, x := c.r.user(inc)
	switch {
	case x == nil:
		return pcbinfo.ErrNotFound
	case x.model == nil:
		return pcbinfo.ErrPipe
	}
	return x.send(n)
}

func (c *refCPU) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	if inc.Faddr.IsAny() || inc.Laddr.IsAny() || inc.Fport == 0 {
		return 0, pcbinfo.ErrInvalid
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if inc.Lport == 0 {
		if err := c.choosePort(inc); err != nil {
			return 0, err
		}
	} else if c.r.conns[*inc] != nil {
		return 0, pcbinfo.ErrInUse
	}
	iss := pcbinfo.ISN(inc, 0)
	if uint16(c.iss-iss) == 0 { // a scheme adds 2^16 for each life of the memory
		iss = c.iss
	}
	c.r.conns[*inc] = &conn{model: connecting(iss)}
	return iss, nil
}

// choosePort takes the scheme's port if it may have it, else the first free one.
func (c *refCPU) choosePort(inc *pcbinfo.ConnInfo) error {
	try := *inc
	try.Lport = c.port
	for p := uint32(c.r.first); !c.r.portFree(&try); p++ {
		if p > uint32(c.r.last) {
			return pcbinfo.ErrNoPort
		}
		try.Lport = uint16(p)
	}
	inc.Lport = try.Lport
	return nil
}

func (c *refCPU) Listen(inc *pcbinfo.ConnInfo) error {
	if inc.Lport == 0 {
		return pcbinfo.ErrInvalid
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	end := pcbinfo.ConnInfo{Laddr: inc.Laddr, Lport: inc.Lport}
	if c.r.conns[end] != nil {
		return pcbinfo.ErrInUse
	}
	c.r.conns[end] = &conn{}
	return nil
}

func (c *refCPU) Close(inc *pcbinfo.ConnInfo) error {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	name, x := c.r.user(inc)
	if x == nil {
		return pcbinfo.ErrNotFound
	}
	gone, err := true, error(nil)
	if x.model != nil {
		gone, err = x.close()
	}
	if gone {
		delete(c.r.conns, name)
	}
	return err
}

func (c *refCPU) Abort(inc *pcbinfo.ConnInfo) error {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	name, x := c.r.user(inc)
	_, half := c.r.half[*inc]
	switch {
	case x != nil:
		delete(c.r.conns, name)
	case half:
		delete(c.r.half, *inc)
	default:
		return pcbinfo.ErrNotFound
	}
	return nil
}

func (c *refCPU) SlowTimo(now uint32) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.now = now
	for inc, x := range c.r.conns {
		if x.waits && int32(x.expires-now) <= 0 {
			c.stats.Expired++
			delete(c.r.conns, inc)
		}
	}
}
