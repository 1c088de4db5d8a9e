// phasefair.go: readers and writers take turns by phases. From Brandenburg and Anderson, "Spin-Based Reader-Writer
// Synchronization for Multiprocessor Real-Time Systems", Real-Time Systems 46(1), 2010, section 3.2 (PF-T). A reader that comes
// while a writer is inside or next waits for the end of that one writer only; writers are served in turn, each after the
// readers that came before it. Nobody starves on either side; costs a reader two Adds on two lines that all readers share.
// Holds: the low bits of in are zero while no writer is inside or next; in and out differ by the readers inside and waiting.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// The word in of a phasefair lock, and out but for its low bits, which are 0.
const (
	pfWriter = 1 << 1 // a writer is inside, or next
	pfPhase  = 1 << 0 // which one: it differs from the writer's before, so that a reader sees the end of the phase it waits for
	pfBits   = pfWriter | pfPhase
	pfReader = 1 << 2 // from here on: number of readers that came
)

type phasefair struct {
	in     atomic.Uint32 // readers that came, and the writer that stops them
	_      [LinePad - 4]byte
	out    atomic.Uint32 // readers that left
	_      [LinePad - 4]byte
	next   atomic.Uint32 // writers' tickets, as in ticket
	_      [LinePad - 4]byte
	owner  atomic.Uint32
	bits   uint32 // what the writer whose turn it is adds to in; under its turn
	policy Policy // constant; Spin or SpinYield
	_      [LinePad - 12]byte
}

func newPhasefair(p Policy) Lock {
	l := Place[phasefair]()
	l.policy = p
	return l
}

func (l *phasefair) Lock(*Node) {
	probe.RMW(&l.next)
	mine := l.next.Add(1) - 1
	spin := newSpin(l.policy)
	for probe.Load(&l.owner); l.owner.Load() != mine; probe.Load(&l.owner) {
		spin.onceOrYield()
	}
	l.bits = pfWriter | ^l.bits&pfPhase
	probe.RMW(&l.in)
	before := l.in.Add(l.bits) - l.bits // who comes from now on waits
	spin = newSpin(l.policy)
	for probe.Load(&l.out); l.out.Load() != before; probe.Load(&l.out) { // pairs with the Add in RUnlock
		spin.onceOrYield()
	}
}

func (l *phasefair) TryLock(*Node) bool { return l.tryWrite(0) }

// tryWrite makes the caller the writer if nobody is inside but readers of its own, as many as mine counts, and no writer waits.
func (l *phasefair) tryWrite(mine uint32) bool {
	probe.Load(&l.owner)
	owner := l.owner.Load()
	probe.RMW(&l.next)
	if !l.next.CompareAndSwap(owner, owner+1) {
		return false
	}
	// It is our turn. If out and mine make up in at the CAS, they did so all the time since out was loaded, as neither goes back.
	probe.Load(&l.out)
	in := l.out.Load() + mine
	bits := uint32(pfWriter) | ^l.bits&pfPhase
	probe.RMW(&l.in)
	if !l.in.CompareAndSwap(in, in+bits) {
		probe.RMW(&l.owner)
		l.owner.Add(1) // a turn without a phase: bits is as the writer before left it
		return false
	}
	l.bits = bits
	return true
}

// Unlock of a lock that is not held exclusively panics.
func (l *phasefair) Unlock(*Node) {
	l.endPhase(0)
	released()
}

// endPhase lets readers in, and the next writer to its turn; readers is what is added to in.
func (l *phasefair) endPhase(readers uint32) {
	probe.Load(&l.in)
	if l.in.Load()&pfWriter == 0 {
		panic("locks: Unlock of a phasefair lock that is not held exclusively")
	}
	probe.RMW(&l.in)
	l.in.Add(readers - l.bits)
	probe.RMW(&l.owner)
	l.owner.Add(1)
}

func (l *phasefair) RLock(*Node) {
	probe.RMW(&l.in)
	bits := l.in.Add(pfReader) & pfBits
	if bits == 0 {
		return
	}
	spin := newSpin(l.policy)
	for probe.Load(&l.in); l.in.Load()&pfBits == bits; probe.Load(&l.in) { // that writer will wait for us no more; the next one will
		spin.onceOrYield()
	}
}

func (l *phasefair) TryRLock(*Node) bool {
	for {
		probe.Load(&l.in)
		in := l.in.Load()
		if in&pfBits != 0 {
			return false
		}
		probe.RMW(&l.in)
		if l.in.CompareAndSwap(in, in+pfReader) {
			return true
		}
	}
}

// RUnlock of a lock that is not held shared goes unseen and breaks the lock, as with ticket.
func (l *phasefair) RUnlock(*Node) {
	probe.RMW(&l.out)
	l.out.Add(pfReader)
	released()
}

// TryUpgrade fails also if a writer waits: its phase comes first.
func (l *phasefair) TryUpgrade(n *Node) bool {
	if !l.tryWrite(pfReader) {
		return false
	}
	probe.RMW(&l.out)
	l.out.Add(pfReader) // our shared hold; nobody waits for it, as it is our turn
	return true
}

func (l *phasefair) Downgrade(*Node) { l.endPhase(pfReader) }
