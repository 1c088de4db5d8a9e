package handoff

import (
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
)

// spsc.go: a bounded ring for one sender and one receiver.
// Source: Lamport, "Proving the Correctness of Multiprocess Programs", 1977; cached indices after Lee, Bu and Chandranmenon's MCRingBuffer, ANCS 2010.
// Idea: each side writes one index and reads the other's, and keeps a copy of the latter, so that its line moves only when the copy says full or empty.
// Cost: a line for the slots and one for the index, a batch; no lock. A receiver that sleeps costs the sender a load while it does not.
// Holds: order; no more than room packets; each side waits for the other only when the ring is full or empty.

// A ring's slots from head up to tail are the receiver's, the others the sender's.
//
// The sender fills slots and then stores tail; the receiver loads tail before it reads them. The receiver reads slots and then stores head; the
// sender loads head before it fills them again. Both pairs are atomics, so each side sees all that the other did before its Store. A copy that is
// out of date shows less than there is, never more.
type ring struct {
	_     [locks.LinePad]byte
	tail  atomic.Uint64 // packets sent; the sender's
	space uint64        // the sender's copy of head
	_     [locks.LinePad]byte
	head  atomic.Uint64 // packets received; the receiver's
	known uint64        // the receiver's copy of tail
	_     [locks.LinePad]byte
	slots [room]*pcbinfo.Segment
	_     [locks.LinePad]byte
}

// push puts in as many of packets as there is room for.
func (r *ring) push(packets []*pcbinfo.Segment) (n int) {
	tail := r.tail.Load()
	if room-(tail-r.space) < uint64(len(packets)) {
		r.space = r.head.Load()
	}
	n = min(len(packets), int(room-(tail-r.space)))
	for i, p := range packets[:n] {
		r.slots[(tail+uint64(i))%room] = p
	}
	if n > 0 {
		r.tail.Store(tail + uint64(n))
	}
	return n
}

// pop takes as many out as there are and buf holds.
func (r *ring) pop(buf []*pcbinfo.Segment) (n int) {
	head := r.head.Load()
	if r.known == head {
		r.known = r.tail.Load()
	}
	n = min(len(buf), int(r.known-head))
	for i := range buf[:n] {
		buf[i] = r.slots[(head+uint64(i))%room]
	}
	if n > 0 {
		r.head.Store(head + uint64(n))
	}
	return n
}

type spscLink struct {
	ring
	poll   bool
	closed atomic.Bool
	bell   locks.Bell // the receiver's
}

func newSPSC(poll bool) link { return &spscLink{poll: poll} }

func (l *spscLink) send(packets []*pcbinfo.Segment) {
	w := patience{poll: l.poll}
	for {
		n := l.push(packets)
		if n > 0 && !l.poll {
			l.bell.Ring()
		}
		if packets = packets[n:]; len(packets) == 0 {
			return
		}
		w.wait()
	}
}

// serve takes what there is. What was pushed before close is found after closed was seen, since the Load of closed pairs with the Store in close.
func (l *spscLink) serve(handle func([]*pcbinfo.Segment)) {
	w, buf := patience{poll: true}, make([]*pcbinfo.Segment, room)
	ready := func() bool { return l.tail.Load() != l.head.Load() || l.closed.Load() }
	for {
		closed := l.closed.Load()
		n := l.pop(buf)
		switch {
		case n > 0:
			handle(buf[:n])
		case closed:
			return
		case l.poll:
			w.wait()
		default:
			l.bell.Sleep(ready)
		}
	}
}

func (l *spscLink) close() {
	l.closed.Store(true)
	l.bell.Ring()
}
