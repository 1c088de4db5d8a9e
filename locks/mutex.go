// mutex.go: sync.Mutex, the control: what a Go program has. From Go's internal/sync/mutex.go. A barging lock
// that spins for four turns, parks, and turns first-come-first-served when somebody has waited for 1 ms.
// Costs one CAS and one Add uncontended; loses to mtx where holds are short and spinning longer would have
// saved a wake-up. Holds: what sync promises.

package locks

import (
	"sync"

	"pcbbench/locks/probe"
)

type mutex struct{ mu sync.Mutex }

func newMutex(Policy) Lock { return Place[mutex]() }

func (l *mutex) Lock(*Node) {
	probe.RMW(&l.mu)
	l.mu.Lock()
}

func (l *mutex) TryLock(*Node) bool {
	probe.RMW(&l.mu)
	return l.mu.TryLock()
}

// Unlock of an unlocked mutex is a fatal error of the runtime.
func (l *mutex) Unlock(*Node) {
	probe.RMW(&l.mu)
	l.mu.Unlock()
	released()
}
