// Package locks holds the mutual exclusion that the connection tables are built on: one algorithm a
// file, behind one interface for exclusive locks and one for shared/exclusive ones.
//
// Trade-offs come first: a lock that barges (mtx, ttas, rw) gives the most throughput because its
// owner may take it again while the line is hot; a lock that queues (ticket, mcs) gives every worker
// its turn and pays one line transfer for each. A lock that spins wins while every waiter has a CPU
// and collapses when the holder is preempted; a lock that parks survives that and pays a wake-up.
// The list Kinds is meant to be read from top to bottom.
package locks

// A Lock is an exclusive lock. The caller passes a Node of its own, which it keeps until Unlock: queue
// locks link it into their queue, the others ignore it and accept nil.
//
// Lock and Unlock order memory as sync.Mutex's do. Unlock of a lock that is not held panics or is
// undefined, as the Kind says; a lock may be unlocked only with the Node that locked it.
type Lock interface {
	Lock(n *Node)
	TryLock(n *Node) bool // takes the lock if that needs no waiting
	Unlock(n *Node)
}

// A Delegator is a lock that may have a section run by another worker, the one that holds the lock.
type Delegator interface {
	Lock
	// Do returns when f has run, once, with the lock held, on the goroutine of some worker in Do. It orders memory as Lock, f and Unlock
	// would. f must not use this lock, nor count on being on its caller's goroutine.
	Do(n *Node, f func())
}

// An Optimist is a lock whose readers may do without it, for data that they read by atomics and may throw away.
type Optimist interface {
	Lock
	// Begin returns what Retry is to be asked after the data was read, when no writer is inside.
	Begin() uint64
	// Retry reports whether a writer has been inside since Begin returned seq: then what was read may not belong together.
	Retry(seq uint64) bool
}

// Optimistic is l as an Optimist, if it is one.
func Optimistic(l Lock) (o Optimist, ok bool) {
	if e, ok := l.(*exclusive); ok {
		l = e.l
	}
	o, ok = l.(Optimist)
	return o, ok
}

// Do runs f with l held exclusively: on the goroutine of whoever has it if l is a Delegator, else on the caller's.
func Do(l Lock, n *Node, f func()) {
	if e, ok := l.(*exclusive); ok {
		l = e.l
	}
	if d, ok := l.(Delegator); ok {
		d.Do(n, f)
		return
	}
	l.Lock(n)
	f()
	l.Unlock(n)
}

// An RWLock is a shared/exclusive lock in the manner of rwlock(9): a reader may try to become the writer
// without letting go, which sync.RWMutex cannot do.
type RWLock interface {
	Lock
	RLock(n *Node)
	TryRLock(n *Node) bool
	RUnlock(n *Node)
	// TryUpgrade turns the caller's shared hold into the exclusive one if the caller is the only reader.
	// It never waits, because two waiting upgraders would wait for each other; after false the caller
	// still holds the lock shared.
	TryUpgrade(n *Node) bool
	// Downgrade turns the caller's exclusive hold into a shared one; it cannot fail.
	Downgrade(n *Node)
}

// exclusive lends an exclusive lock the methods of a shared one: readers shut out one another too. FreeBSD
// 6 did so when INP_INFO_RLOCK and INP_INFO_WLOCK were both mtx_lock.
type exclusive struct {
	l Lock
	_ [LinePad]byte // constant, so kept off the lines of those who write
}

func (e *exclusive) Lock(n *Node)          { e.l.Lock(n) }
func (e *exclusive) TryLock(n *Node) bool  { return e.l.TryLock(n) }
func (e *exclusive) Unlock(n *Node)        { e.l.Unlock(n) }
func (e *exclusive) RLock(n *Node)         { e.l.Lock(n) }
func (e *exclusive) TryRLock(n *Node) bool { return e.l.TryLock(n) }
func (e *exclusive) RUnlock(n *Node)       { e.l.Unlock(n) }
func (e *exclusive) TryUpgrade(*Node) bool { return true }
func (e *exclusive) Downgrade(*Node)       {}

// Witnessed returns the lock that reports to the witness, which e itself does not.
func (e *exclusive) Witnessed() any { return e.l }

// noCopy makes go vet report copies of what contains it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}
