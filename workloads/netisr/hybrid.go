package netisr

import "pcbbench/pcbinfo"

// hybrid.go: in place where that keeps the order, else through a queue.
// Source: FreeBSD 8 to 14, sys/net/netisr.c, NETISR_DISPATCH_HYBRID in netisr_dispatch_src.
// Idea: if the packet's workstream is this CPU's, and nobody is in it or on the way to it, the context handles the packet as its worker would.
// Cost: two passes of the workstream's lock in place; netisr2's where not.
// Holds: netisr2's order. Whatever is queued before a context dispatches has a flag set that sends the context's packets behind it.

type hybridContext struct{ *context }

func newHybrid(c Config, _ Options) Isr {
	return newIsr(c, func(x *context) Dispatcher {
		x.open = x.cpu
		return hybridContext{x}
	})
}

// Dispatch takes runs of packets that belong to one workstream, so that those of one batch keep their order on either way.
func (x hybridContext) Dispatch(segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	x.begin()
	for len(segs) > 0 {
		n, own := x.run(segs)
		if !own || !x.dispatch(segs[:n]) {
			x.scatter(segs[:n])
		}
		segs = segs[n:]
	}
	return x.refused
}

// run is how many of segs, from the first on, are of one protocol and all of this CPU's workstream, or all of others.
func (x hybridContext) run(segs []*pcbinfo.Segment) (n int, own bool) {
	n = sameProto(segs)
	p := &x.c.Protocols[segs[0].Proto]
	own = x.stream(p, segs[0]) == x.cpu
	for i := range segs[:n] {
		if (x.stream(p, segs[i]) == x.cpu) != own {
			return i, own
		}
	}
	return n, own
}

// dispatch handles packets of this CPU's workstream in place, unless something is ahead of them.
func (x hybridContext) dispatch(segs []*pcbinfo.Segment) bool {
	ws := x.streams[x.cpu]
	if len(x.full) > 0 || !ws.enter() {
		return false
	}
	proto := segs[0].Proto // the sender may send them again, once they are handled
	x.inPlace(&ws.at, segs)
	x.direct[proto].HDispatched += uint64(len(segs))
	ws.leave()
	return true
}

// enter makes the caller the one who handles this workstream's packets, if nobody is and nothing is queued.
func (ws *workstream) enter() bool {
	ws.lock.Lock(nil)
	defer ws.lock.Unlock(nil)
	if ws.flags != 0 {
		return false
	}
	ws.flags = dispatching
	return true
}

// leave ends what enter began. Who queued meanwhile saw the flag and signalled nobody.
func (ws *workstream) leave() {
	ws.lock.Lock(nil)
	ws.flags &^= dispatching
	ws.unlock(ws.pending.Load() != 0 || ws.stopping)
}
