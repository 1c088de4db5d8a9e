// ttas.go: test-and-test-and-set. From Anderson, "The Performance of Spin Lock Alternatives", IEEE TPDS 1(1),
// 1990. Waiters read until the word looks free, and only then try to set it; who loses that race stands back
// for a random time that doubles up to a cap. One word and the best throughput of the spin locks; loses
// when many wait, as every Unlock lets all of them race, and starves whoever stands far away. Holds: the
// word is 1 while the lock is held.

package locks

import (
	"math/rand/v2"
	"sync/atomic"

	"pcbbench/locks/probe"
)

// backoffCap bounds the time that a loser of the race stands back, in polls: a few microseconds, so that a
// free lock does not go unnoticed for longer than a wake-up would take.
const backoffCap = 64

type ttas struct {
	word   atomic.Uint32 // 1 while held
	policy Policy        // constant; Spin or SpinYield
}

func newTTAS(p Policy) Lock {
	l := Place[ttas]()
	l.policy = p
	return l
}

func (l *ttas) Lock(*Node) {
	probe.RMW(&l.word)
	if !l.word.CompareAndSwap(0, 1) {
		l.lockSlow()
	}
}

func (l *ttas) TryLock(*Node) bool {
	probe.Load(&l.word)
	if l.word.Load() != 0 { // a failing CAS would take the line away from the holder
		return false
	}
	probe.RMW(&l.word)
	return l.word.CompareAndSwap(0, 1)
}

func (l *ttas) Unlock(*Node) {
	probe.RMW(&l.word)
	if l.word.Swap(0) == 0 { // no dearer than a Store, which is an exchange on amd64
		panic("locks: Unlock of an unlocked ttas")
	}
	released()
}

func (l *ttas) lockSlow() {
	spin := newSpin(l.policy)
	for limit := uint32(1); ; limit = min(2*limit, backoffCap) {
		for probe.Load(&l.word); l.word.Load() != 0; probe.Load(&l.word) {
			spin.onceOrYield()
		}
		probe.RMW(&l.word)
		if l.word.CompareAndSwap(0, 1) {
			return
		}
		for range 1 + backoff(limit) {
			spin.onceOrYield()
		}
	}
}

// backoff draws a number below limit from a random state per thread, so that nothing is shared. In a simulation it is 0.
func backoff(limit uint32) uint32 {
	if probe.Simulating {
		return 0
	}
	return rand.Uint32N(limit)
}
