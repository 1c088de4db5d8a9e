package handoff

import (
	"sync/atomic"

	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// workstream.go: a netisr2 workstream, as the benchmarks use it.
// Source: FreeBSD 8 to 14, sys/net/netisr.c: netisr_queue and swi_net.
// Idea: the sender appends to the workstream's queue under its lock; the worker takes the whole queue at once and handles it without the lock.
// Cost: two passes of a lock a batch on either side, and steering by source; a signal when the queue was empty and nobody is at it.
// Holds: order of one source. A full queue refuses, and the sender tries again.

// receiverSource is the source whose packets are the receiver's: of two workstreams, the one that is not the sender's.
const receiverSource = 1

type workstreamLink struct {
	isr    netisr.Isr
	port   netisr.Dispatcher
	worker netisr.Worker
	poll   bool
	closed atomic.Bool
	handle func([]*pcbinfo.Segment) // the receiver's
}

func newWorkstream(poll bool) link {
	sp, err := netisr.ParseSpec("netisr2")
	if err != nil {
		panic("handoff: " + err.Error())
	}
	l := &workstreamLink{poll: poll}
	l.isr = sp.New(netisr.Config{Contexts: []int{0}, Streams: []int{0, 1}, QLimit: room, Poll: poll,
		Protocols: []netisr.Protocol{{Name: "ip", Policy: netisr.Source, Handler: func(_ *netisr.At, segs []*pcbinfo.Segment) { l.handle(segs) }}}})
	l.port, l.worker = l.isr.Context(0), l.isr.Workers()[receiverSource]
	return l
}

func (l *workstreamLink) send(packets []*pcbinfo.Segment) {
	w := patience{poll: l.poll}
	for packets = l.port.Queue(packets); len(packets) > 0; packets = l.port.Queue(packets) {
		w.wait()
	}
}

func (l *workstreamLink) serve(handle func([]*pcbinfo.Segment)) {
	l.handle = handle
	if !l.poll {
		l.worker.Serve()
		return
	}
	w := patience{poll: true}
	for closed := false; ; w.wait() {
		if l.worker.Run() == 0 && closed {
			return
		}
		closed = l.closed.Load() // pairs with the Store in close: what was queued before it is found by one more Run
	}
}

func (l *workstreamLink) close() {
	l.closed.Store(true)
	l.isr.Stop()
}
