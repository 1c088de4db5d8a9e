package pcbtest

import "pcbbench/pcbinfo"

// A model is one connection as RFC 9293 tells it, for comparison with package pcbinfo's machine, of which it shares nothing. Where
// the machine computes modulo 2^32, the model counts positions: int64 offsets from the peer's initial number (next, wl1) or from ours
// (una, nxt, wl2), at which SYN is 0, text begins with 1, and nothing ever wraps. Numbers are converted once, when a segment arrives.
//
// Our stream is SYN, sent bytes, and FIN if the user has closed; una and nxt say how much of it is acknowledged and on the wire, so
// that nothing is kept about buffers and FINs which could contradict them.
type model struct {
	state    pcbinfo.State
	irs, iss uint32
	next     int64 // RCV.NXT
	una, nxt int64 // SND.UNA, SND.NXT
	wnd      int64 // SND.WND
	wl1, wl2 int64 // SND.WL1, SND.WL2
	sent     int64 // bytes that the user gave us
	rcvd     int64 // bytes that the user got
	texts    int   // segments that brought them
	closed   bool  // the user has closed
}

// A verdict is what a model says to a segment.
type verdict struct {
	out                      pcbinfo.Outcome // of the segment, unless reopen
	ack, rst, synAck         bool            // what goes back
	remove, timeWait, reopen bool            // what is left to the table
}

// An event is what moves a connection along RFC 9293's figure 5, once it is open.
type event uint8

const (
	userCloses event = iota
	finComes         // in order
	finAcked         // ours
)

// transitions are figure 5's edges. A connection in CLOSED is over.
var transitions = [...]map[pcbinfo.State]pcbinfo.State{
	userCloses: {pcbinfo.Established: pcbinfo.FinWait1, pcbinfo.CloseWait: pcbinfo.LastAck},
	finComes:   {pcbinfo.Established: pcbinfo.CloseWait, pcbinfo.FinWait1: pcbinfo.Closing, pcbinfo.FinWait2: pcbinfo.TimeWait},
	finAcked:   {pcbinfo.FinWait1: pcbinfo.FinWait2, pcbinfo.Closing: pcbinfo.TimeWait, pcbinfo.LastAck: pcbinfo.Closed},
}

// moves takes the edge for e and reports whether there is one.
func (m *model) moves(e event) bool {
	to, ok := transitions[e][m.state]
	if ok {
		m.state = to
	}
	return ok
}

// accepted is a connection whose handshake lacks its last ACK, which will tell the window.
func accepted(irs, iss uint32) *model {
	return &model{state: pcbinfo.SynReceived, irs: irs, iss: iss, next: 1, nxt: 1}
}

// connecting is a connection whose SYN is on the wire.
func connecting(iss uint32) *model { return &model{state: pcbinfo.SynSent, iss: iss, nxt: 1} }

// end is the position behind the last byte of text: our FIN's.
func (m *model) end() int64 { return 1 + m.sent }

// open reports whether the handshake is over, and with it whether text and FIN may go out.
func (m *model) open() bool { return m.state != pcbinfo.SynSent && m.state != pcbinfo.SynReceived }

// transmit puts on the wire what the peer's window lets out, and the FIN, to which windows do not apply.
func (m *model) transmit() {
	if !m.open() {
		return
	}
	m.nxt = max(m.nxt, min(m.end(), m.una+m.wnd))
	if m.closed && m.nxt == m.end() {
		m.nxt++
	}
}

// send is the user's SEND, RFC 9293 3.10.2: queued until the connection is open, refused after CLOSE.
func (m *model) send(n int) error {
	if m.closed {
		return pcbinfo.ErrPipe
	}
	m.sent += int64(n)
	m.transmit()
	return nil
}

// close is the user's CLOSE, RFC 9293 3.10.4. Before there is a peer it ends the connection at once.
func (m *model) close() (gone bool, err error) {
	switch {
	case m.state == pcbinfo.SynSent:
		return true, nil
	case m.closed:
		return false, pcbinfo.ErrPipe
	}
	m.closed = true
	m.moves(userCloses)
	m.transmit()
	return false, nil
}

// xinpcb is what a walk must tell.
func (m *model) xinpcb(inc pcbinfo.ConnInfo) pcbinfo.Xinpcb {
	return pcbinfo.Xinpcb{
		Inc: inc, State: m.state,
		Irs: m.irs, RcvNxt: m.irs + uint32(m.next),
		Iss: m.iss, SndUna: m.iss + uint32(m.una), SndNxt: m.iss + uint32(m.nxt),
		Rcvd: uint64(m.rcvd), Sent: uint64(m.sent), Unsent: uint32(max(0, m.end()-m.nxt)),
	}
}
