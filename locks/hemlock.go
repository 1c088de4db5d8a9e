// hemlock.go: a queue in one word, each waiter looking at the node of the one before. From Dice and Kogan,
// "Hemlock: Compact and Scalable Mutual Exclusion", SPAA 2021, with its coherence traffic reduction. A worker swaps
// its node into the tail and waits for the grant of the one before, which it takes back; Unlock waits for that, so
// that a node is free once it has let go. The smallest queue lock, and local spinning; loses when workers outnumber CPUs, as
// Unlock too waits for a worker that may not be running. Holds: tail is nil exactly while nobody holds the lock.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// hemlockNode is the part of a Node that the hemlock lock uses. The paper's grant is the address of a lock, since a thread has one grant for all its
// locks; a Node is for one lock at a time.
type hemlockNode struct {
	grant atomic.Uint32 // 1 from Unlock until the worker behind has taken the lock
}

type hemlock struct {
	tail   atomic.Pointer[Node] // last in the queue, whose first holds the lock
	policy Policy               // constant; Spin or SpinYield
}

func newHemlock(p Policy) Lock {
	l := Place[hemlock]()
	l.policy = p
	return l
}

func (l *hemlock) Lock(n *Node) {
	if n.held {
		panic("locks: Lock of a hemlock with a node in use")
	}
	probe.RMW(&l.tail)
	if before := l.tail.Swap(n); before != nil {
		spin := newSpin(l.policy)
		for !before.take() {
			spin.onceOrYield()
		}
	}
	n.held = true
}

func (l *hemlock) TryLock(n *Node) bool {
	if n.held {
		panic("locks: TryLock of a hemlock with a node in use")
	}
	probe.RMW(&l.tail)
	n.held = l.tail.CompareAndSwap(nil, n)
	return n.held
}

// Unlock returns when the next worker has the lock, if there is one. Would it return before, its node might be queued again, for this lock or another, with
// the grant of last time in it, and whoever stands behind would come in out of turn. So a next worker without a CPU keeps the last holder too from
// going on, though not outside of Unlock and not the lock from anybody else: it is that worker's already.
func (l *hemlock) Unlock(n *Node) {
	if !n.held {
		panic("locks: Unlock of a hemlock with a node that does not hold it")
	}
	n.held = false
	probe.RMW(&l.tail)
	if l.tail.CompareAndSwap(n, nil) {
		released()
		return
	}
	probe.Store(&n.grant)
	n.grant.Store(1) // pairs with take
	spin := newSpin(l.policy)
	for !n.taken() {
		spin.onceOrYield()
	}
}

// Both ends wait with a CAS rather than a load: each is going to write the word, and one who loads it first fetches the line twice, once to share it and
// once to own it. That is cheap where one worker waits for a word, as here. In a simulation they look first: a CAS would count as a
// change, and let all who wait look again for ever.

// take takes the grant of a node, for the worker behind it, if it is there.
func (n *hemlockNode) take() bool {
	if probe.Simulating && n.grant.Load() == 0 {
		return false
	}
	probe.RMW(&n.grant)
	return n.grant.CompareAndSwap(1, 0)
}

// taken reports whether the worker behind has taken our grant.
func (n *hemlockNode) taken() bool {
	if probe.Simulating && n.grant.Load() != 0 {
		return false
	}
	probe.RMW(&n.grant)
	return n.grant.CompareAndSwap(0, 0)
}
