// combiner.go: flat combining: who has the lock does the others' work too. From Hendler, Incze, Shavit and Tzafrir, "Flat
// Combining and the Synchronization-Parallelism Tradeoff", SPAA 2010. A worker publishes what is to be done in a record of
// its own and waits until it is done or the lock is free; who gets the lock goes through the records. What the lock guards stays
// in one CPU's cache, and a hand-over costs the lines of one record instead of all of those: a step towards a thread that owns the
// data and is sent messages. Loses where sections are long, as the combiner's own work waits, and with one worker. Holds: a
// request is done once, under the lock, by its worker or by a combiner.

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// combinePasses bounds how often a combiner goes through the records while it finds work: others' work must not keep it for ever.
const combinePasses = 4

// combiner is a ttas lock with a list of records. By Lock and Unlock it is no more than that.
type combiner struct {
	word    atomic.Uint32 // 1 while held
	policy  Policy        // constant; Spin or SpinYield
	_       [LinePad - 8]byte
	records atomic.Pointer[request] // every worker's that ever asked, newest first; none is taken out
	_       [LinePad - 8]byte
}

// A request is one worker's record in one combiner.
type request struct {
	_       [LinePad]byte
	pending atomic.Uint32 // 1 from the publication until it is done
	do      func()        // written while not pending by its worker
	of      *combiner     // constant, as the next two
	worker  *Node
	next    *request
	_       [LinePad]byte
}

func newCombiner(p Policy) Lock {
	l := Place[combiner]()
	l.policy = p
	return l
}

func (l *combiner) Lock(*Node) {
	spin := newSpin(l.policy)
	for !l.TryLock(nil) {
		spin.onceOrYield()
	}
}

func (l *combiner) TryLock(*Node) bool {
	probe.Load(&l.word)
	if l.word.Load() != 0 {
		return false
	}
	probe.RMW(&l.word)
	return l.word.CompareAndSwap(0, 1)
}

func (l *combiner) Unlock(*Node) {
	probe.RMW(&l.word)
	if l.word.Swap(0) == 0 {
		panic("locks: Unlock of an unlocked combiner")
	}
	released()
}

// Do returns when f has run. The Store of pending publishes do to the combiner's Load; the combiner's Store of 0 publishes what f did to ours.
func (l *combiner) Do(n *Node, f func()) {
	r := l.record(n)
	r.do = f
	probe.Store(&r.pending)
	r.pending.Store(1)
	spin := newSpin(l.policy)
	for probe.Load(&r.pending); r.pending.Load() != 0; probe.Load(&r.pending) {
		if l.TryLock(n) {
			l.combine() // does ours, if nobody has: the last one let go of the lock after it had done what it found
			l.Unlock(n)
			continue
		}
		spin.onceOrYield()
	}
}

// combine does what is asked for, under the lock.
func (l *combiner) combine() {
	for range combinePasses {
		found := false
		probe.Load(&l.records)
		for r := l.records.Load(); r != nil; r = r.next {
			probe.Load(&r.pending)
			if r.pending.Load() == 0 {
				continue
			}
			found = true
			r.do()
			probe.Store(&r.pending)
			r.pending.Store(0)
		}
		if !found {
			return
		}
	}
}

// record is n's in this lock: the one that it used last or, if that was another lock's, one from the list or a new one.
func (l *combiner) record(n *Node) *request {
	if r := n.record; r != nil && r.of == l {
		return r
	}
	probe.Load(&l.records)
	for r := l.records.Load(); r != nil; r = r.next {
		if r.worker == n {
			n.record = r
			return r
		}
	}
	r := &request{of: l, worker: n}
	for {
		probe.Load(&l.records)
		r.next = l.records.Load()
		probe.RMW(&l.records)
		if l.records.CompareAndSwap(r.next, r) { // pairs with the Load in combine
			n.record = r
			return r
		}
	}
}
