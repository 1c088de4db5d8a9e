package workloads

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/inet"
	"pcbbench/workloads/netisr"
)

// arp.go: neighbours that tell where they are.
// Source: FreeBSD netinet/if_ether.c: arp_nh is registered by NETISR_POLICY_SOURCE, since ARP has no flows, and what one interface brings must stay in order;
// in_arpinput. The figures are ours.
// Idea: each input context has neighbours of its own, and each update a new link-layer address and a number that the handler compares with the source's last.
// What a lap is: at least four updates a neighbour on average, drawn by popularity.

var arp = Mix{Name: "arp", Conns: 1024, Payload: 28, Popularity: true, NoTable: true, write: writeARP, steered: "ARP has no flows, each neighbour is one interface's",
	tuples: func(Params) (in, out int) { return 0, 0 },
	Doc:    "updates of the neighbours' link-layer addresses, in the order of their source; no connections",
	Source: "FreeBSD if_ether.c (in_arpinput, NETISR_POLICY_SOURCE), if_llatbl.c; figures are assumptions"}

func writeARP(b *builder) error {
	b.path = new(neighbours)
	n := b.lapOf(b.p.Conns, rpcPerConn*b.p.Conns) * b.p.Conns
	for i, times := range b.draw(n, b.p.Conns) {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		p := b.peer(flow{inc: pcbinfo.ConnInfo{Faddr: pcbinfo.AddrFrom(addr)}, worker: i % b.p.Workers})
		p.ack = b.rng.Uint32() // stands for the link-layer address
		for _, at := range times {
			p.seek(int(at))
			p.segment(pcbinfo.ACK, b.p.Payload, firstFate)
			p.ack++
		}
		p.packets(uint32(len(times)))
	}
	return nil
}

// neighbours are arp's path.
type neighbours struct {
	t       *Traffic
	table   inet.Lltable
	sources []source
	updates []counted // by handle
}

// A source is what the handler knows of an input context. It is written by who handles that one's packets, as the policy has it one at a time; it is
// atomic so that a model which breaks that is told of.
type source struct {
	next  atomic.Uint32 // number of the update that is due
	early atomic.Uint32 // others that came in its place
	_     [locks.LinePad - 8]byte
}

// register numbers all updates by their source, too.
func (a *neighbours) register(t *Traffic) []netisr.Protocol {
	a.t, a.updates, a.sources = t, make([]counted, len(t.table)), make([]source, len(t.w.Rings))
	for _, r := range t.w.Rings {
		for i := range r.segs {
			r.segs[i].Seq, r.steps[i].seq = uint32(i), uint32(len(r.segs))
		}
	}
	return []netisr.Protocol{{Name: "arp", Policy: netisr.Source, Handler: a.input}}
}

// input is arpintr and in_arpinput.
func (a *neighbours) input(at *netisr.At, segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		if src := &a.sources[seg.Source]; !src.next.CompareAndSwap(seg.Seq, seg.Seq+1) {
			src.early.Add(1)
			src.next.Store(seg.Seq + 1)
		}
		a.table.Update(seg.Inc.Faddr, uint64(seg.Ack))
	}
	a.updates[at.Handle].n += uint64(len(segs))
	if !a.t.inline {
		a.t.handled(at.Handle, segs)
	}
}

func (a *neighbours) tick() {}

func (a *neighbours) check(w *Workload, ds []*Driver) error {
	errs := []error{match("with updates", sum(a.updates), planned(ds, 0)), a.checkTable(w, ds)}
	for i, d := range ds {
		src := &a.sources[i]
		if n := src.early.Load(); n > 0 {
			errs = append(errs, fmt.Errorf("source %d: %d updates came out of order", i, n))
		}
		errs = append(errs, match(fmt.Sprintf("of source %d, by the last one's number,", i), uint64(src.next.Load()), uint64(uint32(d.Sent()))))
	}
	return errors.Join(errs...)
}

// checkTable holds the table against what each neighbour said last.
func (a *neighbours) checkTable(w *Workload, ds []*Driver) error {
	last := map[pcbinfo.Addr]uint64{}
	for i, d := range ds {
		if d.lap == 0 {
			continue
		}
		for _, seg := range w.Rings[i].segs {
			last[seg.Inc.Faddr] = uint64(seg.Ack)
		}
	}
	wrong := tally{}
	for addr, want := range last {
		if got, ok := a.table.Lookup(addr); !ok || got != want {
			wrong.add(fmt.Errorf("neighbour %v is at %08x, should be at %08x", addr.Netip(), got, want))
		}
	}
	if n := a.table.Len(); n != len(last) {
		wrong.add(fmt.Errorf("%d neighbours in the table, should be %d", n, len(last)))
	}
	return wrong.err()
}

func (a *neighbours) counters() []pcbinfo.Counter {
	return []pcbinfo.Counter{{Name: "arp-updates", Value: sum(a.updates)}, {Name: "neighbours", Value: uint64(a.table.Len()), Gauge: true}}
}
