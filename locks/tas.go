// tas.go: test-and-set. From Anderson, "The Performance of Spin Lock Alternatives for Shared-Memory
// Multiprocessors", IEEE TPDS 1(1), 1990, where it is spin on test-and-set. A swap says whether the lock was free, and
// who finds it held swaps again. One word and nothing to think about; loses to every other lock as soon as two
// wait, since each look of a waiter takes the line away from all, the holder that wants to let go included, and
// starves whoever stands far away. Holds: the word is 1 while the lock is held.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

type tas struct {
	word   atomic.Uint32 // 1 while held
	policy Policy        // constant; Spin or SpinYield
}

func newTAS(p Policy) Lock {
	l := Place[tas]()
	l.policy = p
	return l
}

func (l *tas) Lock(*Node) {
	probe.RMW(&l.word)
	if l.word.Swap(1) != 0 {
		l.lockSlow()
	}
}

func (l *tas) TryLock(*Node) bool {
	probe.RMW(&l.word)
	return l.word.Swap(1) == 0
}

func (l *tas) Unlock(*Node) {
	probe.RMW(&l.word)
	if l.word.Swap(0) == 0 { // no dearer than a Store, which is an exchange on amd64
		panic("locks: Unlock of an unlocked tas")
	}
	released()
}

func (l *tas) lockSlow() {
	spin := newSpin(l.policy)
	for {
		spin.onceOrYield()
		if probe.Simulating && l.word.Load() != 0 { // there a swap would count as a change, and let all who wait look again for ever
			continue
		}
		probe.RMW(&l.word)
		if l.word.Swap(1) == 0 {
			return
		}
	}
}
