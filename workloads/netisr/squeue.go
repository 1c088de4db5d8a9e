package netisr

import (
	"slices"

	"pcbbench/pcbinfo"
)

// squeue.go: a serialization queue a CPU, which whoever comes enters if nobody is in it.
// Source: Solaris 10 and illumos, usr/src/uts/common/inet/squeue.c (SQ_PROCESS, SQS_PROC).
// Idea: who holds a squeue has all of its connections to himself, without further locks, also with the scheme owned. Whoever brings packets or a request
// handles them in place if the squeue is idle and empty, whatever CPU it is; then he handles what others have queued meanwhile, up to a bound.
// Cost: two passes of the squeue's lock a batch or request; who drains works for others, and the connections' lines move between CPUs.
// Holds: packets of one flow, and requests before packets dispatched after them, are handled in order. Only who holds a squeue uses its handle of the
// table: its lock hands that over.
//
// Who holds a squeue may wait for the first one, whose holder waits for nobody: so there is no circle, if handlers only queue what they dispatch. And
// whatever is queued has a holder or a worker who sees to it; where workers are polled, who waits is one of those who poll.

// defaultDrain is two batches.
const defaultDrain = 64

// A squeueContext enters squeues; drain is how many packets it handles there for others.
type squeueContext struct {
	*context
	drain int
}

func newSqueue(c Config, o Options) Isr {
	c.Protocols = byTuple(&c)
	drain := o.Drain
	if drain == 0 {
		drain = defaultDrain
	}
	n := newIsr(c, func(x *context) Dispatcher {
		if x.inner {
			return queueContext{x}
		}
		return squeueContext{x, drain}
	})
	deliver := func(ws *workstream, r *request) {
		if !ws.enter() {
			ws.request(r)
			return
		}
		ws.perform(r)
		ws.exit(drain)
	}
	return newKeeper(n, 1, deliver, func(int) []*workstream { return n.streams })
}

// Dispatch sorts packets by squeue, so that each is entered once.
func (x squeueContext) Dispatch(segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	x.begin()
	for len(segs) > 0 {
		n := sameProto(segs)
		p := &x.c.Protocols[segs[0].Proto]
		for _, seg := range segs[:n] {
			x.put(x.stream(p, seg), seg)
		}
		x.process(segs[0].Proto)
		segs = segs[n:]
	}
	return x.refused
}

// process handles in place what was put for idle squeues, and queues the rest.
func (x squeueContext) process(proto uint8) {
	busy := x.touched[:0]
	for _, i := range x.touched {
		ws := x.streams[i]
		if slices.Contains(x.full, i) || !ws.enter() {
			busy = append(busy, i)
			continue
		}
		x.c.Protocols[proto].Handler(&ws.at, x.to[i])
		w, n := &ws.works[proto], uint64(len(x.to[i])) // the holder's, but for what is counted under lock
		w.Handled += n
		w.HDispatched += n
		x.to[i] = x.to[i][:0]
		ws.exit(x.drain)
	}
	x.touched = busy
	x.flush(proto)
}

// exit ends what enter began: it handles what others have queued meanwhile, about most packets and requests, and leaves the rest to the worker.
func (ws *workstream) exit(most int) {
	ws.lock.Lock(nil)
	for ws.pending.Load() != 0 && most > 0 {
		for proto := range ws.handlers {
			if most -= ws.answerSome(); len(ws.asked) == 0 { // else a packet might overtake a request
				most -= ws.process(proto, most)
			}
		}
	}
	if ws.table != nil {
		ws.table.Idle() // who entered goes on to other things
	}
	ws.flags &^= dispatching
	ws.unlock(ws.pending.Load() != 0 || ws.stopping)
}
