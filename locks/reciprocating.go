// reciprocating.go: a stack of arrivals that is taken over as a whole. From Dice and Kogan, "Reciprocating Locks",
// arXiv 2501.02380, 2025. A worker swaps its node onto the arrivals and spins on that node; who has
// served the last of the segment before takes all arrivals at once as the next segment, and they are served youngest
// first. One word, one swap to arrive and at most two to leave, and waiters look at their own line only; who came later goes
// first within a segment, so that each of those may pass a waiter once, and no more. Loses, as all queues do, when workers outnumber
// CPUs. Holds: arrivals is nil exactly while nobody holds the lock.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// noArrivals as the top of the arrivals says that the lock is held and nobody has come since the holder took them all.
var noArrivals = new(Node)

// A reciprocating lock. What a holder knows is in its node: prev, who came before it and is served after it, and end, the node at which the
// segment ends. That one is no waiter any more: it stood below the first of them when they came, and is known by its address
// alone, so it may be in use again, for this lock too. As the next segment's end it cannot be met within this one.
type reciprocating struct {
	arrivals atomic.Pointer[Node] // the last that came, or noArrivals
	policy   Policy               // constant
}

func newReciprocating(p Policy) Lock {
	l := Place[reciprocating]()
	l.policy = p
	return l
}

func (l *reciprocating) Lock(n *Node) {
	n.mustBeFree("a reciprocating lock")
	n.end = n // who finds the lock free begins a segment that ends with itself
	probe.RMW(&l.arrivals)
	before := l.arrivals.Swap(n) // publishes n to who takes the arrivals over
	if before == nil {
		n.held = true
		return
	}
	n.wait(l.policy) // n.end is the granter's then: the load of the grant orders it before
	n.held = true
	if before != n.end {
		n.prev = before
		return
	}
	n.end = noArrivals // we are the segment's last, and the word is what its taker left in it
}

func (l *reciprocating) TryLock(n *Node) bool {
	n.mustBeFree("a reciprocating lock")
	n.end = n
	probe.RMW(&l.arrivals)
	n.held = l.arrivals.CompareAndSwap(nil, n)
	return n.held
}

func (l *reciprocating) Unlock(n *Node) {
	n.give("a reciprocating lock")
	after := n.prev
	if after == nil {
		// The segment is served. The word is what we, or who took the segment over, left in it, unless somebody came.
		probe.RMW(&l.arrivals)
		if l.arrivals.CompareAndSwap(n.end, nil) {
			return
		}
		probe.RMW(&l.arrivals)
		after = l.arrivals.Swap(noArrivals) // pairs with the Swap in Lock
	}
	n.prev = nil // for the next use
	after.end = n.end
	after.handOver()
}
