// brlock.go: a count of readers a slot, and writers that look at all of them. From Linux 2.4's brlock (include/linux/brlock.h, 2000) and
// FreeBSD's rmlock(9), sys/kern/kern_rmlock.c, 2007. A reader adds itself to its own slot's count and looks for a
// writer, one line that is seldom written; a writer stops readers and waits until all counts are zero. Readers that have slots of their own write
// no common line (with two nodes a worker, some workers share one); a writer pays for every slot. rmlock's readers do without an atomic operation, since its writer interrupts every CPU to
// learn of them; a Go program has no such interrupt. Holds: while a writer is inside, counts are those of readers about to step back.

package locks

import (
	"math/bits"
	"runtime"
	"sync/atomic"

	"pcbbench/locks/probe"
)

// maxBrSlots bounds a lock's size; with more CPUs, some share a slot, which is slower and no less right.
const maxBrSlots = 64

// brSlots is how many are used: a power of two, one a CPU. TestBrSlots has more and fewer.
var brSlots = min(maxBrSlots, uint32(1)<<bits.Len(uint(runtime.NumCPU()-1)))

type brSlot struct {
	readers atomic.Int32 // inside, or about to step back
	_       [LinePad - 4]byte
}

type brlock struct {
	writer atomic.Uint32 // 1: one is inside, or waits for readers
	policy Policy        // constant; Spin or SpinYield
	_      [LinePad - 8]byte
	slots  [maxBrSlots]brSlot
}

func newBrlock(p Policy) Lock {
	l := Place[brlock]()
	l.policy = p
	return l
}

func (l *brlock) RLock(n *Node) {
	for !l.TryRLock(n) {
		spin := newSpin(l.policy)
		for probe.Load(&l.writer); l.writer.Load() != 0; probe.Load(&l.writer) {
			spin.onceOrYield()
		}
	}
}

// TryRLock: the count goes up before the look for a writer, and a writer looks at counts after it has shown itself, so that one of the two
// sees the other.
func (l *brlock) TryRLock(n *Node) bool {
	s := l.slot(n)
	probe.RMW(&s.readers)
	s.readers.Add(1)
	probe.Load(&l.writer)
	if l.writer.Load() == 0 {
		return true
	}
	probe.RMW(&s.readers)
	s.readers.Add(-1)
	return false
}

func (l *brlock) slot(n *Node) *brSlot { return &l.slots[n.identity()&(brSlots-1)] }

func (l *brlock) RUnlock(n *Node) {
	s := l.slot(n)
	probe.RMW(&s.readers)
	if s.readers.Add(-1) < 0 {
		panic("locks: RUnlock of a brlock that is not held shared")
	}
	released()
}

func (l *brlock) Lock(*Node) {
	spin := newSpin(l.policy)
	for !l.show() {
		spin.onceOrYield()
	}
	for i := range brSlots {
		r := &l.slots[i].readers
		spin = newSpin(l.policy)
		for probe.Load(r); r.Load() != 0; probe.Load(r) { // pairs with the Add in RUnlock
			spin.onceOrYield()
		}
	}
}

// show makes the caller the writer that readers see, unless there is one.
func (l *brlock) show() bool {
	probe.Load(&l.writer)
	if l.writer.Load() != 0 {
		return false
	}
	probe.RMW(&l.writer)
	return l.writer.CompareAndSwap(0, 1)
}

func (l *brlock) TryLock(*Node) bool {
	if !l.show() {
		return false
	}
	if l.alone(nil) {
		return true
	}
	l.hide()
	return false
}

// alone reports whether nobody reads but, if own is not nil, the one reader of that slot.
func (l *brlock) alone(own *brSlot) bool {
	for i := range brSlots {
		s := &l.slots[i]
		want := int32(0)
		if s == own {
			want = 1
		}
		probe.Load(&s.readers)
		if s.readers.Load() != want {
			return false
		}
	}
	return true
}

// hide lets readers and writers in again.
func (l *brlock) hide() {
	probe.RMW(&l.writer)
	if l.writer.Swap(0) == 0 {
		panic("locks: Unlock of a brlock that is not held exclusively")
	}
}

func (l *brlock) Unlock(*Node) {
	l.hide()
	released()
}

// TryUpgrade fails also if a writer waits: readers have stepped back for it.
func (l *brlock) TryUpgrade(n *Node) bool {
	if !l.show() {
		return false
	}
	own := l.slot(n)
	if !l.alone(own) {
		l.hide()
		return false
	}
	probe.RMW(&own.readers)
	own.readers.Add(-1)
	return true
}

func (l *brlock) Downgrade(n *Node) {
	s := l.slot(n)
	probe.RMW(&s.readers)
	s.readers.Add(1) // before hide: no writer comes between
	l.hide()
}
