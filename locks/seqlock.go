// seqlock.go: readers that write nothing, and read again if a writer was there. From Linux's seqlock (include/linux/seqlock.h, 2.6 of
// 2003). A writer makes the sequence odd while it is inside; a reader takes the sequence, reads, and looks whether it is still
// the same and even. For data that a reader may copy and throw away; not for a walk along pointers to memory that is reused, nor for
// anything that takes a reference, so that as a table's lock its readers are served as writers. What is read must be read
// by atomics. Loses where writers never pause: readers then never succeed. Holds: the sequence is odd while a writer is inside.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

type seqlock struct {
	seq    atomic.Uint64
	policy Policy // constant; Spin or SpinYield
}

func newSeqlock(p Policy) Lock {
	l := Place[seqlock]()
	l.policy = p
	return l
}

func (l *seqlock) Lock(*Node) {
	spin := newSpin(l.policy)
	for !l.TryLock(nil) {
		spin.onceOrYield()
	}
}

func (l *seqlock) TryLock(*Node) bool {
	probe.Load(&l.seq)
	seq := l.seq.Load()
	if seq%2 != 0 {
		return false
	}
	probe.RMW(&l.seq)
	return l.seq.CompareAndSwap(seq, seq+1)
}

func (l *seqlock) Unlock(*Node) {
	probe.RMW(&l.seq)
	if l.seq.Add(1)%2 != 0 { // what is guarded is written before: pairs with the Load in Retry
		panic("locks: Unlock of an unlocked seqlock")
	}
	released()
}

// Begin waits until no writer is inside.
func (l *seqlock) Begin() uint64 {
	spin := newSpin(l.policy)
	for {
		probe.Load(&l.seq)
		if seq := l.seq.Load(); seq%2 == 0 {
			return seq
		}
		spin.onceOrYield()
	}
}

// Retry: Go's atomics have one order, so that a reader that has read anything of a writer's sees its sequence here.
func (l *seqlock) Retry(seq uint64) bool {
	probe.Load(&l.seq)
	return l.seq.Load() != seq
}
