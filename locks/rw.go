// rw.go: a compact shared/exclusive lock that can upgrade and downgrade. After FreeBSD's rwlock(9), as the
// inpcb and pcbinfo locks of FreeBSD 8 to 14 use it: all state in one word, one CAS a reader; who is woken
// competes again, so that the lock is never owned by a sleeper. Costs two RMWs uncontended; many readers still
// share that word, so short read sections scale no better than under a mutex. Holds: while anybody waits, the
// lock is held, or an Unlock is about to look for waiters, or a woken writer is on its way.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

// The word of an RW: three flags and three counts of 20 bits.
const (
	rwWriter     = 1       // held exclusively
	rwWoken      = 1 << 1  // a woken writer is on its way
	rwEager      = 1 << 2  // a woken writer has arrived and spins
	rwReader     = 1 << 3  // number of shared holds
	rwWaitWriter = 1 << 23 // number of writers registered and not yet woken
	rwWaitReader = 1 << 43 // number of readers registered and not yet woken

	rwReaders     = rwWaitWriter - rwReader
	rwWaitWriters = rwWaitReader - rwWaitWriter
	rwHeld        = rwWriter | rwReaders
	// rwBlocked keeps new readers out: a writer that holds the lock, waits, or spins after waiting. So readers
	// that come and go without a gap cannot starve a writer. A woken writer that has no CPU yet does not count:
	// kept out for as long as a wake-up takes, readers would soon all be asleep.
	rwBlocked = rwWriter | rwEager | rwWaitWriters
	// rwComing says that some writer will have the lock and let go of it after us.
	rwComing = rwWoken | rwEager
)

// An RW is a shared/exclusive lock of 16 bytes for up to a million holders and waiters. The zero RW is
// unlocked. It is small enough to embed in what it protects, and must not be copied. A goroutine must not
// take it shared twice: a writer that waits between the two would stop the second and wait for the first.
//
// Who wakes whom: a writer that lets go wakes the next registered writer, and all registered readers if no other writer
// is left to keep them out; the last reader wakes one writer. All of them compete.
//
// No wake-up is lost. Both kinds of waiters register by a CAS that also finds the lock held or blocked, so
// the one who lets go later sees them in the value its Add returns, and looks after them in wake. There it
// leaves them alone only if somebody else has to look after them: a new writer, when it lets go; remaining
// readers, the last of them; a woken writer, when it has had the lock, or when it registers again, which
// it does only while the lock is held. A reader that registered behind a waiting writer is looked after by
// that writer. Semaphores count posts, so a waiter may be woken before it sleeps.
type RW struct {
	_          noCopy
	word       uint64
	writerSema uint32
	readerSema uint32
}

func newRW(Policy) Lock { return Place[RW]() }

// Lock takes the lock exclusively.
func (l *RW) Lock(*Node) {
	if witness.Profiling && l.TryLock(nil) { // as in Mtx.Lock
		return
	}
	if witness.Enabled { // as in Mtx.Lock
		witness.Want(l, witness.Exclusive)
		defer witness.Got(l, witness.Exclusive)
	}
	probe.RMW(&l.word)
	if !atomic.CompareAndSwapUint64(&l.word, 0, rwWriter) { // outlined, so that this much is inlined
		l.lockSlow()
	}
}

// TryLock takes the lock exclusively if nobody holds it, even past registered waiters.
func (l *RW) TryLock(*Node) bool {
	if witness.Profiling {
		witness.Want(l, witness.Exclusive)
	}
	for {
		old := l.load()
		if old&rwHeld != 0 {
			witness.Busy(l)
			return false
		}
		if l.cas(old, old|rwWriter) {
			witness.Got(l, witness.Exclusive)
			return true
		}
	}
}

// Unlock ends the exclusive hold. It panics if there is none.
func (l *RW) Unlock(*Node) {
	if witness.Enabled {
		witness.Drop(l, witness.Exclusive)
	}
	probe.RMW(&l.word)
	if word := atomic.AddUint64(&l.word, ^uint64(rwWriter-1)); word != 0 {
		l.unlockSlow(word)
	}
	if probe.Enabled {
		released()
	}
}

// RLock takes the lock shared.
func (l *RW) RLock(*Node) {
	witness.Want(l, witness.Shared)
	if !l.tryRLock() {
		witness.Busy(l)
		l.rlockSlow()
	}
	witness.Got(l, witness.Shared)
}

// TryRLock takes the lock shared if no writer holds it or waits for it.
func (l *RW) TryRLock(*Node) bool {
	if witness.Profiling {
		witness.Want(l, witness.Shared)
	}
	if !l.tryRLock() {
		witness.Busy(l)
		return false
	}
	witness.Got(l, witness.Shared)
	return true
}

func (l *RW) tryRLock() bool {
	for {
		old := l.load()
		if old&rwBlocked != 0 {
			return false
		}
		if l.cas(old, old+rwReader) {
			return true
		}
	}
}

// RUnlock ends a shared hold. It panics if there is none.
func (l *RW) RUnlock(*Node) {
	if witness.Enabled {
		witness.Drop(l, witness.Shared)
	}
	probe.RMW(&l.word)
	if word := atomic.AddUint64(&l.word, ^uint64(rwReader-1)); word > rwReaders|rwComing {
		l.runlockSlow(word)
	}
	if probe.Enabled {
		released()
	}
}

// TryUpgrade turns the caller's shared hold into the exclusive one if there is no other, even past waiting
// writers. It panics if there is no shared hold.
func (l *RW) TryUpgrade(*Node) bool {
	for {
		old := l.load()
		if old&rwReaders == 0 {
			panic("locks: TryUpgrade of an RW that is not held shared")
		}
		if old&rwReaders != rwReader {
			return false
		}
		if l.cas(old, old-rwReader+rwWriter) {
			witness.Change(l, witness.Exclusive)
			return true
		}
	}
}

// Downgrade turns the exclusive hold into a shared one and admits waiting readers. It panics if there is no
// exclusive hold.
func (l *RW) Downgrade(*Node) {
	witness.Change(l, witness.Shared)
	probe.RMW(&l.word)
	word := atomic.AddUint64(&l.word, rwReader-rwWriter)
	if word&rwWriter != 0 { // the subtraction borrowed: the bit was clear before
		panic("locks: Downgrade of an RW that is not held exclusively")
	}
	l.wake(word, true)
}

func (l *RW) load() uint64 {
	probe.Load(&l.word)
	return atomic.LoadUint64(&l.word)
}

func (l *RW) cas(old, new uint64) bool {
	probe.RMW(&l.word)
	return atomic.CompareAndSwapUint64(&l.word, old, new)
}

func (l *RW) lockSlow() {
	mine := uint64(0) // rwWoken or rwEager, if we hold that bit
	spin := newSpin(SpinPark)
	for {
		old := l.load()
		switch {
		case old&rwHeld == 0:
			if l.cas(old, (old|rwWriter)&^mine) {
				return
			}
			spin.renew() // it was free and is another's now
		case mine == rwWoken:
			if l.cas(old, old&^rwWoken|rwEager) {
				mine = rwEager
			}
		case spin.once():
		case l.cas(old, (old+rwWaitWriter)&^mine):
			park(&l.writerSema)
			mine = rwWoken
			spin = newSpin(SpinPark)
		}
	}
}

func (l *RW) rlockSlow() {
	spin := newSpin(SpinPark)
	for {
		old := l.load()
		switch {
		case old&rwBlocked == 0:
			if l.cas(old, old+rwReader) {
				return
			}
			spin.renew()
		case spin.once():
		case l.cas(old, old+rwWaitReader):
			park(&l.readerSema)
			spin = newSpin(SpinPark)
		}
	}
}

// unlockSlow looks after waiters; word is what Unlock left. Outlined, so that Unlock is inlined.
//
//go:noinline
func (l *RW) unlockSlow(word uint64) {
	if word&rwWriter != 0 { // the subtraction borrowed: the bit was clear before
		panic("locks: Unlock of an RW that is not held exclusively")
	}
	l.wake(word, true)
}

// runlockSlow looks after waiters; word is what RUnlock left. Outlined, so that RUnlock is inlined.
//
//go:noinline
func (l *RW) runlockSlow(word uint64) {
	if (word+rwReader)&rwReaders == 0 {
		panic("locks: RUnlock of an RW that is not held shared")
	}
	l.wake(word, false)
}

// wake looks after waiters once a hold has ended: one writer if the lock is free, and readers if it was a writer's and they
// would not be kept out at once.
func (l *RW) wake(word uint64, writerLeft bool) {
	for word&rwWriter == 0 {
		next, readers := word, uint64(0)
		writer := word&(rwReaders|rwComing) == 0 && word&rwWaitWriters != 0
		if writer {
			next = next - rwWaitWriter | rwWoken
		}
		if writerLeft && next&rwWaitWriters == 0 {
			readers = word / rwWaitReader
			next -= readers * rwWaitReader
		}
		if next == word {
			return
		}
		if l.cas(word, next) {
			if writer {
				unpark(&l.writerSema)
			}
			for range readers {
				unpark(&l.readerSema)
			}
			return
		}
		word = l.load()
	}
}
