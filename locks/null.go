// null.go: no lock at all. The floor that a lock's time is measured from, as lockhammer's lh_empty: what is left when
// the lock is taken out of a loop. Lock and Unlock do nothing and TryLock says yes, so it is right for one worker
// and wrong for two, which Spec.New refuses. Costs the call through the interface that every lock is called by;
// loses nothing, as it gives nothing: with two workers it is the first fault that a torture of locks must
// see. Holds: nothing.

package locks

type null struct {
	_ [LinePad]byte // it lies where another lock would
}

func newNull(Policy) Lock { return Place[null]() }

// Floor returns the lock that is none, for any number of workers: it excludes nobody. It is for a measurement of what its callers do besides
// locking, with nothing to guard. Not even the witness watches it, which would see workers inside together.
func Floor() Lock { return newNull(Spin) }

func (*null) Lock(*Node)         {}
func (*null) TryLock(*Node) bool { return true }
func (*null) Unlock(*Node)       {}
