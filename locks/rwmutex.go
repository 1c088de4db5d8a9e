// rwmutex.go: sync.RWMutex, the control for shared locks. From Go's sync/rwmutex.go. Readers add themselves to
// one counter, from which a writer subtracts a large number to stop them; who waits for the other kind parks
// without spinning. Costs an atomic Add on one line per reader at each end, so that many readers of short
// sections are slower than under a mutex. Holds: TryUpgrade is always false, as sync has none; Downgrade
// stays exclusive inside.

package locks

import (
	"sync"

	"pcbbench/locks/probe"
)

type rwmutex struct {
	mu sync.RWMutex
	// downgraded means that the holder has downgraded. sync can only let go and take anew, which would let
	// another writer in between; so the exclusive hold, which grants all that a shared one does, lasts until
	// RUnlock. Written under the exclusive hold, read under either.
	downgraded bool
}

func newRWMutex(Policy) Lock { return Place[rwmutex]() }

func (l *rwmutex) Lock(*Node) {
	probe.RMW(&l.mu)
	l.mu.Lock()
}

func (l *rwmutex) TryLock(*Node) bool {
	probe.RMW(&l.mu)
	return l.mu.TryLock()
}

// Unlock of an unlocked rwmutex is a fatal error of the runtime.
func (l *rwmutex) Unlock(*Node) {
	probe.RMW(&l.mu)
	l.mu.Unlock()
	released()
}

func (l *rwmutex) RLock(*Node) {
	probe.RMW(&l.mu)
	l.mu.RLock()
}

func (l *rwmutex) TryRLock(*Node) bool {
	probe.RMW(&l.mu)
	return l.mu.TryRLock()
}

func (l *rwmutex) RUnlock(*Node) {
	probe.RMW(&l.mu)
	if l.downgraded {
		probe.Store(&l.downgraded)
		l.downgraded = false
		l.mu.Unlock()
		return
	}
	l.mu.RUnlock()
	released()
}

// TryUpgrade returns false.
func (l *rwmutex) TryUpgrade(*Node) bool { return false }

func (l *rwmutex) Downgrade(*Node) {
	probe.Store(&l.downgraded)
	l.downgraded = true
}
