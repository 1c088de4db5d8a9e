package netisr

import "pcbbench/pcbinfo"

// direct.go: the segment is processed where it was received.
// Source: FreeBSD 6's net.isr.direct and netisr2's NETISR_DISPATCH_DIRECT (sys/net/netisr.c).
// Idea: no queue and no other thread: the input context calls the handler.
// Cost: none by itself; the lock contention is that of as many input contexts as there are.
// Holds: order within one context; none between two.

type direct Handler

func newDirect(handlers []Handler) []Dispatcher {
	ds := make([]Dispatcher, len(handlers))
	for i, h := range handlers {
		ds[i] = direct(h)
	}
	return ds
}

func (d direct) Dispatch(segs []*pcbinfo.Segment) { d(segs) }
