package workloads

import (
	"fmt"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// A path is what the packets of a mix meet before ip_input, or instead of it, with its counts. It is for one run, like its workload.
type path interface {
	// register gives the protocols of the packets, by Segment.Proto. It is called once, before anything is sent.
	register(t *Traffic) []netisr.Protocol
	// tick is called ticksPerLap times a lap, by one goroutine, while packets go by.
	tick()
	// check compares what was counted with what ds sent in whole laps.
	check(w *Workload, ds []*Driver) error
	counters() []pcbinfo.Counter
}

// firstFate is the first of the outcomes that are a path's own: of packets that a table never sees. A table's end below NumOutcomes, which stands for not known.
const firstFate = pcbinfo.NumOutcomes + 1

// maxFates is how many of them a mix may have.
const maxFates = 2 + maxIfs

// protocols are those that the workload's packets are of.
func (w *Workload) protocols(t *Traffic) []netisr.Protocol {
	if w.path != nil {
		return w.path.register(t)
	}
	return []netisr.Protocol{t.ip(t.input)}
}

// ip is the registration of a handler as ip_nh is registered (ip_input.c since FreeBSD 8): by flow, and so that policy=cpu makes of it what kernels with RSS do
// (NETISR_POLICY_CPU and rss_soft_m2cpuid, netinet/in_rss.c), the CPU whose card's queue the flow's bucket belongs to.
func (t *Traffic) ip(handler func(*netisr.At, []*pcbinfo.Segment)) netisr.Protocol {
	workers := t.w.Workers
	return netisr.Protocol{Name: "ip", Policy: netisr.Flow, Handler: handler,
		M2cpuid: func(seg *pcbinfo.Segment) int { return rssWorker(seg.FlowID, workers) }}
}

// input is ip_input.
func (t *Traffic) input(at *netisr.At, segs []*pcbinfo.Segment) {
	t.table[at.Handle].Input(segs)
	if !t.inline {
		t.handled(at.Handle, segs)
	}
}

// dispatch is how a card, or this host itself, hands packets over.
func (t *Traffic) dispatch(port netisr.Dispatcher, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	if t.w.local {
		return port.Queue(segs)
	}
	return port.Dispatch(segs)
}

// slowTimo is the clock's work.
func (t *Traffic) slowTimo(now uint32) {
	t.clock.SlowTimo(now)
	if t.w.path != nil {
		t.w.path.tick()
	}
}

// A counted is one handle's part of a count: written by who uses one handle of the table, and read at rest.
type counted struct {
	n uint64
	_ [locks.LinePad - 8]byte
}

func sum(counts []counted) (n uint64) {
	for i := range counts {
		n += counts[i].n
	}
	return n
}

// planned is how many packets ds sent for that fate.
func planned(ds []*Driver, fate int) (n uint64) {
	for _, d := range ds {
		n += d.lap * d.ring.fates[fate]
	}
	return n
}

// match is the error of a count that is not as planned.
func match(what string, got, want uint64) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("packets %s: %d sent, %d counted: %+d", what, want, got, int64(got-want))
}

// checkPath is Check's part that needs no table.
func (w *Workload) checkPath(ds []*Driver) error {
	if w.path == nil {
		return nil
	}
	return w.path.check(w, ds)
}

// Counters are what the mix's protocols beside TCP have counted, in a fixed order; none for most mixes. Call it at rest.
func (w *Workload) Counters() []pcbinfo.Counter {
	if w.path == nil {
		return nil
	}
	return w.path.counters()
}

// packets ends the script of packets that are no connection's: from lap to lap their Ack moves on by ackStep.
func (p *peer) packets(ackStep uint32) {
	p.done()
	p.f.ackStep = ackStep
}
