package locks

import "pcbbench/locks/witness"

// watch has l report to the witness what happens to it, in builds that have one. Mtx and RW do so themselves, since
// they are also embedded where no watch sees them.
func watch(l Lock) Lock {
	if !witness.Enabled {
		return l
	}
	switch l := l.(type) {
	case *Mtx, *RW:
		return l
	case Optimist:
		return &watchedOptimist{watched{l: l}, l}
	case Delegator:
		return &watchedDelegator{watched{l: l}, l}
	case RWLock:
		return &watchedRW{watched{l: l}, l}
	}
	return &watched{l: l}
}

type watched struct {
	_ [LinePad]byte // constant, so kept off the lines of those who write
	l Lock
	_ [LinePad]byte
}

// Witnessed returns the lock that is named in reports.
func (w *watched) Witnessed() any { return w.l }

func (w *watched) Lock(n *Node) {
	if witness.Profiling && w.TryLock(n) { // who has to wait was refused before
		return
	}
	witness.Want(w.l, witness.Exclusive)
	w.l.Lock(n)
	witness.Got(w.l, witness.Exclusive)
}

func (w *watched) TryLock(n *Node) bool {
	if witness.Profiling {
		witness.Want(w.l, witness.Exclusive)
	}
	if !w.l.TryLock(n) {
		witness.Busy(w.l)
		return false
	}
	witness.Got(w.l, witness.Exclusive)
	return true
}

func (w *watched) Unlock(n *Node) {
	witness.Drop(w.l, witness.Exclusive)
	w.l.Unlock(n)
}

type watchedDelegator struct {
	watched
	d Delegator
}

// Do is told of the caller, who wanted the lock and for whom f has run; not of the goroutine that ran it.
func (w *watchedDelegator) Do(n *Node, f func()) {
	witness.Want(w.l, witness.Exclusive)
	w.d.Do(n, f)
	witness.Got(w.l, witness.Exclusive)
	witness.Drop(w.l, witness.Exclusive)
}

// watchedOptimist does not report its readers: they hold nothing.
type watchedOptimist struct {
	watched
	o Optimist
}

func (w *watchedOptimist) Begin() uint64         { return w.o.Begin() }
func (w *watchedOptimist) Retry(seq uint64) bool { return w.o.Retry(seq) }

type watchedRW struct {
	watched
	rw RWLock
}

func (w *watchedRW) RLock(n *Node) {
	if witness.Profiling && w.TryRLock(n) {
		return
	}
	witness.Want(w.l, witness.Shared)
	w.rw.RLock(n)
	witness.Got(w.l, witness.Shared)
}

func (w *watchedRW) TryRLock(n *Node) bool {
	if witness.Profiling {
		witness.Want(w.l, witness.Shared)
	}
	if !w.rw.TryRLock(n) {
		witness.Busy(w.l)
		return false
	}
	witness.Got(w.l, witness.Shared)
	return true
}

func (w *watchedRW) RUnlock(n *Node) {
	witness.Drop(w.l, witness.Shared)
	w.rw.RUnlock(n)
}

func (w *watchedRW) TryUpgrade(n *Node) bool {
	if !w.rw.TryUpgrade(n) {
		return false
	}
	witness.Change(w.l, witness.Exclusive)
	return true
}

func (w *watchedRW) Downgrade(n *Node) {
	witness.Change(w.l, witness.Shared)
	w.rw.Downgrade(n)
}
