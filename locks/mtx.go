// mtx.go: an adaptive mutex: spin for a while, then park. After FreeBSD's mtx(9), sys/kern/kern_mutex.c, which
// spins for as long as the owner runs on a CPU. A Go program cannot see that; it spins while the lock keeps
// changing hands, up to about the price of a wake-up without a change, and not at all when no other CPU
// runs anything. Costs two RMWs uncontended; loses to queues where fairness counts, as a woken waiter has
// to compete again. Holds: while waiters are registered, the word is locked, or one of them is on its way.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

// The word of a Mtx.
const (
	mtxLocked = 1      // held
	mtxWoken  = 1 << 1 // a woken waiter is on its way, so that Unlock need not wake another
	mtxWaiter = 1 << 2 // from here on: number of waiters that are registered and not yet woken
)

// A Mtx is an adaptive mutex. The zero Mtx is unlocked. It is small enough to embed in what it protects, and
// must not be copied.
//
// No wake-up is lost. A waiter registers by a CAS that also finds the word locked, so whoever unlocks later
// sees the registration in the value that its Add returns. Unlock then owes a wake-up, unless a waiter is
// on its way already (woken) or somebody has locked the word again and so owes one itself. It takes the
// waiter off the count before it posts the semaphore, so each post is for one registered waiter, whether
// that one sleeps yet or not. The woken waiter clears woken when it takes the lock, or registers again, and
// either way some Unlock comes after it.
type Mtx struct {
	_    noCopy
	word uint32
	sema uint32
}

func newMtx(Policy) Lock { return Place[Mtx]() }

// Lock takes the lock.
func (m *Mtx) Lock(*Node) {
	if witness.Profiling && m.TryLock(nil) { // who has to wait was refused before
		return
	}
	if witness.Enabled { // where it is false even an empty call would count against inlining
		witness.Want(m, witness.Exclusive)
		defer witness.Got(m, witness.Exclusive)
	}
	probe.RMW(&m.word)
	if !atomic.CompareAndSwapUint32(&m.word, 0, mtxLocked) { // outlined, so that this much is inlined
		m.lockSlow()
	}
}

// TryLock takes the lock if nobody holds it, even past registered waiters.
func (m *Mtx) TryLock(*Node) bool {
	if witness.Profiling {
		witness.Want(m, witness.Exclusive)
	}
	for {
		probe.Load(&m.word)
		old := atomic.LoadUint32(&m.word)
		if old&mtxLocked != 0 {
			witness.Busy(m)
			return false
		}
		probe.RMW(&m.word)
		if atomic.CompareAndSwapUint32(&m.word, old, old|mtxLocked) {
			witness.Got(m, witness.Exclusive)
			return true
		}
	}
}

// Unlock lets go of the lock. It panics if nobody holds it.
func (m *Mtx) Unlock(*Node) {
	if witness.Enabled {
		witness.Drop(m, witness.Exclusive)
	}
	probe.RMW(&m.word)
	if word := atomic.AddUint32(&m.word, ^uint32(mtxLocked-1)); word != 0 {
		m.unlockSlow(word)
	}
	if probe.Enabled {
		released()
	}
}

func (m *Mtx) lockSlow() {
	woken := uint32(0) // mtxWoken if we hold that bit
	spin := newSpin(SpinPark)
	for {
		probe.Load(&m.word)
		old := atomic.LoadUint32(&m.word)
		if old&mtxLocked == 0 {
			probe.RMW(&m.word)
			if atomic.CompareAndSwapUint32(&m.word, old, (old|mtxLocked)&^woken) {
				return
			}
			spin.renew() // it was free and is another's now
			continue
		}
		if spin.once() {
			continue
		}
		probe.RMW(&m.word)
		if atomic.CompareAndSwapUint32(&m.word, old, (old+mtxWaiter)&^woken) {
			park(&m.sema)
			woken = mtxWoken
			spin = newSpin(SpinPark)
		}
	}
}

// unlockSlow wakes a waiter, if there is need; word is what Unlock left.
func (m *Mtx) unlockSlow(word uint32) {
	if word&mtxLocked != 0 { // the subtraction borrowed: the bit was clear before
		panic("locks: Unlock of an unlocked Mtx")
	}
	for word >= mtxWaiter && word&(mtxLocked|mtxWoken) == 0 {
		probe.RMW(&m.word)
		if atomic.CompareAndSwapUint32(&m.word, word, word-mtxWaiter|mtxWoken) {
			unpark(&m.sema)
			return
		}
		probe.Load(&m.word)
		word = atomic.LoadUint32(&m.word)
	}
}
