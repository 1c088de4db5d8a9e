package pcap

// A builder writes the events of one connection. It walks the packets again, now that all of them are
// known, and follows the TCP that will get the events: one without a reassembly queue.
type builder struct {
	*Flow
	conn *conn
	p    *Packet // the packet at hand

	rcvNxt, sndNxt, una int64
	shown               int64 // end of what our host was seen to send
	beyond              spans // what was refused and is to be repeated
	established         bool
	finSent             bool
	gone                bool // closed or reset: no connection is left
}

// build returns the Flow of a connection.
func build(c *conn) Flow {
	f := Flow{
		Remote: c.remote, Local: c.local, ISN: c.in.isn, MidStream: c.midStream, State: c.state(),
		Received: uint64(c.received()), Sent: uint64(c.sent()), Replaced: c.replaced,
		Counts: Counts{Stale: c.stale},
	}
	b := builder{Flow: &f, conn: c, p: c.packets[0], rcvNxt: 1, sndNxt: 1, una: 1}
	b.open()
	for _, p := range c.packets {
		b.p = p
		b.Segments++
		if p.Src == c.remote {
			b.input()
		} else {
			b.output()
		}
	}
	if c.abortAt != nil && !b.gone {
		b.p = c.abortAt
		b.user(UserAbort, 0)
	}
	return f
}

// open makes up the beginning of a connection whose SYN was not captured first.
func (b *builder) open() {
	switch {
	case b.conn.midStream:
		b.segment(SYN, 0, 0, 0)
		b.segment(ACK, 1, 1, 0)
		b.established = true
	case b.p.Src == b.conn.local:
		b.segment(SYN, 0, 0, 0)
		b.Synthesized++
	}
}

// segment adds a SegmentIn, its window taken from the packet at hand if that is the peer's.
func (b *builder) segment(flags uint8, seq, ack int64, n int64) {
	e := Event{Time: b.p.Time, Record: b.p.Record, Kind: SegmentIn, Flags: flags, Seq: uint32(seq), Win: b.window(), Len: uint32(n)}
	if flags&ACK != 0 {
		e.Ack = uint32(ack)
	}
	b.Events = append(b.Events, e)
}

// window returns the peer's window. It is scaled if both SYNs offered it (RFC 7323, section 2.2).
func (b *builder) window() uint32 {
	if b.p.Src != b.conn.remote {
		return 65535
	}
	if b.p.syn() || b.conn.in.scale < 0 || b.conn.out.scale < 0 {
		return uint32(b.p.Win)
	}
	return uint32(b.p.Win) << b.conn.in.scale
}

func (b *builder) user(k Kind, n int64) {
	b.Events = append(b.Events, Event{Time: b.p.Time, Record: b.p.Record, Kind: k, Len: uint32(n)})
}

// input takes a packet of the peer.
func (b *builder) input() {
	c, p := b.conn, b.p
	at, ack := c.in.pos(p.Seq, b.rcvNxt), c.out.pos(p.Ack, b.sndNxt)
	switch {
	case p.syn():
		b.inputSYN()
	case b.gone || p.Flags&ACK == 0 && p.Flags&RST == 0:
		b.segment(p.Flags, at, ack, int64(p.Len))
	case p.Flags&RST != 0:
		b.segment(p.Flags, at, ack, 0)
		b.gone = at == b.rcvNxt
	case ack != c.out.clip(ack), !b.established && (at < 1 || ack < 1):
		b.segment(p.Flags, at, ack, int64(p.Len)) // dropped: acknowledges what our host never sends
	default:
		b.inputACK(at, ack)
	}
}

// inputSYN takes a SYN of the peer: the first, a retransmission, or the SYN|ACK of a simultaneous
// open, which counts as the ACK of a handshake. What data it carries is left to the next segment.
func (b *builder) inputSYN() {
	switch {
	case b.gone:
		b.Stale++ // it would open a connection that never was
		b.Segments--
	case b.p.Flags&ACK != 0:
		b.inputACK(1, 1)
	default:
		if len(b.Events) > 0 {
			b.Retransmitted++
		}
		b.segment(SYN, 0, 0, 0)
	}
}

// inputACK takes a segment of the peer that acknowledges something that our host sends.
func (b *builder) inputACK(at, ack int64) {
	if !b.established && (at != 1 || ack != 1 || b.p.Flags&FIN != 0) {
		b.handshake()
	}
	b.established = true
	if ack > b.sndNxt {
		b.send(ack)
		b.Moved++
	}
	flags, n := b.payload(at)
	end := at + n
	if flags&FIN != 0 {
		end++
	}
	if at <= b.rcvNxt {
		b.beforeFIN(end)
	}
	b.segment(flags, at, ack, n)
	b.acknowledge(at, end, ack)
	b.receive(at, end)
	b.gone = b.finSent && b.una > b.conn.out.fin && b.rcvNxt > b.conn.in.fin && !b.conn.closedFirst()
}

// payload returns the flags and the length of the packet at hand, without a FIN that does not count
// and without data beyond one that does.
func (b *builder) payload(at int64) (flags uint8, n int64) {
	if b.p.syn() {
		return ACK, 0
	}
	fin, n := b.conn.in.fin, int64(b.p.Len)
	if flags = b.p.Flags; fin == 0 || at+n != fin {
		flags &^= FIN
	}
	if fin != 0 {
		n = min(n, max(0, fin-at))
	}
	return flags, n
}

// acknowledge follows the ACK of a segment that occupies [at, end). If it is the first to acknowledge
// our FIN, and the TCP may refuse the segment that it comes with, then it comes again by itself.
func (b *builder) acknowledge(at, end, ack int64) {
	first := b.finSent && b.una <= b.conn.out.fin && ack > b.conn.out.fin
	b.una = max(b.una, ack)
	taken := at == b.rcvNxt || at < b.rcvNxt && b.rcvNxt < end
	if first && !taken {
		b.segment(ACK, b.rcvNxt, b.una, 0)
		b.Repeated++
	}
}

// receive follows the payload and FIN of a segment that occupies [at, end).
func (b *builder) receive(at, end int64) {
	switch {
	case at == end:
	case at > b.rcvNxt && b.beyond.add(at, end):
		b.OutOfOrder++
	case at > b.rcvNxt, end <= b.rcvNxt:
		b.Retransmitted++
	default:
		b.rcvNxt = end
		b.repeat()
	}
}

// repeat delivers what was refused, up to the next hole.
func (b *builder) repeat() {
	if end := b.beyond.reach(b.rcvNxt); end > b.rcvNxt {
		b.Repeated++
		b.arrive(end)
	}
}

// deliver brings rcv_nxt up to what our host acknowledged: some of it was refused, some never shown.
func (b *builder) deliver(to int64) {
	b.repeat()
	for b.rcvNxt < to {
		end := to
		if x, ok := b.beyond.first(b.rcvNxt); ok {
			end = min(end, x.lo)
		}
		b.Synthesized++
		b.SynthesizedBytes += uint64(min(end, b.dataEnd()) - b.rcvNxt)
		b.arrive(end)
		b.repeat()
	}
}

// dataEnd is where the peer's data ends, far away if that is not known.
func (b *builder) dataEnd() int64 {
	if b.conn.in.fin != 0 {
		return b.conn.in.fin
	}
	return 1<<63 - 1
}

// arrive adds one segment from rcv_nxt to end.
func (b *builder) arrive(end int64) {
	b.beforeFIN(end)
	flags, n := ACK, min(end, b.dataEnd())-b.rcvNxt
	if end > b.dataEnd() {
		flags |= FIN
	}
	b.segment(flags, b.rcvNxt, b.una, n)
	b.rcvNxt = end
}

// beforeFIN closes our side if the peer's FIN is in what arrives up to end, and ours was sent first.
func (b *builder) beforeFIN(end int64) {
	if end > b.dataEnd() && b.conn.out.fin != 0 && b.conn.closedFirst() && !b.finSent {
		b.close()
		b.Moved++
	}
}

// handshake makes up its ACK.
func (b *builder) handshake() {
	b.established = true
	b.segment(ACK, 1, 1, 0)
	b.Synthesized++
}

// output takes a packet of our host.
func (b *builder) output() {
	c, p := b.conn, b.p
	switch {
	case b.gone, p.syn():
		return
	case p.Flags&RST != 0:
		b.user(UserAbort, 0)
		b.gone = true
		return
	}
	ack := b.rcvNxt
	if p.Flags&ACK != 0 {
		ack = c.in.clip(c.in.pos(p.Ack, b.rcvNxt))
	}
	if !b.established && (ack > 1 || p.carries()) {
		b.handshake()
	}
	b.deliver(ack)
	if p.carries() {
		b.outputText()
	}
}

// outputText turns the payload and FIN of a packet of ours into what our user did. A retransmission
// is not the user's doing.
func (b *builder) outputText() {
	c, p := b.conn, b.p
	end := c.out.pos(p.Seq, b.sndNxt) + int64(p.Len)
	if p.Flags&FIN != 0 && end == c.out.fin {
		end++
	}
	end = c.out.clip(end)
	if end <= b.shown {
		b.Retransmitted++
	}
	b.shown = max(b.shown, end)
	if end > b.sndNxt {
		b.send(end)
	}
}

// send makes our user send up to the position to, and close if that is behind the FIN.
func (b *builder) send(to int64) {
	if fin := b.conn.out.fin; fin != 0 && to > fin {
		b.close()
		return
	}
	b.user(UserSend, to-b.sndNxt)
	b.sndNxt = to
}

// close makes our user send all that it ever sends, and close.
func (b *builder) close() {
	if fin := b.conn.out.fin; fin > b.sndNxt {
		b.send(fin)
	}
	if b.conn.in.fin != 0 && !b.conn.closedFirst() {
		b.deliver(b.conn.in.fin + 1) // our FIN acknowledges the peer's
	}
	b.user(UserClose, 0)
	b.sndNxt, b.finSent = b.conn.out.fin+1, true
}
