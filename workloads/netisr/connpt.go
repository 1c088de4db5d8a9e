package netisr

import "pcbbench/pcbinfo"

// connpt.go: protocol threads own the connections; packets and requests are messages to the owner.
// Source: Willmann, Rixner and Cox, USENIX ATC 2006, ConnP-T(n); DragonFly's netmsg threads, which are one a CPU (sys/net/netisr.c).
// Idea: one thread does everything that concerns a connection, so that with the scheme owned its table needs no lock; sockets without a full four-tuple
// live on thread 0.
// Cost: a queue and a context switch for each packet and each call of a user, who waits for the answer, or (calls=async) only where he needs one.
// Holds: packets of one flow, and requests before packets dispatched after them, are handled in order. Nobody waits for ever, see below.
//
// Who waits for whom: users and walkers, who hold nothing, wait for any thread; threads wait for thread 0 only (a SYN, or whether a port has a listener);
// thread 0 waits for nobody. There is no circle in that. Where threads are polled a second thing is needed: that whoever waits keeps the threads going
// that are his to poll. A user runs all of them, as he is in none; a thread that waits for thread 0 runs that one, if the same goroutine polls both, and
// not itself: its part of the table must stand still until it has its answer. Any other goroutine polls thread 0 in time, for the same reasons.

// asyncCalls is how many requests a user may have on their way that he does not wait for.
const asyncCalls = 64

func newConnpT(c Config, o Options) Isr {
	c.Protocols = byTuple(&c)
	n := newIsr(c, func(x *context) Dispatcher { return queueContext{x} })
	calls := 1
	if o.Async {
		calls = asyncCalls
	}
	return newKeeper(n, calls, (*workstream).request, func(context int) (list []*workstream) {
		for i := context; i < len(n.streams); i += len(c.Contexts) {
			list = append(list, n.streams[i])
		}
		return list
	})
}

// byTuple steers packets as requests are steered, by their four-tuples: those that have flows, and behind an Owned table all but what goes by its source.
func byTuple(c *Config) []Protocol {
	_, owned := c.Table.(pcbinfo.Owned)
	protocols := c.Protocols // Spec.New's own
	for i := range protocols {
		p := &protocols[i]
		if owned && p.Policy != Source || p.Policy == Flow && p.M2flow == nil {
			p.Policy = Flow
			p.M2flow = func(seg *pcbinfo.Segment) uint32 { return uint32(seg.Inc.Part(len(c.Streams))) }
		}
	}
	return protocols
}
