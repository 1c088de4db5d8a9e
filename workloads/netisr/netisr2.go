package netisr

// netisr2.go: every packet goes through the queue of the workstream that its protocol's policy names.
// Source: FreeBSD 8 to 14, sys/net/netisr.c, net.isr.dispatch=deferred: Watson's netisr2 of 2009.
// Idea: a workstream a CPU; packets of one flow, or of one source, always meet the same one, so that their order holds and CPUs work in parallel.
// Cost: a lock and a queue for each packet, also where the workstream is this CPU's; a context switch when its worker sleeps.
// Holds: packets of one flow (policy=flow, cpu) or source (policy=source) are handled in the order in which a context dispatched them.

func newNetisr2(c Config, _ Options) Isr {
	return newIsr(c, func(x *context) Dispatcher { return queueContext{x} })
}
