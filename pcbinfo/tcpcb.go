package pcbinfo

// A State is a connection's state, by RFC 9293's names and in BSD's order: from Established on both ends
// are synchronized, from FinWait1 on (and in LastAck and Closing) the user has closed.
type State uint8

const (
	Closed State = iota
	Listen
	SynSent
	SynReceived
	Established
	CloseWait
	FinWait1
	Closing
	LastAck
	FinWait2
	TimeWait
	numStates
)

var stateNames = [numStates]string{"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT",
	"FIN-WAIT-1", "CLOSING", "LAST-ACK", "FIN-WAIT-2", "TIME-WAIT"}

func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return "POISONED"
}

// An Outcome says what became of a segment. Every segment that goes into a table has exactly one; those before
// DropNoPCB were handled, those from it on were dropped. Where a segment did several things, FIN counts before text, text before the
// handshake, and that before ACK; one whose text is refused (DropOld in states after the peer's FIN, DropOrder) acknowledges all the
// same, but that it ends LAST-ACK counts before that.
type Outcome uint8

const (
	GotSyn     Outcome = iota // SYN of a new connection: into the syncache, or answered in SYN-SENT
	GotSynDup                 // SYN of a connection that the syncache held already
	GotAccept                 // handshake ACK: the connection is open
	GotConnect                // the peer's answer completed our connect: answered by ACK
	GotAck                    // no text
	GotData                   // text taken in order: every second such segment is answered by ACK
	GotFin                    // FIN taken in order: answered by ACK
	GotRst                    // the connection or half-open entry was reset
	DropNoPCB                 // nobody there: answered by RST, unless it was one
	DropOld                   // all of it was received before, or is text behind the peer's FIN: answered by ACK
	DropOrder                 // text beyond a hole: reassembly is refused, answered by ACK
	DropWindow                // beyond the receive window: answered by ACK
	DropAck                   // acknowledges what was never sent: answered by ACK, during the handshake by RST
	DropSyn                   // SYN on a synchronized connection: challenge ACK (RFC 5961 4)
	DropRst                   // RST beside rcv_nxt: challenge ACK if in window (RFC 5961 3); in SYN-SENT, without the right ACK: silence
	DropFlags                 // neither SYN, RST nor ACK, or a combination that means nothing here: silence
	DropListen                // a listener has no use for it: answered by RST
	NumOutcomes
)

var outcomeNames = [NumOutcomes]string{"syn", "syn-dup", "accept", "connect", "ack", "data", "fin", "rst",
	"drop-nopcb", "drop-old", "drop-order", "drop-window", "drop-ack", "drop-syn", "drop-rst", "drop-flags",
	"drop-listen"}

func (o Outcome) String() string { return outcomeNames[o] }

// Dropped reports whether a segment with this outcome was dropped.
func (o Outcome) Dropped() bool { return o >= DropNoPCB }

// A reply is what the stack sends back for a segment, as a set. Nothing leaves the process: replies are counted.
type reply uint8

const (
	replyAck reply = 1 << iota
	replyRst
	replySynAck
)

// An action is what a verdict asks of the scheme, which applies it under its own locks.
type action uint8

const (
	keep     action = iota
	remove          // tcp_close: take the inpcb out of the table and free it
	timeWait        // 2MSL: put it on the TIME_WAIT queue, or back to that queue's end
	reopen          // a new SYN may take over this TIME_WAIT: remove it and look up again
)

// A verdict is doSegment's whole answer.
type verdict struct {
	act   action
	out   Outcome
	reply reply
}

// A Tcpcb is the TCP machine of one connection (struct tcpcb), RFC 9293 3.3.1 and 3.10.7. It is deterministic: no lock,
// no clock, the same state and segment give the same verdict. Text is taken in order only; what lies beyond
// a hole is refused and the peer sends it again. All fields are guarded by what guards the Inpcb.
//
// Numbers are compared modulo 2^32 with the nearest that matters, so windows must stay below 2^31 (RFC 7323 allows 2^30). For a number
// exactly 2^31 away, which RFC 1982 leaves undefined, the choice is: text there is old, an ACK is of what was never sent, and a SYN is
// new enough to reopen a TIME_WAIT.
type Tcpcb struct {
	state   State
	needFin bool // the user closed, FIN goes out when sndBuf is empty
	finSent bool
	delAck  bool // every second segment of text is acknowledged at once (RFC 9293 3.8.6.3); ACKs for other reasons do not count
	irs     uint32
	rcvNxt  uint32
	iss     uint32
	sndUna  uint32
	sndNxt  uint32
	sndWnd  uint32
	sndWl1  uint32 // seq and ack of the last window update
	sndWl2  uint32
	sndBuf  uint32 // bytes that the user sent and the window keeps back
	rcvd    uint64 // bytes delivered to the user
	sent    uint64 // bytes sent by the user
}

// rcvWnd is the receive window: the user reads at once, so it never closes.
const rcvWnd = 1 << 20

// accept starts the connection that a handshake made (syncache_socket).
func (tp *Tcpcb) accept(irs, iss, win uint32) {
	*tp = Tcpcb{state: SynReceived, irs: irs, rcvNxt: irs + 1, iss: iss, sndUna: iss, sndNxt: iss + 1, sndWnd: win, sndWl1: irs}
}

// connect starts an active open.
func (tp *Tcpcb) connect(iss uint32) {
	*tp = Tcpcb{state: SynSent, iss: iss, sndUna: iss, sndNxt: iss + 1}
}

// predicted is header prediction (Van Jacobson 1990, tcp_input.c): the next text in order, or an ACK for something
// new, with nothing else to it. Such a segment cannot change the table.
func (tp *Tcpcb) predicted(seg *Segment) bool {
	if tp.state != Established || seg.Flags&^PSH != ACK || seg.Seq != tp.rcvNxt || seg.Win != tp.sndWnd {
		return false
	}
	if seg.Len == 0 {
		return before(tp.sndUna, seg.Ack) && !before(tp.sndNxt, seg.Ack) // 2^31 away a number is both before and after
	}
	return seg.Ack == tp.sndUna
}

// doSegment takes one segment (tcp_do_segment), in RFC 9293's order of checks (3.10.7.3 and 3.10.7.4).
func (tp *Tcpcb) doSegment(seg *Segment) verdict {
	switch {
	case tp.predicted(seg):
		return tp.fast(seg)
	case tp.state == SynSent:
		return tp.synSent(seg)
	default:
		return tp.synchronized(seg)
	}
}

// fast takes a predicted segment. It updates the window though that is the same, lest wl1 and wl2 fall 2^31 behind.
func (tp *Tcpcb) fast(seg *Segment) verdict {
	tp.updateWindow(seg)
	if seg.Len == 0 {
		tp.acknowledge(seg.Ack)
		tp.output()
		return verdict{out: GotAck}
	}
	return verdict{out: GotData, reply: tp.deliver(uint32(seg.Len))}
}

// synSent is RFC 9293 3.10.7.3. Neither text nor FIN that come with the SYN are taken; the peer sends them again.
func (tp *Tcpcb) synSent(seg *Segment) verdict {
	ackOK := seg.is(ACK) && before(tp.iss, seg.Ack) && atOrBefore(seg.Ack, tp.sndNxt)
	switch {
	case seg.is(ACK) && !ackOK && seg.is(RST), seg.is(RST) && !seg.is(ACK):
		return verdict{out: DropRst}
	case seg.is(ACK) && !ackOK:
		return verdict{out: DropAck, reply: replyRst}
	case seg.is(RST):
		return verdict{act: remove, out: GotRst}
	case !seg.is(SYN):
		return verdict{out: DropFlags}
	}
	tp.irs, tp.rcvNxt = seg.Seq, seg.Seq+1
	tp.sndWnd, tp.sndWl1, tp.sndWl2 = seg.Win, seg.Seq, seg.Ack
	if !seg.is(ACK) { // simultaneous open
		tp.state = SynReceived
		return verdict{out: GotSyn, reply: replySynAck}
	}
	tp.sndUna = seg.Ack
	tp.established()
	return verdict{out: GotConnect, reply: replyAck}
}

// established enters ESTABLISHED, or FIN-WAIT-1 if the user has closed already.
func (tp *Tcpcb) established() {
	tp.state = Established
	if tp.needFin {
		tp.state = FinWait1
	}
	tp.output()
}

// synchronized is RFC 9293 3.10.7.4 for every state from SYN-RECEIVED on.
func (tp *Tcpcb) synchronized(seg *Segment) verdict {
	if tp.state == TimeWait && seg.Flags&(SYN|ACK|RST|FIN) == SYN && before(tp.rcvNxt, seg.Seq) {
		return verdict{act: reopen} // RFC 9293 3.6.1, MAY-2
	}
	text, fin, out := tp.trim(seg)
	if tp.state == SynReceived && seg.Seq == tp.irs && seg.Flags&(SYN|ACK|RST) == SYN|ACK {
		return tp.handshake(seg, 0, false, GotAck) // simultaneous open: their SYN again, and the ACK of ours; no text, no FIN
	}
	switch {
	case seg.is(RST):
		return tp.reset(seg)
	case out == DropWindow || out == DropOld && !tp.staleFin(seg):
		return verdict{out: out, reply: replyAck}
	case seg.is(SYN):
		return verdict{out: DropSyn, reply: replyAck}
	case !seg.is(ACK):
		return verdict{out: DropFlags}
	case out == DropOld: // only TIME-WAIT: the peer did not get our last ACK
		return verdict{act: timeWait, out: DropOld, reply: replyAck}
	}
	if tp.state == SynReceived {
		return tp.handshake(seg, text, fin, out)
	}
	return tp.ackAndText(seg, text, fin, out)
}

// handshake is the fifth check in SYN-RECEIVED: the ACK of our SYN.
func (tp *Tcpcb) handshake(seg *Segment, text uint32, fin bool, out Outcome) verdict {
	if !before(tp.sndUna, seg.Ack) || !atOrBefore(seg.Ack, tp.sndNxt) {
		return verdict{out: DropAck, reply: replyRst}
	}
	tp.sndUna, tp.sndWnd, tp.sndWl1, tp.sndWl2 = seg.Ack, seg.Win, seg.Seq, seg.Ack
	tp.established()
	v := tp.ackAndText(seg, text, fin, out)
	if v.out == GotAck {
		v.out = GotAccept
	}
	return v
}

// trim cuts a segment to the receive window (RFC 9293 3.4): how much text begins at rcvNxt, whether a FIN ends it,
// and DropOld, DropOrder or DropWindow where nothing can be taken; GotAck otherwise.
func (tp *Tcpcb) trim(seg *Segment) (text uint32, fin bool, out Outcome) {
	text, fin = uint32(seg.Len), seg.is(FIN)
	off := seg.Seq - tp.rcvNxt
	end := seg.Seq + text
	if seg.is(SYN) {
		end++
	}
	if fin {
		end++
	}
	switch {
	case int32(off) >= rcvWnd:
		return 0, false, DropWindow
	case int32(off) > 0 && seg.Seq == end:
		return 0, false, GotAck // an empty segment ahead of a hole still acknowledges
	case int32(off) > 0:
		return 0, false, DropOrder
	case off == 0:
	case atOrBefore(end, tp.rcvNxt): // off < 0
		return 0, false, DropOld
	default:
		text -= min(text, -off)
	}
	return text, fin, GotAck
}

// staleFin is a retransmitted FIN in TIME-WAIT, which restarts 2MSL (RFC 9293 3.10.7.4, eighth check): any that was received before,
// whatever it acknowledges.
func (tp *Tcpcb) staleFin(seg *Segment) bool { return tp.state == TimeWait && seg.is(FIN) }

// reset is RFC 5961 3.2: only a RST at exactly rcv_nxt is obeyed, and one outside the window not even answered.
func (tp *Tcpcb) reset(seg *Segment) verdict {
	switch off := seg.Seq - tp.rcvNxt; {
	case off == 0:
		return verdict{act: remove, out: GotRst}
	case off < rcvWnd:
		return verdict{out: DropRst, reply: replyAck}
	}
	return verdict{out: DropRst}
}

// ackAndText is RFC 9293 3.10.7.4 from the fifth check on: ACK, text, FIN. An ACK older than snd_una means nothing, but does not spoil
// the text (RFC 5961 5 is optional, MAY-12).
func (tp *Tcpcb) ackAndText(seg *Segment, text uint32, fin bool, out Outcome) verdict {
	if before(tp.sndNxt, seg.Ack) {
		return verdict{out: DropAck, reply: replyAck}
	}
	tp.acknowledge(seg.Ack)
	tp.updateWindow(seg)
	tp.output()
	v := tp.finAcked()
	switch {
	case v.act == remove:
		return v
	case out == DropOrder:
		v.out, v.reply = DropOrder, replyAck
		return v
	}
	if text > 0 {
		v.out, v.reply = tp.text(text)
	}
	if fin {
		return tp.fin(v)
	}
	return v
}

func (tp *Tcpcb) acknowledge(ack uint32) {
	if before(tp.sndUna, ack) {
		tp.sndUna = ack
	}
}

// updateWindow takes the peer's window from the newest segment only (RFC 9293 3.10.7.4, SND.WL1 and SND.WL2), and never from one
// whose ACK is older than snd_una.
func (tp *Tcpcb) updateWindow(seg *Segment) {
	if before(seg.Ack, tp.sndUna) {
		return
	}
	if before(tp.sndWl1, seg.Seq) || tp.sndWl1 == seg.Seq && atOrBefore(tp.sndWl2, seg.Ack) {
		tp.sndWnd, tp.sndWl1, tp.sndWl2 = seg.Win, seg.Seq, seg.Ack
	}
}

// finAcked moves the states that wait for our FIN to be acknowledged.
func (tp *Tcpcb) finAcked() verdict {
	if !tp.finSent || tp.sndUna != tp.sndNxt {
		return verdict{out: GotAck}
	}
	switch tp.state {
	case FinWait1:
		tp.state = FinWait2
	case Closing:
		tp.state = TimeWait
		return verdict{act: timeWait, out: GotAck}
	case LastAck:
		return verdict{act: remove, out: GotAck}
	}
	return verdict{out: GotAck}
}

// text takes n bytes that begin at rcvNxt.
func (tp *Tcpcb) text(n uint32) (Outcome, reply) {
	switch tp.state {
	case Established, FinWait1, FinWait2: // who has closed may still receive
		return GotData, tp.deliver(n)
	}
	return DropOld, replyAck // after the peer's FIN there is no text (seventh check)
}

func (tp *Tcpcb) deliver(n uint32) reply {
	tp.rcvNxt += n
	tp.rcvd += uint64(n)
	tp.delAck = !tp.delAck
	if tp.delAck {
		return 0
	}
	return replyAck
}

// fin takes the peer's FIN, the eighth check; v is the verdict so far, which a second FIN does not change.
func (tp *Tcpcb) fin(v verdict) verdict {
	switch tp.state {
	case Established:
		tp.state = CloseWait
	case FinWait1:
		tp.state = Closing // our FIN is not acknowledged, or finAcked would have moved us
	case FinWait2:
		tp.state = TimeWait
		v.act = timeWait
	default:
		return v
	}
	tp.rcvNxt++
	v.out, v.reply = GotFin, replyAck
	return v
}

// send queues n bytes of the user's and puts on the wire what the window allows, before the connection is open nothing.
func (tp *Tcpcb) send(n int) error {
	switch tp.state {
	case SynSent, SynReceived, Established, CloseWait:
	default:
		return ErrPipe
	}
	if tp.needFin {
		return ErrPipe
	}
	tp.sndBuf += uint32(n)
	tp.sent += uint64(n)
	tp.output()
	return nil
}

// usrClosed is tcp_usrclosed: the user will send no more, and says so once. In SYN-SENT the connection is over at once.
func (tp *Tcpcb) usrClosed() (gone bool, err error) {
	switch tp.state {
	case Closed, Listen, SynSent:
		return true, nil
	case Established:
		tp.state = FinWait1
	case CloseWait:
		tp.state = LastAck
	}
	if tp.needFin {
		return false, ErrPipe
	}
	tp.needFin = true
	tp.output()
	return false, nil
}

// output sends what is buffered as far as the window allows, then the FIN, which needs no window (tcp_output without segments).
func (tp *Tcpcb) output() {
	if tp.state < Established {
		return
	}
	if inFlight := tp.sndNxt - tp.sndUna; tp.sndBuf > 0 && inFlight < tp.sndWnd {
		n := min(tp.sndBuf, tp.sndWnd-inFlight)
		tp.sndNxt += n
		tp.sndBuf -= n
	}
	if tp.needFin && !tp.finSent && tp.sndBuf == 0 {
		tp.finSent = true
		tp.sndNxt++
	}
}
