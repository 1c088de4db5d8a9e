package locks

import "pcbbench/locks/probe"

// A Sema is a counting semaphore of the Go runtime's: who waits for it sleeps. The zero Sema counts none. It must not be copied.
//
// The race detector does not see into the runtime: what orders the waiter after the poster is an atomic, or a lock, that each passes
// beside this.
type Sema struct {
	_ noCopy
	n uint32
}

// Wait takes one off the count, and sleeps until there is one. Waiters are served first come, first served.
func (s *Sema) Wait() { park(&s.n) }

// Post adds one to the count and wakes a waiter. A post that comes before its Wait is counted, so that no wake-up is lost between a
// waiter's registration and its sleep.
func (s *Sema) Post() { unpark(&s.n) }

// park sleeps until an unpark of the same semaphore.
func park(sema *uint32) {
	if !probe.Park(sema) {
		semacquire(sema)
	}
}

func unpark(sema *uint32) {
	if !probe.Unpark(sema) {
		semrelease(sema, false, 0)
	}
}
