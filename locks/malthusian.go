// malthusian.go: a queue that lets no more workers take part than it takes to keep the lock busy. From Dice,
// "Malthusian Locks", EuroSys 2017, section 4 (MCSCR). Unlock looks whether more than one worker waits; if so, the
// next one is made passive, and the one after it is served. Who is passive comes back when nobody else waits, and the
// one that is passive longest, now and then, before all others. Few workers then share the lock, with what it guards in
// their caches, and the others sleep; loses where long-run fairness within milliseconds counts. Holds: as mcs, and nobody is
// passive while the lock is free.

package locks

import (
	"math/rand/v2"
	"sync/atomic"

	"pcbbench/locks/probe"
)

// malthusianOdds is one in how many Unlocks serves who is passive longest: the paper's.
const malthusianOdds = 1000

type malthusian struct {
	tail   atomic.Pointer[Node] // as in mcs
	policy Policy               // constant
	_      [LinePad - 16]byte
	newest *Node // the passive, the holder's: a list by older and newer
	eldest *Node
	_      [LinePad - 16]byte
}

func newMalthusian(p Policy) Lock {
	l := Place[malthusian]()
	l.policy = p
	return l
}

func (l *malthusian) Lock(n *Node) {
	n.mustBeFree("a malthusian lock")
	probe.RMW(&l.tail)
	if before := l.tail.Swap(n); before != nil {
		probe.Store(&before.next)
		before.next.Store(n) // pairs with the loads in Unlock
		n.wait(l.policy)
	}
	n.held = true
}

func (l *malthusian) TryLock(n *Node) bool {
	n.mustBeFree("a malthusian lock")
	probe.RMW(&l.tail)
	n.held = l.tail.CompareAndSwap(nil, n)
	return n.held
}

func (l *malthusian) Unlock(n *Node) {
	n.give("a malthusian lock")
	probe.Load(&n.next)
	after := n.next.Load()
	switch {
	case after != nil && l.eldest != nil && eldestNow():
		l.serve(l.activate(l.eldest), n)
		return
	case after == nil && l.newest != nil:
		l.serve(l.activate(l.newest), n)
		return
	case after == nil:
		probe.RMW(&l.tail)
		if l.tail.CompareAndSwap(n, nil) {
			return
		}
		after = n.successor(l.policy)
	}
	n.next.Store(nil) // for the next use
	probe.Load(&after.next)
	if third := after.next.Load(); third != nil { // more wait than it takes
		after.next.Store(nil)
		l.retire(after)
		after = third
	}
	after.handOver()
}

// serve hands the lock of n to p, which was passive, before all that wait.
func (l *malthusian) serve(p, n *Node) {
	probe.Load(&n.next)
	after := n.next.Load()
	if after == nil {
		probe.RMW(&l.tail)
		if l.tail.CompareAndSwap(n, p) { // publishes p, whose next is nil
			p.handOver()
			return
		}
		after = n.successor(l.policy)
	}
	p.next.Store(after)
	n.next.Store(nil) // for the next use
	p.handOver()
}

// retire makes n, which waits and is out of the queue, passive.
func (l *malthusian) retire(n *Node) {
	n.older = l.newest
	if l.newest == nil {
		l.eldest = n
	} else {
		l.newest.newer = n
	}
	l.newest = n
}

// activate takes n, the newest or the eldest, out of the passive.
func (l *malthusian) activate(n *Node) *Node {
	if n.newer == nil {
		l.newest = n.older
	} else {
		n.newer.older = n.older
	}
	if n.older == nil {
		l.eldest = n.newer
	} else {
		n.older.newer = n.newer
	}
	n.newer, n.older = nil, nil
	return n
}

// eldestNow reports whether this Unlock is the eldest's: by chance, so that nothing is counted in shared memory. Under torture that is often, in a simulation always.
func eldestNow() bool {
	if probe.Simulating {
		return true
	}
	odds := uint32(malthusianOdds)
	if probe.Enabled {
		odds = 4
	}
	return rand.Uint32N(odds) == 0
}
