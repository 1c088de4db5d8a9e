// ticket.go: take a number, wait until it is called. From Mellor-Crummey and Scott, "Algorithms for Scalable
// Synchronization", ACM TOCS 9(1), 1991, section 2.2; the idea is Reed and Kanodia's, 1979. One Add joins the
// queue, one Add calls the next. First come, first served, in two words; loses when workers outnumber CPUs,
// as the one worker that may go on is perhaps not running, and when many wait, as all of them read the
// word that each Unlock changes. Holds: next - owner is the number of holders and waiters.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

type ticket struct {
	next   atomic.Uint32 // the number to draw
	_      [LinePad - 4]byte
	owner  atomic.Uint32 // the number whose turn it is; apart, so that arrivals do not disturb waiters
	policy Policy        // constant; Spin or SpinYield
	_      [LinePad - 8]byte
}

func newTicket(p Policy) Lock {
	l := Place[ticket]()
	l.policy = p
	return l
}

func (l *ticket) Lock(*Node) {
	probe.RMW(&l.next)
	mine := l.next.Add(1) - 1
	probe.Load(&l.owner)
	if l.owner.Load() != mine {
		l.wait(mine)
	}
}

func (l *ticket) TryLock(*Node) bool {
	probe.Load(&l.owner)
	owner := l.owner.Load()
	// If next is owner still, nobody held the lock at that moment, and the ticket we draw is called already.
	probe.RMW(&l.next)
	return l.next.CompareAndSwap(owner, owner+1)
}

// Unlock of an unlocked ticket lock goes unseen and breaks the lock: to see it would mean to read next, a line
// of the arriving.
func (l *ticket) Unlock(*Node) {
	probe.RMW(&l.owner)
	l.owner.Add(1)
	released()
}

func (l *ticket) wait(mine uint32) {
	spin := newSpin(l.policy)
	for probe.Load(&l.owner); l.owner.Load() != mine; probe.Load(&l.owner) {
		spin.onceOrYield()
	}
}
