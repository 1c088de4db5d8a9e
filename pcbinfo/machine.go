package pcbinfo

// A Machine is the TCP machine of one connection, or a listener, outside of any table: what a reference needs in order to say
// what a table must answer. It is used by one goroutine at a time.
type Machine struct{ inp Inpcb }

// A Verdict is a Machine's answer to a segment: what became of it, what goes back to the peer, and what is left to the table.
type Verdict struct {
	Outcome  Outcome // of the segment, unless Reopen
	Ack      bool    // what goes back
	Rst      bool
	SynAck   bool
	Remove   bool // the connection is over
	TimeWait bool // 2MSL begins, or begins anew
	Reopen   bool // the segment is a new connection's: remove this one and look again
}

// NewMachine returns a Machine in CLOSED; inc is a listener's if its foreign end is zero.
func NewMachine(inc ConnInfo) *Machine {
	m := &Machine{}
	m.inp.inc = inc
	return m
}

// Listen makes it a listener.
func (m *Machine) Listen() { m.inp.tp.state = Listen }

// Accept makes it the connection of a handshake whose last ACK is its first Input.
func (m *Machine) Accept(irs, iss, win uint32) { m.inp.tp.accept(irs, iss, win) }

// Connect sends the SYN.
func (m *Machine) Connect(iss uint32) { m.inp.tp.connect(iss) }

// Input takes a segment; a listener's are not for the machine but for the syncache.
func (m *Machine) Input(seg *Segment) Verdict {
	v := m.inp.tp.doSegment(seg)
	return Verdict{
		Outcome: v.out,
		Ack:     v.reply == replyAck, Rst: v.reply == replyRst, SynAck: v.reply == replySynAck,
		Remove: v.act == remove, TimeWait: v.act == timeWait, Reopen: v.act == reopen,
	}
}

// Send is CPU.Send.
func (m *Machine) Send(n int) error { return m.inp.tp.send(n) }

// Close is CPU.Close; gone means that the connection is over at once.
func (m *Machine) Close() (gone bool, err error) { return m.inp.tp.usrClosed() }

// Xinpcb is what a walk tells of it, with no table's generation and no references.
func (m *Machine) Xinpcb() (x Xinpcb) {
	x.copy(&m.inp)
	return x
}
