package netisr

import "pcbbench/pcbinfo"

// direct.go: the packet is processed where it was received.
// Source: FreeBSD 6's net.isr.direct and netisr2's NETISR_DISPATCH_DIRECT (sys/net/netisr.c).
// Idea: no queue and no other thread: the input context calls the handler. What must not recurse (netisr_queue) goes through a workstream all the same.
// Cost: none by itself; the lock contention is that of as many input contexts as there are.
// Holds: order within one context; none between two.

type directContext struct{ *context }

func newDirect(c Config, _ Options) Isr {
	return newIsr(c, func(x *context) Dispatcher { return directContext{x} })
}

func (x directContext) Dispatch(segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	for len(segs) > 0 {
		n, proto := sameProto(segs), segs[0].Proto // which a handler may change
		x.inPlace(&x.at, segs[:n])
		x.direct[proto].Dispatched += uint64(n)
		segs = segs[n:]
	}
	return nil
}
