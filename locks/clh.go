// clh.go: a queue in which each waiter spins on the cell of the one before. From Craig, "Building FIFO and
// Priority-Queuing Spin Locks from Atomic Swap", TR 93-02-02, University of Washington, 1993, and Magnusson, Landin and
// Hagersten, "Queue Locks on Cache Coherent Multiprocessors", IPPS 1994; TryLock gives up as in Scott, "Non-Blocking
// Timeout in Scalable Queue-Based Spin Locks", PODC 2002. One swap joins the queue, one store lets the next in, which
// never waits for a link as mcs's does; loses where workers outnumber CPUs, and to mcs across NUMA nodes, since whose
// memory a waiter spins in is chance. Holds: the lock is held or waited for if and only if the tail's cell is not clhReleased.

package locks

import (
	"sync/atomic"
	"unsafe"

	"pcbbench/locks/probe"
)

// The state of a cell, for the one worker that stands behind it.
const (
	clhReleased = iota // the lock is yours, and so is the cell
	clhHeld            // its worker holds the lock or waits for it
	clhParked          // as clhHeld, and you sleep or are about to
	clhLeft            // its worker has given up: the cell before it is the one to look at
)

// A clhCell is a worker's place in a queue. It belongs to whoever stands behind it once it is released, so that cells wander from
// worker to worker and lock to lock; what is left behind for good is the collector's. There is one for each Node used and one for each lock.
type clhCell struct {
	clhWords
	_ [LinePad - unsafe.Sizeof(clhWords{})]byte // the size is also the alignment of what is allocated with it
}

type clhWords struct {
	state  atomic.Uint32
	sema   uint32   // posted to who is clhParked
	before *clhCell // where to look instead; written before the state becomes clhLeft
}

// clhNode is the part of a Node that the clh lock uses. All of it is its worker's own.
type clhNode struct {
	cell *clhCell // what the next Lock will put into the queue; nil before the first
	pred *clhCell // while the node holds a lock: the cell before ours, which will be ours
}

type clh struct {
	tail   atomic.Pointer[clhCell] // last in the queue; nil before the first Lock
	policy Policy                  // constant
}

func newCLH(p Policy) Lock {
	l := Place[clh]()
	l.policy = p
	return l
}

func (l *clh) Lock(n *Node) {
	if n.held {
		panic("locks: Lock of a clh lock with a node in use")
	}
	mine := n.raise()
	probe.RMW(&l.tail)
	pred := l.tail.Swap(mine)
	if pred != nil {
		probe.Load(&pred.state)
		if pred.state.Load() != clhReleased {
			pred = l.wait(pred)
		}
	}
	n.pred, n.held = pred, true
}

// TryLock may refuse a lock that is free while another TryLock is giving up.
//
// If the last cell is released the lock is free, and the CAS puts ours behind it. But that cell may have come back since we looked: it was
// taken by the next holder, who has queued with it again. Then the CAS succeeds too, and the cell is not released: we have joined a
// queue, and leave it.
func (l *clh) TryLock(n *Node) bool {
	if n.held {
		panic("locks: TryLock of a clh lock with a node in use")
	}
	probe.Load(&l.tail)
	pred := l.tail.Load()
	if pred != nil {
		probe.Load(&pred.state)
		switch pred.state.Load() {
		case clhReleased:
		case clhLeft: // two that gave up left it behind, the one put it back that the other had left; it is never used again
			l.tail.CompareAndSwap(pred, pred.before)
			return false
		default:
			return false
		}
	}
	mine := n.raise()
	probe.RMW(&l.tail)
	if !l.tail.CompareAndSwap(pred, mine) {
		return false
	}
	if pred != nil {
		probe.Load(&pred.state)
		if pred.state.Load() != clhReleased {
			l.leave(n, pred)
			return false
		}
	}
	n.pred, n.held = pred, true
	return true
}

// Unlock lets go of our cell, which is the next one's from the Swap on, and keeps the one before. A waiter that parked has our post to wait
// for before it may use the cell; the others see clhReleased, which orders them after us.
func (l *clh) Unlock(n *Node) {
	if !n.held {
		panic("locks: Unlock of a clh lock with a node that does not hold it")
	}
	mine := n.cell
	n.cell, n.pred, n.held = n.pred, nil, false
	mine.tell(clhReleased)
	released()
}

// raise makes our cell say that the lock is not to be had, before it stands in the queue and anybody looks.
func (n *clhNode) raise() *clhCell {
	if n.cell == nil {
		n.cell = new(clhCell)
	}
	probe.Store(&n.cell.state)
	n.cell.state.Store(clhHeld)
	return n.cell
}

// tell says what became of the cell to who stands behind it.
func (c *clhCell) tell(state uint32) {
	probe.RMW(&c.state)
	if c.state.Swap(state) == clhParked {
		unpark(&c.sema)
	}
}

// leave takes n's cell out of the queue, in which it stands behind pred, without waiting. If it is the last, pred becomes the last again: held, or
// released meanwhile, or left by another TryLock, which Lock passes over and TryLock puts right. Else whoever stands behind us is told to look at pred; our cell is then of no more
// use to anybody, as he may still look at it.
func (l *clh) leave(n *Node, pred *clhCell) {
	probe.RMW(&l.tail)
	if l.tail.CompareAndSwap(n.cell, pred) {
		return
	}
	mine := n.cell
	n.cell = nil
	mine.before = pred
	mine.tell(clhLeft)
}

// wait returns when the caller holds the lock, with the cell that was released to it. No wake-up is lost: the CAS to clhParked and the Swap in
// tell are ordered, and either the CAS fails or the Swap finds clhParked and posts the semaphore.
func (l *clh) wait(pred *clhCell) *clhCell {
	spin := newSpin(l.policy)
	for {
		probe.Load(&pred.state)
		switch pred.state.Load() {
		case clhReleased:
			return pred
		case clhLeft:
			pred = pred.before
			continue
		}
		if l.policy != SpinPark {
			spin.onceOrYield()
			continue
		}
		if spin.once() {
			continue
		}
		probe.RMW(&pred.state)
		if pred.state.CompareAndSwap(clhHeld, clhParked) {
			park(&pred.sema)
		}
	}
}
