package netisr

import "pcbbench/pcbinfo"

// deferred.go: every packet goes through a queue to one software-interrupt thread.
// Source: FreeBSD 5 to 7 with net.isr.direct=0, sys/net/netisr.c of 2006: an ifqueue a protocol, one swi "net", a bitmask of pending queues.
// Idea: input contexts do no protocol work; one thread does all of it, so that no lock of the protocols is contended.
// Cost: a queue and, when the thread sleeps, a context switch; no more than one CPU's throughput. A full queue drops.
// Holds: packets of one protocol are handled in the order in which they were queued, whatever their context.

func newDeferred(c Config, _ Options) Isr {
	return newIsr(c, func(x *context) Dispatcher { return queueContext{x} })
}

// A queueContext queues everything.
type queueContext struct{ *context }

func (x queueContext) Dispatch(segs []*pcbinfo.Segment) []*pcbinfo.Segment { return x.Queue(segs) }
