// partitioned.go: a ticket lock whose waiters look at different words. From Dice, "Brief Announcement: A
// Partitioned Ticket Lock", SPAA 2011. Numbers are called in turn at a few places, each on a line of its own, and
// a waiter looks at the one where its number will be called. First come, first served; an Unlock disturbs
// one in so many waiters; loses in memory (a line a place), a line more at each hand-over than mcs, and all that a
// ticket lock loses when workers outnumber CPUs. Holds: a number was called if and only if all before it have been done.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// partitionedSlots is how many places there are. With 64 workers, 4 look at the same.
const partitionedSlots = 16

type partitioned struct {
	next   atomic.Uint32 // the number to draw
	policy Policy        // constant; Spin or SpinYield
	_      [LinePad - 8]byte
	grants [partitionedSlots]partitionedGrant // by number: 0 is called when all is zero
	after  uint32                             // the number that the holder will call; the holder's own
	_      [LinePad - 4]byte
}

type partitionedGrant struct {
	called atomic.Uint32 // the latest number called here
	_      [LinePad - 4]byte
}

func newPartitioned(p Policy) Lock {
	l := Place[partitioned]()
	l.policy = p
	return l
}

func (l *partitioned) Lock(*Node) {
	probe.RMW(&l.next)
	mine := l.next.Add(1) - 1
	at := l.at(mine)
	probe.Load(at)
	if at.Load() != mine {
		l.wait(at, mine)
	}
	l.after = mine + 1
}

func (l *partitioned) TryLock(*Node) bool {
	probe.Load(&l.next)
	mine := l.next.Load()
	at := l.at(mine)
	probe.Load(at)
	if at.Load() != mine { // somebody holds the lock
		return false
	}
	// The number was called, and stays so until somebody draws it. If that is us, we hold the lock.
	probe.RMW(&l.next)
	if !l.next.CompareAndSwap(mine, mine+1) {
		return false
	}
	l.after = mine + 1
	return true
}

func (l *partitioned) Unlock(*Node) {
	after := l.after
	at := l.at(after)
	probe.RMW(at)
	if at.Swap(after) == after { // no dearer than a Store, which is an exchange on amd64
		panic("locks: Unlock of an unlocked partitioned lock")
	}
	released()
}

// at is where the number is called. An old number there is never taken for one that waits: 2^32 would have to be drawn at once.
func (l *partitioned) at(number uint32) *atomic.Uint32 {
	return &l.grants[number%partitionedSlots].called
}

func (l *partitioned) wait(at *atomic.Uint32, mine uint32) {
	spin := newSpin(l.policy)
	for probe.Load(at); at.Load() != mine; probe.Load(at) {
		spin.onceOrYield()
	}
}
