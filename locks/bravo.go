// bravo.go: readers that leave no trace in the lock. From Dice and Kogan, "BRAVO: Biased Locking for Reader-Writer Locks",
// USENIX ATC 2019, over the lock of phasefair.go. While the lock is biased, a reader puts the lock's address into a slot of a
// table that all locks share, and looks whether the bias stands; a writer ends the bias, takes the lock below, and waits until the lock
// stands in no slot. (The paper's takes the lock first, and readers go on coming while it waits for it.) How long that took decides how long no new bias is begun, so that writers are held up for one part
// in ten at most. Readers then scale as long as writers are rare; loses where they are not. Holds: while a writer is
// inside, bias is bravoNone, and the lock stands in no slot but for a reader that is about to take it out.

package locks

import (
	"sync/atomic"
	"time"

	"pcbbench/locks/probe"
)

const (
	bravoSlots   = 4096 // the paper's
	bravoInhibit = 9    // times the revocation: the paper's N
	bravoLook    = 16   // slow readers that come on one look at the clock, which costs about what a slow reader does
)

// The bias of a bravo lock.
const (
	bravoNone  = iota // no reader has a slot
	bravoFast         // readers take slots
	bravoEnded        // no more, and some may have one
)

// bravoTable is the readers of biased locks, of which no two stand in one slot. Slots are packed: which one a reader has is left to a hash, so
// that few share a line.
type bravoTable [bravoSlots]atomic.Pointer[bravo]

type bravo struct {
	state     atomic.Uint32 // the bias
	policy    Policy        // constant
	inhibited atomic.Int64  // no bias before that time, in ns of bravoClock
	_         [LinePad - 16]byte
	own       simTable // in simulations only
	below     phasefair
}

// bravoStart is where the clock of inhibited begins.
var bravoStart = time.Now()

func bravoClock() int64 { return int64(time.Since(bravoStart)) }

func newBravo(p Policy) Lock {
	l := Place[bravo]()
	l.policy, l.below.policy = p, p
	return l
}

func (l *bravo) RLock(n *Node) {
	if !l.fast(n) {
		l.below.RLock(n)
		l.bias(n)
	}
}

func (l *bravo) TryRLock(n *Node) bool {
	if l.fast(n) {
		return true
	}
	if !l.below.TryRLock(n) {
		return false
	}
	l.bias(n)
	return true
}

// fast takes the lock shared by a slot, if it is biased and the slot is free. The second look at the bias comes after the slot is taken, and revoke's
// look at the slots after the bias has ended, so that one of the two sees the other.
func (l *bravo) fast(n *Node) bool {
	probe.Load(&l.state)
	if l.state.Load() != bravoFast {
		return false
	}
	s := l.slot(n)
	probe.RMW(s)
	if !s.CompareAndSwap(nil, l) {
		return false
	}
	probe.Load(&l.state)
	if l.state.Load() == bravoFast {
		n.slot = s
		return true
	}
	probe.Store(s)
	s.Store(nil)
	return false
}

// bias begins one, under a shared hold of the lock below, so that no writer is inside.
func (l *bravo) bias(n *Node) {
	n.slow++
	if l.state.Load() == bravoNone && (probe.Enabled || n.slow%bravoLook == 0 && bravoClock() >= l.inhibited.Load()) {
		probe.RMW(&l.state)
		l.state.CompareAndSwap(bravoNone, bravoFast)
	}
}

func (l *bravo) RUnlock(n *Node) {
	s := n.slot
	if s == nil {
		l.below.RUnlock(n)
		return
	}
	n.slot = nil
	probe.Store(s)
	s.Store(nil) // pairs with the Load in readers
	released()
}

func (l *bravo) Lock(n *Node) {
	probe.Load(&l.state)
	if l.state.Load() == bravoFast {
		probe.RMW(&l.state)
		l.state.CompareAndSwap(bravoFast, bravoEnded)
	}
	l.below.Lock(n)
	if l.state.Load() != bravoNone { // it leaves bravoNone under the lock below only
		l.revoke()
	}
}

// revoke ends the bias, if one has begun meanwhile, and waits for the readers that have slots. The caller has the lock below exclusively.
func (l *bravo) revoke() {
	probe.Store(&l.state)
	l.state.Store(bravoEnded)
	start := bravoClock()
	spin := newSpin(l.policy)
	table := l.table()
	probe.Load(table) // one point for all: 4096 would be too many
	for i := range table {
		for table[i].Load() == l { // nobody comes any more: who has left has left
			spin.onceOrYield()
		}
	}
	l.inhibit(start)
	l.state.Store(bravoNone)
}

// inhibit begins no bias for a while, by how long a revocation took that began at start.
func (l *bravo) inhibit(start int64) {
	now := bravoClock()
	l.inhibited.Store(now + bravoInhibit*(now-start))
}

// readers reports whether the lock stands in a slot other than own.
func (l *bravo) readers(own *atomic.Pointer[bravo]) bool {
	table := l.table()
	probe.Load(table) // as in revoke
	for i := range table {
		if s := &table[i]; s.Load() == l && s != own {
			return true
		}
	}
	return false
}

func (l *bravo) TryLock(n *Node) bool {
	if !l.below.TryLock(n) {
		return false
	}
	if l.tryRevoke(nil) {
		return true
	}
	l.below.Unlock(n)
	return false
}

// tryRevoke is revoke if nobody has a slot but own's reader; else the bias is what it was. The caller has the lock below exclusively.
func (l *bravo) tryRevoke(own *atomic.Pointer[bravo]) bool {
	if l.state.Load() == bravoNone {
		return true
	}
	start := bravoClock()
	defer l.inhibit(start)
	probe.RMW(&l.state)
	was := l.state.Swap(bravoEnded)
	if l.readers(own) {
		probe.Store(&l.state)
		l.state.Store(was)
		return false
	}
	l.state.Store(bravoNone)
	return true
}

func (l *bravo) Unlock(n *Node) { l.below.Unlock(n) }

// TryUpgrade fails also if a writer waits, as with phasefair.
func (l *bravo) TryUpgrade(n *Node) bool {
	own := n.slot
	if own == nil {
		if !l.below.TryUpgrade(n) {
			return false
		}
		if l.tryRevoke(nil) {
			return true
		}
		l.below.Downgrade(n)
		return false
	}
	if !l.below.TryLock(n) {
		return false
	}
	if !l.tryRevoke(own) {
		l.below.Unlock(n)
		return false
	}
	n.slot = nil
	own.Store(nil)
	return true
}

func (l *bravo) Downgrade(n *Node) { l.below.Downgrade(n) }
