package inet

import (
	"pcbbench/locks"
	"pcbbench/pcbinfo"
)

// ifqueue.go: an interface's output queue.
// Source: struct ifqueue and IFQ_HANDOFF (FreeBSD net/ifq.h), and drivers' if_start with IFF_DRV_OACTIVE.
// Idea: whoever queues a packet and finds nobody at the transmitter transmits, and goes on until the queue is empty.
// Cost: one lock for all CPUs that send by the interface, taken once a packet and once more by who transmits.
// Holds: packets leave in the order in which they were queued, and none stays behind; one goroutine transmits at a time.

// An Ifqueue is an interface's queue, with the interface's transmitter.
type Ifqueue struct {
	_        [locks.LinePad]byte
	lock     locks.Mtx
	active   bool               // somebody transmits (OACTIVE); under lock
	queue    []*pcbinfo.Segment // under lock
	out      []*pcbinfo.Segment // of who transmits
	limit    int
	transmit func(handle int, segs []*pcbinfo.Segment)
	Sent     uint64 // of who transmits
	Drops    uint64 // under lock
	_        [locks.LinePad]byte
}

// Init makes q, which nobody uses yet, a queue of at most limit packets. transmit is called with them in order and keeps no pointer of the slice; handle
// is what the Handoff that it is called from was given.
func (q *Ifqueue) Init(limit int, transmit func(handle int, segs []*pcbinfo.Segment)) {
	q.limit, q.transmit = limit, transmit
	q.queue, q.out = make([]*pcbinfo.Segment, 0, limit), make([]*pcbinfo.Segment, 0, limit)
}

// Handoff is IFQ_HANDOFF: it queues seg, and transmits what is queued unless somebody does. If the queue is full it counts a drop and reports false.
func (q *Ifqueue) Handoff(handle int, seg *pcbinfo.Segment) bool {
	q.lock.Lock(nil)
	if len(q.queue) == q.limit {
		q.Drops++
		q.lock.Unlock(nil)
		return false
	}
	q.queue = append(q.queue, seg)
	if q.active { // who transmits looks once more before it says that it does not
		q.lock.Unlock(nil)
		return true
	}
	q.active = true
	q.start(handle)
	return true
}

// start is if_start. It is called with lock held, and lets go of it.
func (q *Ifqueue) start(handle int) {
	for len(q.queue) > 0 {
		q.queue, q.out = q.out[:0], q.queue
		q.lock.Unlock(nil)
		q.Sent += uint64(len(q.out))
		q.transmit(handle, q.out)
		q.lock.Lock(nil)
	}
	q.active = false
	q.lock.Unlock(nil)
}
