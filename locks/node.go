package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// A Node is one worker's place in the queue of a lock that queues. A worker needs one for each lock that it
// holds or waits for at the same time, and may use it for another lock after Unlock. The zero Node is
// ready. It must not be copied.
type Node struct {
	_ [LinePad]byte // on both sides, so that it may be embedded anywhere
	queueNode
	clhNode
	_ [LinePad]byte // what follows is written by another worker while it waits
	hemlockNode
	_ [LinePad]byte
}

// The state of a node.
const (
	nodeWaiting = iota // looks at its node; also at rest, so that a node is ready to wait before anybody knows it
	nodeParked         // sleeps or is about to
	nodeGranted        // holds the lock
)

// queueNode is the part of a Node that locks with a queue of nodes use.
type queueNode struct {
	next  atomic.Pointer[Node] // who is served after us; nil while not queued
	state atomic.Uint32        // one of the above
	sema  uint32               // posted to who is nodeParked
	held  bool                 // the node holds a lock; its worker's own

	// What a holder hands over with the lock, or keeps while it has it: written before the grant by who had the lock, and read after it.
	end          *Node // reciprocating: where the segment of waiters ends
	prev         *Node // reciprocating: who is served after us
	newer, older *Node // malthusian: neighbours among the passive
	far          *Node // cna: the queue of waiters from other NUMA nodes
	last         *Node // cna: and its end, in its first node
	numa         int32 // cna: the NUMA node that a waiter came from; written before it is linked

	record *request // combiner: what this worker asks of the lock that it names

	slot *atomic.Pointer[bravo] // bravo: where this reader stands while it is inside
	slow uint32                 // bravo: shared holds without one
	id   uint32                 // brlock: see identity
}

// ids are the identities given.
var ids atomic.Uint32

// identity tells nodes apart, and is small: the number of nodes that had asked for one. In a simulation it is the worker's number.
func (n *Node) identity() uint32 {
	if probe.Simulating {
		return uint32(probe.Worker())
	}
	if n.id == 0 {
		n.id = ids.Add(1)
	}
	return n.id
}

// mustBeFree panics if the node holds a lock already, with the kind of the one that is wanted.
func (n *Node) mustBeFree(kind string) {
	if n.held {
		panic("locks: Lock of " + kind + " with a node in use")
	}
}

// give notes that the worker lets go of the lock that it took with this node, and panics if there is none.
func (n *Node) give(kind string) {
	if !n.held {
		panic("locks: Unlock of " + kind + " with a node that does not hold it")
	}
	n.held = false
}

// successor waits for the node that has swapped itself in behind n to link itself.
func (n *Node) successor(p Policy) *Node {
	spin := newSpin(p)
	for {
		probe.Load(&n.next)
		if after := n.next.Load(); after != nil {
			return after
		}
		spin.onceOrYield()
	}
}

// handOver hands the lock over. After the Swap a waiter that spins may use its node for another lock; one that
// parked may not, as it needs the post first. Either way the waiter's load of nodeGranted orders it after us.
func (n *Node) handOver() {
	probe.RMW(&n.state)
	if n.state.Swap(nodeGranted) == nodeParked {
		unpark(&n.sema)
	}
}

// wait returns when n has been granted the lock. No wake-up is lost: the CAS to nodeParked and the Swap in handOver are ordered,
// and either the CAS fails or the Swap finds nodeParked and posts the semaphore.
func (n *Node) wait(p Policy) {
	spin := newSpin(p)
	for probe.Load(&n.state); n.state.Load() != nodeGranted; probe.Load(&n.state) {
		if p != SpinPark {
			spin.onceOrYield()
			continue
		}
		if spin.once() {
			continue
		}
		probe.RMW(&n.state)
		if n.state.CompareAndSwap(nodeWaiting, nodeParked) {
			park(&n.sema)
		}
	}
	n.state.Store(nodeWaiting) // for the next use, before anybody can know of it
}
