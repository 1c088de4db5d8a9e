// twa.go: a ticket lock with a waiting array. From Dice and Kogan, "TWA: Ticket Locks Augmented with a Waiting Array",
// Euro-Par 2019. Who is next watches the number called, as in ticket; who is further back watches a slot of an array
// that all locks share, and is told to come nearer when it is next. First come, first served, in little more than two
// words, and an Unlock disturbs one waiter or two; loses one RMW of a cold line an Unlock, waiters or not, and
// all that a ticket lock loses when workers outnumber CPUs. Holds: next - owner is the number of holders and waiters.

package locks

import (
	"sync/atomic"
	"unsafe"

	"pcbbench/locks/probe"
)

const (
	twaNear  = 1 // how many before its turn a waiter looks at the number called
	twaSlots = 4096
)

// A twaArray tells waiters of any lock that they are next: a slot changes whenever one who waits there may have become so, and who finds that
// another was meant waits on. Missing a change takes 2^32 of them between two looks.
type twaArray struct {
	_     [LinePad]byte
	slots [twaSlots]atomic.Uint32
	_     [LinePad]byte
}

// twaShared is every lock's. Simulations, which run side by side and must not disturb one another, have one a lock.
var twaShared twaArray

type twa struct {
	next   atomic.Uint32 // the number to draw
	_      [LinePad - 4]byte
	owner  atomic.Uint32 // the number whose turn it is; apart, so that arrivals do not disturb waiters
	policy Policy        // constant; Spin or SpinYield
	array  *twaArray     // constant
	_      [LinePad - 16]byte
}

func newTWA(p Policy) Lock {
	l := Place[twa]()
	l.policy = p
	l.array = &twaShared
	if probe.Simulating {
		l.array = new(twaArray)
	}
	return l
}

func (l *twa) Lock(*Node) {
	probe.RMW(&l.next)
	mine := l.next.Add(1) - 1
	probe.Load(&l.owner)
	if l.owner.Load() != mine {
		l.wait(mine)
	}
}

func (l *twa) TryLock(*Node) bool {
	probe.Load(&l.owner)
	owner := l.owner.Load()
	// If next is owner still, nobody held the lock at that moment, and the ticket we draw is called already.
	probe.RMW(&l.next)
	return l.next.CompareAndSwap(owner, owner+1)
}

// Unlock calls the next, and only then tells the one after it to come nearer: see waitFar. Of a lock that nobody holds it goes unseen and breaks
// it, as a ticket lock's does.
func (l *twa) Unlock(*Node) {
	probe.RMW(&l.owner)
	called := l.owner.Add(1)
	slot := l.slot(called + twaNear)
	probe.RMW(slot)
	slot.Add(1)
	released()
}

// slot is where the holder of a number waits while it is far. Neighbours in the queue are 127 slots apart, and so on different lines; locks begin at
// different places.
func (l *twa) slot(number uint32) *atomic.Uint32 {
	at := uint32(uintptr(unsafe.Pointer(l))/LinePad) ^ number*127
	return &l.array.slots[at%twaSlots]
}

func (l *twa) wait(mine uint32) {
	probe.Load(&l.owner)
	if mine-l.owner.Load() > twaNear {
		l.waitFar(mine)
	}
	spin := newSpin(l.policy) // who is next now may be served soon
	for probe.Load(&l.owner); l.owner.Load() != mine; probe.Load(&l.owner) {
		spin.onceOrYield()
	}
}

// waitFar returns when it is our turn or nearly. The slot is read before the number called, and Unlock changes them the other way round. So if
// our number is still far, the Unlock that will bring it near has not called yet, and will change the slot after we have read it.
func (l *twa) waitFar(mine uint32) {
	spin := newSpin(l.policy)
	slot := l.slot(mine)
	for {
		probe.Load(slot)
		seen := slot.Load()
		probe.Load(&l.owner)
		if mine-l.owner.Load() <= twaNear {
			return
		}
		for probe.Load(slot); slot.Load() == seen; probe.Load(slot) {
			spin.onceOrYield()
		}
	}
}
