// Package witness checks at run time in what order locks are taken, after FreeBSD's WITNESS(4), sys/kern/subr_witness.c. A deadlock
// needs two workers at the wrong moment; the order that allows it is seen by one worker at any moment.
//
// Locks have classes: the name that Name gave to the lock, else the Go type. A lock is wanted under all locks that the goroutine holds,
// and each of those pairs of classes is judged:
//
//   - if Order names both, its edges must lead from the outer to the inner one;
//   - if not, the pair is learned when it is met first, and what would close a circle with declared or learned pairs is a violation;
//   - two locks of one class must both have a rank (see Rank) and be taken by growing rank, or the class must be declared under itself.
//
// A try cannot wait, so it is not judged; what it got is held like anything else. Violations are moreover: a lock taken
// twice by one goroutine, also shared and also when it would upgrade by waiting; release, upgrade or downgrade of
// what the goroutine does not hold so; waiting for a lock or for a grace period inside an SMR section; and the end of a section
// that the goroutine is not in. A violation panics with an oracle.Violation that names the sites involved, each by its innermost calls
// outside of the locks, innermost first.
//
// What a call does is chosen by build tag: without one nothing, and the calls are inlined away. With the tag witness they do nothing
// but an atomic load until Enable; it needs amd64 or arm64. With the tag count nothing is checked, and acquisitions are counted by class. With the tag
// profile nothing is checked either: who waits where, for how long and behind whom is recorded, after LOCK_PROFILING(9).
package witness

// A Mode is a way to hold a lock.
type Mode uint8

const (
	Exclusive Mode = iota
	Shared
)

var modeNames = [...]string{Exclusive: "exclusively", Shared: "shared"}

func (m Mode) String() string { return modeNames[m] }

// An Edge says that locks of one class were wanted under locks of another.
type Edge struct {
	Outer, Inner         string // the classes
	OuterSite, InnerSite string // where the two were taken, one of the times
	Count                uint64 // how often
}

// An Act is something that is counted.
type Act uint8

const (
	Locked     Act = iota // taken exclusively, by waiting or by a try
	RLocked               // taken shared
	Upgraded              // made exclusive without letting go
	Downgraded            // made shared without letting go
	Entered               // a section of an SMR domain, which has no class
)

var actNames = [...]string{Locked: "locks", RLocked: "rlocks", Upgraded: "upgrades", Downgraded: "downgrades", Entered: "sections"}

func (a Act) String() string { return actNames[a] }

// A Count says how often something happened to the locks of a class.
type Count struct {
	Class string
	Act   Act
	N     uint64
}

// A Site is what a profile has of one place in the code, where locks of one class are taken in one way.
type Site struct {
	Name  string // the innermost calls outside of the locks, innermost first
	Class string // "" of a section
	Act   Act
	Times
}

// Times are a profile's counts and durations, these in ticks of the clock that StartProfile was given. An upgrade or a downgrade ends one hold and begins
// another, so that each has its own site and mode; sections are holds that nobody waits for.
type Times struct {
	Count   uint64 // holds begun
	Waited  uint64 // of these, how many found the lock taken: cnt_lock
	Blocked uint64 // how often others found it taken while it was held: cnt_hold
	Held    int64  // of all holds
	MaxHeld int64
	Wait    int64 // from finding it taken to having it, of all that waited
	MaxWait int64
}

// Add adds o to t.
func (t *Times) Add(o Times) {
	t.Count += o.Count
	t.Waited += o.Waited
	t.Blocked += o.Blocked
	t.Held += o.Held
	t.MaxHeld = max(t.MaxHeld, o.MaxHeld)
	t.Wait += o.Wait
	t.MaxWait = max(t.MaxWait, o.MaxWait)
}
