package pcbtest

import "pcbbench/pcbinfo"

const (
	rcvWindow = 1 << 20 // what the stack offers its peers, always
	half      = 1 << 31 // half of sequence space: as far as two numbers can be from one another
)

// unwrap is the position nearest to at that the number n may mean, where position 0 has the number zero. The one that is half of the
// space away lies behind.
func unwrap(n, zero uint32, at int64) int64 { return at + int64(int32(n-zero-uint32(at))) }

// after reports whether position p, unwrapped near q, is beyond it. One that is half of the space away is, though it lies behind.
func after(p, q int64) bool { return p > q || p == q-half }

// An arrival is a segment in a model's positions: text is what stands from seq on, end the position behind its last octet or flag.
type arrival struct {
	flags    uint8
	seq, ack int64
	text     int64
	end      int64
	win      int64
}

func (m *model) arrive(seg *pcbinfo.Segment) arrival {
	a := arrival{flags: seg.Flags, text: int64(seg.Len), win: int64(seg.Win),
		seq: unwrap(seg.Seq, m.irs, m.next), ack: unwrap(seg.Ack, m.iss, m.nxt)}
	a.end = a.seq + a.text
	for _, flag := range []uint8{pcbinfo.SYN, pcbinfo.FIN} {
		if a.has(flag) {
			a.end++
		}
	}
	return a
}

func (a *arrival) has(flag uint8) bool { return a.flags&flag != 0 }

// only reports whether of SYN, ACK and RST, a has exactly flags.
func (a *arrival) only(flags uint8) bool {
	return a.flags&(pcbinfo.SYN|pcbinfo.ACK|pcbinfo.RST) == flags
}

// input is RFC 9293 3.10.7 in any state but LISTEN.
func (m *model) input(seg *pcbinfo.Segment) verdict {
	a := m.arrive(seg)
	switch {
	case m.state == pcbinfo.SynSent:
		return m.answered(&a, seg.Seq)
	case m.state == pcbinfo.TimeWait && a.only(pcbinfo.SYN) && !a.has(pcbinfo.FIN) && after(a.seq, m.next):
		return verdict{reopen: true} // 3.6.1, MAY-2
	case m.state == pcbinfo.SynReceived && a.only(pcbinfo.SYN|pcbinfo.ACK) && a.seq == 0:
		return m.completed(&arrival{seq: a.seq, ack: a.ack, end: a.seq, win: a.win}) // figure 7, line 6: only the ACK counts
	case a.has(pcbinfo.RST):
		return m.reset(&a)
	}
	return m.checked(&a)
}

// answered is 3.10.7.3: a segment in SYN-SENT. Of a SYN neither text nor FIN are taken.
func (m *model) answered(a *arrival, seq uint32) verdict {
	acks := a.has(pcbinfo.ACK)
	acceptable := acks && a.ack == m.nxt // nothing but the SYN is out
	switch {
	case a.has(pcbinfo.RST) && acceptable:
		return verdict{out: pcbinfo.GotRst, remove: true}
	case a.has(pcbinfo.RST):
		return verdict{out: pcbinfo.DropRst}
	case acks && !acceptable:
		return verdict{out: pcbinfo.DropAck, rst: true}
	case !a.has(pcbinfo.SYN):
		return verdict{out: pcbinfo.DropFlags}
	}
	m.irs, m.next = seq, 1
	m.state = pcbinfo.SynReceived
	if !acks {
		return verdict{out: pcbinfo.GotSyn, synAck: true}
	}
	m.opens(&arrival{ack: a.ack, win: a.win})
	return verdict{out: pcbinfo.GotConnect, ack: true}
}

// opens ends the handshake, by an ACK of our SYN.
func (m *model) opens(a *arrival) {
	m.una = a.ack
	m.wnd, m.wl1, m.wl2 = a.win, a.seq, a.ack
	m.state = pcbinfo.Established
	if m.closed {
		m.moves(userCloses)
	}
	m.transmit()
}

// reset is RFC 5961 3.2.
func (m *model) reset(a *arrival) verdict {
	switch {
	case a.seq == m.next:
		return verdict{out: pcbinfo.GotRst, remove: true}
	case m.next < a.seq && a.seq < m.next+rcvWindow:
		return verdict{out: pcbinfo.DropRst, ack: true}
	}
	return verdict{out: pcbinfo.DropRst}
}

// checked is 3.10.7.4 for what is no RST: the first and the fourth check, and the ACK bit.
func (m *model) checked(a *arrival) verdict {
	old := a.seq < m.next && a.end <= m.next
	restarts := old && m.state == pcbinfo.TimeWait && a.has(pcbinfo.FIN) // the peer repeats its FIN
	switch {
	case a.seq >= m.next+rcvWindow:
		return verdict{out: pcbinfo.DropWindow, ack: true}
	case old && !restarts:
		return verdict{out: pcbinfo.DropOld, ack: true}
	case a.has(pcbinfo.SYN):
		return verdict{out: pcbinfo.DropSyn, ack: true}
	case !a.has(pcbinfo.ACK):
		return verdict{out: pcbinfo.DropFlags}
	case restarts:
		return verdict{out: pcbinfo.DropOld, ack: true, timeWait: true}
	case m.state == pcbinfo.SynReceived:
		return m.completed(a)
	}
	return m.taken(a)
}

// completed is the fifth check in SYN-RECEIVED.
func (m *model) completed(a *arrival) verdict {
	if a.ack != m.nxt {
		return verdict{out: pcbinfo.DropAck, rst: true}
	}
	m.opens(a)
	v := m.taken(a)
	if v.out == pcbinfo.GotAck {
		v.out = pcbinfo.GotAccept
	}
	return v
}

// taken is the rest of the fifth check, the seventh and the eighth.
func (m *model) taken(a *arrival) verdict {
	if after(a.ack, m.nxt) {
		return verdict{out: pcbinfo.DropAck, ack: true}
	}
	m.acknowledged(a)
	v := verdict{out: pcbinfo.GotAck}
	if m.una > m.end() && m.moves(finAcked) {
		v.remove, v.timeWait = m.state == pcbinfo.Closed, m.state == pcbinfo.TimeWait
	}
	switch {
	case v.remove:
	case a.seq > m.next && a.end > a.seq:
		v.out, v.ack = pcbinfo.DropOrder, true
	case a.seq <= m.next:
		m.received(a, &v)
	}
	return v
}

// acknowledged is what an ACK does to our side. Only one that is not older than the last takes part in window updates.
func (m *model) acknowledged(a *arrival) {
	if a.ack >= m.una {
		m.una = a.ack
		if a.seq > m.wl1 || a.seq == m.wl1 && a.ack >= m.wl2 {
			m.wnd, m.wl1, m.wl2 = a.win, a.seq, a.ack
		}
	}
	m.transmit()
}

// received takes the text and the FIN of a segment without a hole before it.
func (m *model) received(a *arrival, v *verdict) {
	if fresh := a.seq + a.text - m.next; fresh > 0 {
		switch m.state {
		case pcbinfo.Established, pcbinfo.FinWait1, pcbinfo.FinWait2:
			m.next += fresh
			m.rcvd += fresh
			m.texts++
			v.out, v.ack = pcbinfo.GotData, m.texts%2 == 0
		default: // behind the peer's FIN
			v.out, v.ack = pcbinfo.DropOld, true
		}
	}
	if a.has(pcbinfo.FIN) && m.moves(finComes) {
		m.next++
		v.out, v.ack = pcbinfo.GotFin, true
		v.timeWait = m.state == pcbinfo.TimeWait
	}
}
