// rw.go: a compact shared/exclusive lock that can upgrade and downgrade. After FreeBSD's rwlock(9), as the
// inpcb and pcbinfo locks of FreeBSD 8 to 14 use it: all state in one word, one CAS a reader. Costs two RMWs
// uncontended; many readers still share that word, so short read sections scale no better than under a
// mutex. A woken writer that has no CPU keeps readers out meanwhile. Holds: while anybody waits, the lock is
// held, or an Unlock is about to look for waiters, or a woken writer is on its way.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// The word of an RW: two flags and three counts of 20 bits.
const (
	rwWriter     = 1       // held exclusively
	rwWoken      = 1 << 1  // a woken writer is on its way
	rwReader     = 1 << 2  // number of shared holds
	rwWaitWriter = 1 << 22 // number of writers registered and not yet woken
	rwWaitReader = 1 << 42 // number of readers registered

	rwReaders     = rwWaitWriter - rwReader
	rwWaitWriters = rwWaitReader - rwWaitWriter
	rwHeld        = rwWriter | rwReaders
	// rwBlocked keeps new readers out: a writer that holds the lock, waits, or was woken. So readers that
	// come and go without a gap cannot starve a writer.
	rwBlocked = rwWriter | rwWoken | rwWaitWriters
)

// An RW is a shared/exclusive lock of 16 bytes for up to a million holders and waiters. The zero RW is
// unlocked. It is small enough to embed in what it protects, and must not be copied. A goroutine must not
// take it shared twice: a writer that waits between the two would stop the second and wait for the first.
//
// Who waits for whom: a writer that lets go admits all waiting readers at once, if any; the last of these
// wakes one waiting writer, which competes with newly arriving writers but not with readers. So readers and
// writers take turns.
//
// No wake-up is lost. Both kinds of waiters register by a CAS that also finds the lock held or blocked, so
// the one who lets go later sees them in the value its Add returns, and looks after them in wake. There it
// leaves them alone only if somebody else has to look after them: a new writer, when it lets go; remaining
// readers, the last of them; a woken writer, when it has had the lock. Waiting readers without any of
// these are left only by an Unlock or Downgrade that is in its own wake. Semaphores count posts, so a
// waiter may be woken before it sleeps.
type RW struct {
	_          noCopy
	word       uint64
	writerSema uint32 // posted to writers, which then compete
	readerSema uint32 // posted to readers that were counted as holders before
}

func newRW(Policy) Lock { return Place[RW]() }

// Lock takes the lock exclusively.
func (l *RW) Lock(*Node) {
	probe.RMW(&l.word)
	if !atomic.CompareAndSwapUint64(&l.word, 0, rwWriter) { // outlined, so that this much is inlined
		l.lockSlow()
	}
}

// TryLock takes the lock exclusively if nobody holds it, even past registered waiters.
func (l *RW) TryLock(*Node) bool {
	for {
		old := l.load()
		if old&rwHeld != 0 {
			return false
		}
		if l.cas(old, old|rwWriter) {
			return true
		}
	}
}

// Unlock ends the exclusive hold. It panics if there is none.
func (l *RW) Unlock(*Node) {
	probe.RMW(&l.word)
	if word := atomic.AddUint64(&l.word, ^uint64(rwWriter-1)); word != 0 {
		l.unlockSlow(word)
	}
}

// RLock takes the lock shared.
func (l *RW) RLock(n *Node) {
	if !l.TryRLock(n) {
		l.rlockSlow()
	}
}

// TryRLock takes the lock shared if no writer holds it or waits for it.
func (l *RW) TryRLock(*Node) bool {
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
	probe.RMW(&l.word)
	if word := atomic.AddUint64(&l.word, ^uint64(rwReader-1)); word > rwReaders|rwWoken {
		l.runlockSlow(word)
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
			return true
		}
	}
}

// Downgrade turns the exclusive hold into a shared one and admits waiting readers. It panics if there is no
// exclusive hold.
func (l *RW) Downgrade(*Node) {
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
	woken := uint64(0) // rwWoken if we hold that bit
	spin := newSpin(SpinPark)
	for {
		old := l.load()
		if old&rwHeld == 0 {
			if l.cas(old, (old|rwWriter)&^woken) {
				return
			}
			spin.renew() // it was free and is another's now
			continue
		}
		if spin.once() {
			continue
		}
		if l.cas(old, (old+rwWaitWriter)&^woken) {
			park(&l.writerSema)
			woken = rwWoken
			spin = newSpin(SpinPark)
		}
	}
}

func (l *RW) rlockSlow() {
	spin := newSpin(SpinPark)
	for {
		old := l.load()
		if old&rwBlocked == 0 {
			if l.cas(old, old+rwReader) {
				return
			}
			spin.renew()
			continue
		}
		if spin.once() {
			continue
		}
		if l.cas(old, old+rwWaitReader) {
			park(&l.readerSema)
			// Admitted: we hold the lock. This load orders us after the CAS in wake that counted us.
			if l.load()&rwReaders == 0 {
				panic("locks: reader of an RW admitted without a hold")
			}
			return
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

// wake looks after waiters once a hold has ended. A writer (toReaders) admits all waiting readers, by counting
// them as holders and posting to each; the last reader wakes a writer.
func (l *RW) wake(word uint64, toReaders bool) {
	for word&rwWriter == 0 {
		readers := word / rwWaitReader
		switch {
		case toReaders && readers != 0:
			if l.cas(word, word-readers*(rwWaitReader-rwReader)) {
				for range readers {
					unpark(&l.readerSema)
				}
				return
			}
		case word&(rwReaders|rwWoken) == 0 && word&rwWaitWriters != 0:
			if l.cas(word, word-rwWaitWriter|rwWoken) {
				unpark(&l.writerSema)
				return
			}
		default:
			return
		}
		word = l.load()
	}
}
