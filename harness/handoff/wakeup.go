package handoff

import (
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
)

// wakeup.go: a wake-up and nothing else.
// Source: Go's runtime/sema.go, by locks.Sema; with pinned threads a futex of the kernel's.
// Idea: a box for one batch; the sender wakes the receiver when it is full, the receiver the sender when it is empty.
// Cost: two wake-ups a batch, each a context switch where both are on one CPU.
// Holds: order; one batch at a time.

type wakeupLink struct {
	box         []*pcbinfo.Segment
	full, empty locks.Sema
	// state orders the box's reader after its writer and the other way round, beside the semaphores, which the race detector does not see.
	state atomic.Uint32
}

// What is in the box.
const (
	nothing = iota
	batch
	theEnd
)

func newWakeup(bool) link {
	l := &wakeupLink{}
	l.empty.Post()
	return l
}

func (l *wakeupLink) put(what uint32, packets []*pcbinfo.Segment) {
	l.empty.Wait()
	if l.state.Load() != nothing { // pairs with the Store in serve
		panic("handoff: the box is not empty")
	}
	l.box = append(l.box[:0], packets...)
	l.state.Store(what) // pairs with the Load in serve
	l.full.Post()
}

func (l *wakeupLink) send(packets []*pcbinfo.Segment) { l.put(batch, packets) }

func (l *wakeupLink) serve(handle func([]*pcbinfo.Segment)) {
	for {
		l.full.Wait()
		if l.state.Load() == theEnd {
			return
		}
		handle(l.box)
		l.state.Store(nothing)
		l.empty.Post()
	}
}

func (l *wakeupLink) close() { l.put(theEnd, nil) }
