// cna.go: a queue that keeps the lock within a NUMA node. From Dice and Kogan, "Compact NUMA-aware Locks", EuroSys
// 2019, section 4. Unlock looks for the first waiter of the holder's own NUMA node and serves it; those before it move to
// a second queue, which is put before the first when nobody of this node waits, or now and then by chance. One word, as
// mcs, and the lock's lines and those it guards cross between sockets seldom; loses, by a look at more nodes, where all
// waiters are near. Holds: as mcs; the second queue is the holder's, who hands it over with the lock.

package locks

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"

	"pcbbench/locks/probe"
)

// cnaStay is how many hand-overs within a NUMA node come, on average, on one that lets the far ones go first: the paper's.
const cnaStay = 1 << 16

type cna struct {
	tail   atomic.Pointer[Node] // as in mcs
	policy Policy               // constant
}

func newCNA(p Policy) Lock {
	l := Place[cna]()
	l.policy = p
	return l
}

// cnaNeeds: with one NUMA node, or unknown ones, it is an mcs lock, and a row of its own would say nothing. Torture builds and simulations make
// NUMA nodes up.
func cnaNeeds() error {
	switch {
	case probe.Enabled:
		return nil
	case !numaKnown:
		return errors.New("a thread does not learn its NUMA node here: that takes Linux on amd64 with RDTSCP")
	case numaNodes() < 2:
		return errors.New("this machine has one NUMA node")
	}
	return nil
}

func (l *cna) Lock(n *Node) {
	n.mustBeFree("a cna lock")
	n.numa = numaUnasked
	probe.RMW(&l.tail)
	if before := l.tail.Swap(n); before != nil {
		n.numa = numaNode()
		probe.Store(&before.next)
		before.next.Store(n) // pairs with the loads of next; publishes numa
		n.wait(l.policy)
	}
	n.held = true
}

func (l *cna) TryLock(n *Node) bool {
	n.mustBeFree("a cna lock")
	n.numa = numaUnasked
	probe.RMW(&l.tail)
	n.held = l.tail.CompareAndSwap(nil, n)
	return n.held
}

func (l *cna) Unlock(n *Node) {
	n.give("a cna lock")
	far := n.far
	n.far = nil
	probe.Load(&n.next)
	after := n.next.Load()
	if after == nil {
		probe.RMW(&l.tail)
		if l.free(n, far) {
			return
		}
		after = n.successor(l.policy)
	}
	n.next.Store(nil) // for the next use
	if stayNear() {
		if n.numa == numaUnasked {
			n.numa = numaNode()
		}
		if near, far := split(after, n.numa, far); near != nil {
			near.far = far
			near.handOver()
			return
		}
	}
	if far != nil { // those go first, and the first queue behind them
		far.last.next.Store(after)
		far.last = nil
		after = far
	}
	after.handOver()
}

// free ends the queue of n, whose holder sees nobody behind it: the far ones are the queue then or, if there are none, nobody is. False if
// somebody has come.
func (l *cna) free(n, far *Node) bool {
	if far == nil {
		return l.tail.CompareAndSwap(n, nil)
	}
	if !l.tail.CompareAndSwap(n, far.last) { // pairs with the Swap in Lock: who comes links itself to the last
		return false
	}
	far.last = nil
	far.handOver()
	return true
}

// split finds the first waiter of the given NUMA node from first on, and moves those before it to the end of far. It looks no further than
// waiters have linked themselves. If there is none, nothing is moved.
func split(first *Node, numa int32, far *Node) (near, all *Node) {
	var skipped *Node // the last before near
	for near = first; near != nil && near.numa != numa; {
		skipped = near
		probe.Load(&near.next)
		near = near.next.Load()
	}
	if near == nil || skipped == nil {
		return near, far
	}
	skipped.next.Store(nil)
	if far == nil {
		far = first
	} else {
		far.last.next.Store(first)
	}
	far.last = skipped
	return near, far
}

// stayNear reports whether the lock is to stay within the NUMA node, by chance, so that nothing is counted in shared memory. Under torture it
// leaves often, in a simulation never but for want of somebody near.
func stayNear() bool {
	if probe.Simulating {
		return true
	}
	odds := uint32(cnaStay)
	if probe.Enabled {
		odds = 4
	}
	return rand.Uint32N(odds) != 0
}
