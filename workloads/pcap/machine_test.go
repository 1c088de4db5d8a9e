package pcap

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// A machine is the TCP that Flows promises its events to: RFC 9293 with RFC 5961, passive opens only,
// no reassembly queue, no timers. A strict one does not look at the ACK of a segment that it refuses.
type machine struct {
	t      *testing.T
	strict bool
	conns  map[[2]netip.AddrPort]*tcb
}

type tcb struct {
	state               State
	isn                 uint32
	rcvNxt, sndNxt, una uint32
	received, sent      uint64
}

func before(a, b uint32) bool { return int32(a-b) < 0 }

// replay runs the events of all flows in the order of the capture and returns the last TCB of each
// flow, nil if it never had one.
func (m *machine) replay(flows []Flow) []*tcb {
	m.conns = map[[2]netip.AddrPort]*tcb{}
	type step struct{ record, flow, event int }
	var steps []step
	for i := range flows {
		for j := range flows[i].Events {
			steps = append(steps, step{flows[i].Events[j].Record, i, j})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.record, b.record), cmp.Compare(a.flow, b.flow))
	})
	last := make([]*tcb, len(flows))
	for _, s := range steps {
		f := &flows[s.flow]
		key := [2]netip.AddrPort{f.Remote, f.Local}
		m.step(key, f.ISN, &f.Events[s.event])
		if c := m.conns[key]; c != nil {
			last[s.flow] = c
		}
	}
	return last
}

func (m *machine) step(key [2]netip.AddrPort, isn uint32, e *Event) {
	c := m.conns[key]
	if e.Kind == SegmentIn {
		if m.segment(key, c, isn, e) {
			c.state = Closed
			delete(m.conns, key)
		}
		return
	}
	if c == nil {
		m.t.Errorf("%v: user event without a connection: %+v", key, *e)
		return
	}
	switch {
	case e.Kind == UserAbort:
		c.state = Closed
		delete(m.conns, key)
	case c.state != Established && c.state != CloseWait:
		m.t.Errorf("%v: user event in %v: %+v", key, c.state, *e)
	case e.Kind == UserSend:
		if e.Len == 0 {
			m.t.Errorf("%v: send of nothing: %+v", key, *e)
		}
		c.sndNxt += e.Len
		c.sent += uint64(e.Len)
	case e.Kind == UserClose:
		c.sndNxt++
		c.state = map[State]State{Established: FinWait1, CloseWait: LastAck}[c.state]
	}
}

// segment reports whether the connection is gone.
func (m *machine) segment(key [2]netip.AddrPort, c *tcb, isn uint32, e *Event) (gone bool) {
	if e.Flags&(SYN|RST) == SYN {
		if e.Flags != SYN || e.Seq != 0 {
			m.t.Errorf("%v: not the SYN of this flow: %+v", key, *e)
		}
		if c == nil || c.state == TimeWait && before(c.isn+c.rcvNxt, isn+e.Seq) {
			m.conns[key] = &tcb{state: SynReceived, isn: isn, rcvNxt: 1, sndNxt: 1}
		}
		return false
	}
	switch {
	case c == nil:
		return false
	case e.Flags&RST != 0:
		return e.Seq == c.rcvNxt
	case e.Flags&ACK == 0, before(c.sndNxt, e.Ack):
		return false
	}
	if c.state == SynReceived {
		if e.Seq != 1 || e.Ack != 1 {
			return false
		}
		c.state = Established
	}
	end := e.Seq + e.Len + uint32(e.Flags&FIN)
	fits := e.Seq == c.rcvNxt || before(e.Seq, c.rcvNxt) && before(c.rcvNxt, end)
	if m.strict && !fits {
		return false
	}
	return c.ack(e.Ack) || fits && c.text(end, e.Flags&FIN != 0)
}

func (c *tcb) ack(ack uint32) (gone bool) {
	if before(c.una, ack) {
		c.una = ack
	}
	if c.una == c.sndNxt {
		switch c.state {
		case FinWait1:
			c.state = FinWait2
		case Closing:
			c.state = TimeWait
		case LastAck:
			return true
		}
	}
	return false
}

func (c *tcb) text(end uint32, fin bool) (gone bool) {
	if c.state != Established && c.state != FinWait1 && c.state != FinWait2 {
		return false
	}
	c.received += uint64(end - c.rcvNxt)
	c.rcvNxt = end
	if fin {
		c.received--
		c.state = map[State]State{Established: CloseWait, FinWait1: Closing, FinWait2: TimeWait}[c.state]
	}
	return false
}

// checkReplay holds the replay of the flows against what their packets imply.
func checkReplay(t *testing.T, flows []Flow) {
	t.Helper()
	for _, strict := range []bool{false, true} {
		m := machine{t: t, strict: strict}
		for i, c := range m.replay(flows) {
			f := &flows[i]
			if err := checkFlow(f, c); err != nil {
				t.Errorf("strict=%v: %v -> %v from record %d: %v", strict, f.Remote, f.Local, f.Events[0].Record, err)
			}
		}
	}
	if !slices.IsSortedFunc(flows, func(a, b Flow) int { return cmp.Compare(a.Events[0].Record, b.Events[0].Record) }) {
		t.Error("flows are not in the order of their first packets")
	}
	for i := range flows {
		for j := 1; j < len(flows[i].Events); j++ {
			if a, b := &flows[i].Events[j-1], &flows[i].Events[j]; b.Time < a.Time || b.Record < a.Record {
				t.Errorf("flow %d: event %d is before %d", i, j, j-1)
			}
		}
	}
}

func checkFlow(f *Flow, c *tcb) error {
	state := c.state
	if f.Replaced { // by the SYN of a later flow, which a TIME_WAIT connection does not see as its own
		state = Closed
	}
	switch {
	case state != f.State:
		return fmt.Errorf("replay ends in %v, packets imply %v", c.state, f.State)
	case f.Replaced && c.state != Closed && c.state != TimeWait:
		return fmt.Errorf("%v was not closed before its pair was opened again", c.state)
	case c.received != f.Received:
		return fmt.Errorf("replay delivers %d bytes, packets imply %d", c.received, f.Received)
	case c.sent != f.Sent:
		return fmt.Errorf("replay sends %d bytes, packets imply %d", c.sent, f.Sent)
	}
	return nil
}
