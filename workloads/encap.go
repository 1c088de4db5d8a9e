package workloads

import (
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// encap.go: requests that come in through tunnels.
// Source: FreeBSD netinet/ip_encap.c (encap4_input) and net/if_gif.c (gif_input gives the inner packet to netisr_dispatch again); the nesting that a host takes part in is
// bounded, as net.link.gif.max_nesting bounds that of what a host sends. The talk's encap; the shares are ours.
// Idea: a card and netisr see the tunnel's flow, which is the same for all that is in it; the packet inside is dispatched once more, by its own flow.
// A quarter of the connections are in a tunnel inside of another one, and one of 64 flows is nested deeper than this host goes: its packets are dropped.
// What a lap is: rpc's.

var encap = Mix{Name: "encap", Conns: 4096, Payload: 128, Popularity: true, Tunnels: 16, write: writeEncap,
	Doc:    "rpc through tunnels: what a packet holds is dispatched again, by its own flow",
	Source: "FreeBSD ip_encap.c, if_gif.c (netisr_dispatch of the inner packet); the talk's encap"}

// The protocols of encap's packets.
const (
	protoIP = iota
	protoEncap
)

// maxNest is how many levels of encapsulation are taken off a packet: as netisr_dispatch may handle it in place, each takes stack.
const maxNest = 2

func writeEncap(b *builder) error {
	tun := newTunnels(b.p.Tunnels)
	b.path = tun
	n := b.lapOf(b.p.Conns, rpcPerConn*b.p.Conns) * b.p.Conns
	for i, times := range b.draw(n, b.p.Conns) {
		inc := b.p.connInfo(i)
		deep := nesting(Toeplitz(&inc)) > maxNest
		p := b.passive(inc, !deep)
		p.f.proto = protoEncap
		p.f.worker = rssWorker(tun.flow(p.f.flowID, 0), b.p.Workers) // all that a card hashes is the outermost header
		if deep {
			p.stray(times)
		} else {
			p.requests(times)
		}
	}
	return nil
}

// stray writes packets that never get as far as a table.
func (p *peer) stray(times []int32) {
	for _, at := range times {
		p.seek(int(at))
		p.segment(pcbinfo.ACK|pcbinfo.PSH, p.b.p.Payload, firstFate)
	}
	p.done()
}

// nesting is how many tunnels packets of that flow are in.
func nesting(flowID uint32) uint8 {
	switch share := flowID >> 26; { // of 64
	case share == 0:
		return maxNest + 1
	case share <= 16:
		return 2
	}
	return 1
}

// tunnels are where encap's packets come in.
type tunnels struct {
	t     *Traffic
	flows []uint32  // by tunnel: the hash over its two ends
	deep  []counted // by handle: packets nested deeper than maxNest
}

func newTunnels(n int) *tunnels {
	e := &tunnels{}
	for i := range n {
		e.flows = append(e.flows, Toeplitz(&pcbinfo.ConnInfo{Faddr: peerAddr(i, false), Laddr: localV4})) // no ports
	}
	return e
}

// flow is that of the tunnel that a packet of flowID is in when level levels have been taken off.
func (e *tunnels) flow(flowID uint32, level uint8) uint32 {
	return e.flows[(flowID>>7+uint32(level))%uint32(len(e.flows))] // not the bits that RSS looks at
}

func (e *tunnels) register(t *Traffic) []netisr.Protocol {
	e.t, e.deep = t, make([]counted, len(t.table))
	outer := func(seg *pcbinfo.Segment) uint32 { return e.flow(seg.FlowID, seg.Level) }
	return []netisr.Protocol{protoIP: t.ip(e.input), protoEncap: {Name: "encap", Policy: netisr.Flow, Handler: e.decap, M2flow: outer,
		M2cpuid: func(seg *pcbinfo.Segment) int { return rssWorker(outer(seg), t.w.Workers) }}}
}

// decap takes a level off (gif_input), or drops what is nested too deep (encap4_input would find no tunnel for it).
func (e *tunnels) decap(at *netisr.At, segs []*pcbinfo.Segment) {
	for len(segs) > 0 {
		deep, n := nesting(segs[0].FlowID) > maxNest, 1
		for n < len(segs) && (nesting(segs[n].FlowID) > maxNest) == deep {
			n++
		}
		if deep {
			e.drop(at, segs[:n])
		} else {
			e.inner(at, segs[:n])
		}
		segs = segs[n:]
	}
}

func (e *tunnels) drop(at *netisr.At, segs []*pcbinfo.Segment) {
	e.deep[at.Handle].n += uint64(len(segs))
	e.done(at, segs)
}

// inner dispatches what is in segs: IP, or another tunnel's packet.
func (e *tunnels) inner(at *netisr.At, segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		if seg.Level++; seg.Level == nesting(seg.FlowID) {
			seg.Proto = protoIP
		}
	}
	if len(at.Dispatch(segs)) > 0 {
		panic("workloads: netisr refused what came out of packets that it had let in")
	}
}

// input is ip_input of what has come out of all tunnels.
func (e *tunnels) input(at *netisr.At, segs []*pcbinfo.Segment) {
	e.t.table[at.Handle].Input(segs)
	e.done(at, segs)
}

// done makes of segs what a card will bring when they are sent again.
func (e *tunnels) done(at *netisr.At, segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		seg.Proto, seg.Level = protoEncap, 0
	}
	if !e.t.inline {
		e.t.handled(at.Handle, segs)
	}
}

func (e *tunnels) tick() {}

func (e *tunnels) check(_ *Workload, ds []*Driver) error {
	return match("nested too deep", sum(e.deep), planned(ds, 0))
}

func (e *tunnels) counters() []pcbinfo.Counter {
	return []pcbinfo.Counter{{Name: "too-deep", Value: sum(e.deep)}}
}
