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

// The state of a waiting node.
const (
	mcsWaiting = iota // looks at its node
	mcsParked         // sleeps or is about to
	mcsGranted        // holds the lock
)

// mcsNode is the part of a Node that the mcs lock uses.
type mcsNode struct {
	next  atomic.Pointer[Node] // who is served after us; set by that one. nil while not queued
	state atomic.Uint32        // one of the above, while waiting
	sema  uint32               // posted to who is mcsParked
	held  bool                 // the node holds a lock; its worker's own
}

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
	if n.held {
		panic("locks: Lock of an mcs lock with a node in use")
	}
	probe.RMW(&l.tail)
	if before := l.tail.Swap(n); before != nil {
		n.state.Store(mcsWaiting) // before we are linked, so before anybody can grant
		probe.Store(&before.next)
		before.next.Store(n) // pairs with the loads in Unlock
		l.wait(n)
	}
	n.held = true
}

func (l *mcs) TryLock(n *Node) bool {
	if n.held {
		panic("locks: TryLock of an mcs lock with a node in use")
	}
	probe.RMW(&l.tail)
	n.held = l.tail.CompareAndSwap(nil, n)
	return n.held
}

func (l *mcs) Unlock(n *Node) {
	if !n.held {
		panic("locks: Unlock of an mcs lock with a node that does not hold it")
	}
	n.held = false
	probe.Load(&n.next)
	after := n.next.Load()
	if after == nil {
		probe.RMW(&l.tail)
		if l.tail.CompareAndSwap(n, nil) {
			return
		}
		after = l.successor(n)
	}
	n.next.Store(nil) // for the next use; the one after us has linked itself and will not come back
	l.grant(after)
}

// successor waits for the node that has swapped itself in behind n to link itself.
func (l *mcs) successor(n *Node) *Node {
	spin := newSpin(l.policy)
	for {
		probe.Load(&n.next)
		if after := n.next.Load(); after != nil {
			return after
		}
		spin.onceOrYield()
	}
}

// grant hands the lock over. After the Swap a waiter that spins may use its node for another lock; one that
// parked may not, as it needs the post first. Either way the waiter's load of mcsGranted orders it after us.
func (l *mcs) grant(n *Node) {
	probe.RMW(&n.state)
	if n.state.Swap(mcsGranted) == mcsParked {
		unpark(&n.sema)
	}
}

// wait returns when n holds the lock. No wake-up is lost: the CAS to mcsParked and the Swap in grant are ordered,
// and either the CAS fails or the Swap finds mcsParked and posts the semaphore.
func (l *mcs) wait(n *Node) {
	spin := newSpin(l.policy)
	for probe.Load(&n.state); n.state.Load() != mcsGranted; probe.Load(&n.state) {
		if l.policy != SpinPark {
			spin.onceOrYield()
			continue
		}
		if spin.once() {
			continue
		}
		probe.RMW(&n.state)
		if n.state.CompareAndSwap(mcsWaiting, mcsParked) {
			park(&n.sema)
		}
	}
}
