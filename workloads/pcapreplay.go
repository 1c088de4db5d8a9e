package workloads

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"

	"pcbbench/pcbinfo"
	"pcbbench/workloads/pcap"
)

// pcapreplay.go: real traffic.
// Source: the capture that Params.Trace names.
// Idea: our host is the passive side of each connection; what came to it is input, what it sent tells what its user did. Initial numbers
// of ours are the stack's own, and acknowledgements are moved to them.
// What a lap is: the whole capture, in its order but not at its pace. What the lap before left behind is aborted first.

var pcapReplay = Mix{Name: "pcap", Payload: 1, Traced: true, write: writePcap,
	Doc:    "replay of a capture of real TCP (pcap or pcapng), our host being the passive side",
	Source: "the capture; one is in workloads/testdata"}

// A trace is a capture made ready for replay.
type trace struct {
	flows   []pcap.Flow
	summary pcap.Summary
}

// traces keeps each capture, since every sample is built from it anew.
var traces sync.Map // path: func() (*trace, error)

func openTrace(path string) (*trace, error) {
	load, _ := traces.LoadOrStore(path, sync.OnceValues(func() (*trace, error) {
		c, err := pcap.Open(path)
		if err != nil {
			return nil, err
		}
		flows, summary := c.Flows()
		if len(flows) == 0 {
			return nil, fmt.Errorf("%s: no TCP connection in it", path)
		}
		return &trace{flows, summary}, nil
	}))
	return load.(func() (*trace, error))()
}

// TraceReport says what a capture holds and what of it can be replayed.
func TraceReport(path string) (string, error) {
	t, err := openTrace(path)
	if err != nil {
		return "", err
	}
	return t.summary.String(), nil
}

// A traceEvent is one of a flow's events and its place in the capture.
type traceEvent struct{ flow, record int }

func writePcap(b *builder) error {
	t, err := openTrace(b.p.Trace)
	if err != nil {
		return err
	}
	b.replay = true
	slots, n := t.slots()
	b.lap = 2 * n
	first := map[pcbinfo.ConnInfo]*flow{}
	for i := range t.flows {
		inc := connInfoOf(&t.flows[i])
		f := b.replayFlow(&t.flows[i], inc, slots[i], first[inc])
		first[inc] = f.first
		if !slices.Contains(b.ports, inc.Lport) {
			b.ports = append(b.ports, inc.Lport)
		}
	}
	return nil
}

// slots numbers all n events in the order of the capture, by flow.
func (t *trace) slots() (slots [][]int, n int) {
	var events []traceEvent
	for i := range t.flows {
		for _, e := range t.flows[i].Events {
			events = append(events, traceEvent{flow: i, record: e.Record})
		}
	}
	slices.SortStableFunc(events, func(a, b traceEvent) int { return cmp.Compare(a.record, b.record) })
	slots = make([][]int, len(t.flows))
	for n, e := range events {
		slots[e.flow] = append(slots[e.flow], n)
	}
	return slots, len(events)
}

func connInfoOf(f *pcap.Flow) pcbinfo.ConnInfo {
	addr := func(a netip.AddrPort) (pcbinfo.Addr, uint16) { return pcbinfo.AddrFrom(a.Addr()), a.Port() }
	var inc pcbinfo.ConnInfo
	inc.Faddr, inc.Fport = addr(f.Remote)
	inc.Laddr, inc.Lport = addr(f.Local)
	return inc
}

// replayFlow writes a captured connection's script; first is the first one of its four-tuple, nil if that is this one.
func (b *builder) replayFlow(cf *pcap.Flow, inc pcbinfo.ConnInfo, slots []int, first *flow) *flow {
	p := b.passive(inc, false)
	if first == nil {
		p.seek(2 * slots[0])
		p.request(opAbort, 0)
	}
	iss := pcbinfo.ISN(&inc, cf.ISN)
	for i, e := range cf.Events {
		p.seek(2*slots[i] + 1)
		switch e.Kind {
		case pcap.UserSend:
			p.request(opSend, int(e.Len))
		case pcap.UserClose:
			p.request(opClose, 0)
		case pcap.UserAbort:
			p.request(opAbort, 0)
		default:
			p.captured(e, cf.ISN, iss)
		}
	}
	f := p.f
	if first != nil {
		f.first = first
	}
	f.lastChunk = len(b.chunks)
	f.replaced, f.fixed = cf.Replaced, cf.Replaced || first != nil
	f.state, f.rcv = finalState(cf)
	return f
}

// captured writes a captured segment; one that stands for several is cut to what IP carries.
func (p *peer) captured(e pcap.Event, isn, iss uint32) {
	for off := uint32(0); ; off += math.MaxUint16 {
		n := min(e.Len-off, math.MaxUint16)
		last := off+n == e.Len
		flags := e.Flags
		if !last {
			flags &^= pcbinfo.FIN
		}
		p.seq, p.ack = isn+e.Seq+off, iss+e.Ack
		p.segment(flags, int(n), pcbinfo.NumOutcomes)
		if last {
			return
		}
	}
}

// finalState is where the packets leave our end of a connection, and its rcv_nxt.
func finalState(f *pcap.Flow) (pcbinfo.State, uint32) {
	rcv := f.ISN + 1 + uint32(f.Received)
	switch f.State {
	case pcap.Established:
		return pcbinfo.Established, rcv
	case pcap.CloseWait:
		return pcbinfo.CloseWait, rcv + 1
	case pcap.FinWait1:
		return pcbinfo.FinWait1, rcv
	case pcap.Closing:
		return pcbinfo.Closing, rcv + 1
	case pcap.LastAck:
		return pcbinfo.LastAck, rcv + 1
	case pcap.FinWait2:
		return pcbinfo.FinWait2, rcv
	case pcap.TimeWait:
		return pcbinfo.TimeWait, rcv + 1
	}
	return pcbinfo.Closed, 0 // gone, or half-open and so not in the table
}
