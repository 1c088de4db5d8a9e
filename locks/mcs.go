// mcs.go: a queue of waiters, each spinning on its own node. From Mellor-Crummey and Scott, "Algorithms for
// Scalable Synchronization", ACM TOCS 9(1), 1991, section 2.4. A worker swaps its node into the tail and links
// it behind the one before; Unlock hands the lock to the next node. First come, first served, with a constant
// number of line transfers per hand-over however many wait; loses when workers outnumber CPUs, as the lock
// goes to a worker that may not be running. Holds: tail is nil exactly while nobody holds the lock.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

type mcs struct {
	tail   atomic.Pointer[Node] // last in the queue, whose first holds the lock
	policy Policy               // constant
}

func newMCS(p Policy) Lock {
	l := Place[mcs]()
	l.policy = p
	return l
}

func (l *mcs) Lock(n *Node) {
	n.mustBeFree("an mcs lock")
	probe.RMW(&l.tail)
	if before := l.tail.Swap(n); before != nil {
		probe.Store(&before.next)
		before.next.Store(n) // pairs with the loads in Unlock
		n.wait(l.policy)
	}
	n.held = true
}

func (l *mcs) TryLock(n *Node) bool {
	n.mustBeFree("an mcs lock")
	probe.RMW(&l.tail)
	n.held = l.tail.CompareAndSwap(nil, n)
	return n.held
}

func (l *mcs) Unlock(n *Node) {
	n.give("an mcs lock")
	probe.Load(&n.next)
	after := n.next.Load()
	if after == nil {
		probe.RMW(&l.tail)
		if l.tail.CompareAndSwap(n, nil) {
			return
		}
		after = n.successor(l.policy)
	}
	n.next.Store(nil) // for the next use; the one after us has linked itself and will not come back
	after.handOver()
}
