package locks

import (
	"fmt"
	"runtime"
	"strings"
)

// A Kind is one locking algorithm.
type Kind struct {
	Name     string
	Doc      string   // the idea, in a line
	Source   string   // where it comes from
	Fairness string   // who waits how long
	Shared   bool     // readers share it; else RLock is Lock
	Workers  int      // the most workers that it is right for, 0 for any number
	Bytes    int      // size on amd64 and arm64, without padding and queue nodes
	Policies []Policy // how waiters may wait; the first is the default
	// Needs, if not nil, says what this machine has not that the lock is made for; nil: it has all. The lock works all the same, and is not worth
	// measuring.
	Needs func() error

	make func(Policy) Lock
}

// Kinds lists all kinds in the order in which to read them.
var Kinds = []Kind{
	{
		Name:     "null",
		Doc:      "no lock at all: the floor to measure others from; for one worker",
		Source:   "lockhammer's lh_empty",
		Fairness: "none: nobody waits",
		Workers:  1,
		Bytes:    0,
		Policies: []Policy{Spin},
		make:     newNull,
	},
	{
		Name:     "mutex",
		Doc:      "sync.Mutex: what a Go program has; the control",
		Source:   "Go, internal/sync/mutex.go",
		Fairness: "barging; a waiter of 1 ms gets the lock next",
		Bytes:    8,
		Policies: []Policy{SpinPark},
		make:     newMutex,
	},
	{
		Name:     "rwmutex",
		Doc:      "sync.RWMutex: the control for shared locks; cannot upgrade",
		Source:   "Go, sync/rwmutex.go",
		Fairness: "a waiting writer stops new readers; its Unlock lets all waiting readers in",
		Shared:   true,
		Bytes:    28,
		Policies: []Policy{SpinPark},
		make:     newRWMutex,
	},
	{
		Name:     "mtx",
		Doc:      "adaptive mutex: spin while the lock moves, else park",
		Source:   "FreeBSD mtx(9), sys/kern/kern_mutex.c",
		Fairness: "barging without bound",
		Bytes:    8,
		Policies: []Policy{SpinPark},
		make:     newMtx,
	},
	{
		Name:     "tas",
		Doc:      "test-and-set by swap, without a look before: the worst line traffic",
		Source:   "Anderson, IEEE TPDS 1(1), 1990, spin on test-and-set",
		Fairness: "none: whose swap comes first",
		Bytes:    8,
		Policies: []Policy{SpinYield, Spin},
		make:     newTAS,
	},
	{
		Name:     "ttas",
		Doc:      "test-and-test-and-set with capped exponential backoff",
		Source:   "Anderson, IEEE TPDS 1(1), 1990",
		Fairness: "none: whoever looks first",
		Bytes:    8,
		Policies: []Policy{SpinYield, Spin},
		make:     newTTAS,
	},
	{
		Name:     "ticket",
		Doc:      "take a number, wait until it is called",
		Source:   "Reed and Kanodia 1979; Mellor-Crummey and Scott, ACM TOCS 9(1), 1991, section 2.2",
		Fairness: "first come, first served",
		Bytes:    12,
		Policies: []Policy{SpinYield, Spin},
		make:     newTicket,
	},
	{
		Name:     "partitioned",
		Doc:      "a ticket lock that calls numbers at 16 places in turn, so that few waiters look at each",
		Source:   "Dice, SPAA 2011",
		Fairness: "first come, first served",
		Bytes:    76,
		Policies: []Policy{SpinYield, Spin},
		make:     newPartitioned,
	},
	{
		Name:     "twa",
		Doc:      "a ticket lock whose waiters stand aside, at an array that all locks share, until they are next",
		Source:   "Dice and Kogan, Euro-Par 2019",
		Fairness: "first come, first served",
		Bytes:    20,
		Policies: []Policy{SpinYield, Spin},
		make:     newTWA,
	},
	{
		Name:     "mcs",
		Doc:      "a queue of waiters, each spinning on a line of its own",
		Source:   "Mellor-Crummey and Scott, ACM TOCS 9(1), 1991, section 2.4",
		Fairness: "first come, first served",
		Bytes:    16,
		Policies: []Policy{SpinYield, Spin, SpinPark},
		make:     newMCS,
	},
	{
		Name:     "clh",
		Doc:      "a queue of waiters, each spinning on the cell of the one before, which it then keeps",
		Source:   "Craig, UW TR 93-02-02, 1993; Magnusson, Landin and Hagersten, IPPS 1994",
		Fairness: "first come, first served",
		Bytes:    16,
		Policies: []Policy{SpinYield, Spin, SpinPark},
		make:     newCLH,
	},
	{
		Name:     "hemlock",
		Doc:      "a queue with one word a lock and one a worker; Unlock waits until the next has taken over",
		Source:   "Dice and Kogan, SPAA 2021, with coherence traffic reduction",
		Fairness: "first come, first served",
		Bytes:    16,
		Policies: []Policy{SpinYield, Spin},
		make:     newHemlock,
	},
	{
		Name:     "reciprocating",
		Doc:      "arrivals pile up on a stack, which is served as a whole",
		Source:   "Dice and Kogan, arXiv 2501.02380, 2025",
		Fairness: "bounded: nobody passes a waiter twice; within a segment the youngest goes first",
		Bytes:    16,
		Policies: []Policy{SpinYield, Spin, SpinPark},
		make:     newReciprocating,
	},
	{
		Name:     "malthusian",
		Doc:      "a queue in which no more workers take part than keep the lock busy; the others sleep",
		Source:   "Dice, EuroSys 2017, section 4 (MCSCR)",
		Fairness: "long-run only: who is made passive waits until nobody else does, or for one Unlock in 1000",
		Bytes:    32,
		Policies: []Policy{SpinPark, SpinYield, Spin},
		make:     newMalthusian,
	},
	{
		Name:     "cna",
		Doc:      "a queue that serves waiters of the holder's NUMA node first",
		Source:   "Dice and Kogan, EuroSys 2019, section 4",
		Fairness: "long-run only: the lock leaves a NUMA node when nobody there waits, or once in 65536",
		Bytes:    16,
		Policies: []Policy{SpinYield, Spin, SpinPark},
		Needs:    cnaNeeds,
		make:     newCNA,
	},
	{
		Name:     "combiner",
		Doc:      "flat combining: who has the lock runs the sections of those who wait",
		Source:   "Hendler, Incze, Shavit, Tzafrir, SPAA 2010",
		Fairness: "a request is served in the next pass; by Lock: whoever looks first",
		Bytes:    16,
		Policies: []Policy{SpinYield, Spin},
		make:     newCombiner,
	},
	{
		Name:     "seqlock",
		Doc:      "a sequence that is odd while a writer is inside; readers of data that may be thrown away only look at it",
		Source:   "Linux, include/linux/seqlock.h, 2003",
		Fairness: "none: whoever looks first; readers wait for a moment without writers",
		Bytes:    16,
		Policies: []Policy{SpinYield, Spin},
		make:     newSeqlock,
	},
	{
		Name:     "rw",
		Doc:      "compact shared/exclusive lock with try-upgrade and downgrade",
		Source:   "after FreeBSD rwlock(9), sys/kern/kern_rwlock.c",
		Fairness: "waiting writers go before readers, which may starve; who is woken competes; writers barge",
		Shared:   true,
		Bytes:    16,
		Policies: []Policy{SpinPark},
		make:     newRW,
	},
	{
		Name:     "phasefair",
		Doc:      "readers and writers take turns, by tickets",
		Source:   "Brandenburg and Anderson, Real-Time Systems 46(1), 2010, section 3.2 (PF-T)",
		Fairness: "phase-fair: a reader waits for one writer at most, writers come first come, first served",
		Shared:   true,
		Bytes:    24,
		Policies: []Policy{SpinYield, Spin},
		make:     newPhasefair,
	},
	{
		Name:     "bravo",
		Doc:      "readers stand in a table that all locks share, until a writer comes; then phasefair",
		Source:   "Dice and Kogan, USENIX ATC 2019",
		Fairness: "as phasefair, but for the readers that a writer finds in the table",
		Shared:   true,
		Bytes:    40,
		Policies: []Policy{SpinYield, Spin},
		make:     newBravo,
	},
	{
		Name:     "brlock",
		Doc:      "a count of readers a CPU, each on its line (8 KiB in all); a writer looks at all of them",
		Source:   "Linux 2.4, include/linux/brlock.h; FreeBSD rmlock(9), sys/kern/kern_rmlock.c, 2007",
		Fairness: "a waiting writer stops new readers, which may starve; writers barge",
		Shared:   true,
		Bytes:    264,
		Policies: []Policy{SpinYield, Spin},
		make:     newBrlock,
	},
}

// A Spec names a lock to be made: a kind and one of its policies. Specs are comparable. The zero Spec names
// nothing and panics when used; take one from ParseSpec or Specs.
type Spec struct {
	kind   *Kind
	policy Policy
}

// Specs returns every policy of every kind, in order.
func Specs() []Spec {
	var all []Spec
	for i := range Kinds {
		for _, p := range Kinds[i].Policies {
			all = append(all, Spec{&Kinds[i], p})
		}
	}
	return all
}

// ParseSpec reads "kind" or "kind:policy", such as "mtx" or "ticket:spin".
func ParseSpec(text string) (Spec, error) {
	name, policy, given := strings.Cut(text, ":")
	var known []string
	for _, s := range Specs() {
		if s.kind.Name == name && (s.policy.String() == policy || !given) {
			return s, nil // without a policy, the first: the default
		}
		known = append(known, s.kind.Name+":"+s.policy.String())
	}
	return Spec{}, fmt.Errorf("unknown lock %q: want one of %s", text, strings.Join(known, ", "))
}

// String returns the text that ParseSpec reads, without the policy if it is the default.
func (s Spec) String() string {
	if s.policy == s.kind.Policies[0] {
		return s.kind.Name
	}
	return s.kind.Name + ":" + s.policy.String()
}

// Kind returns the algorithm named.
func (s Spec) Kind() *Kind { return s.kind }

// Policy returns how its waiters wait.
func (s Spec) Policy() Policy { return s.policy }

// Unfit says why there is nothing to measure of the lock on this machine; nil: there is.
func (s Spec) Unfit() error {
	if s.kind.Needs == nil {
		return nil
	}
	if err := s.kind.Needs(); err != nil {
		return fmt.Errorf("lock %v: %w", s, err)
	}
	return nil
}

// New makes the lock, at a place of its own (see Place), for that many workers at a time. A lock whose
// waiters never let go of their CPU is refused to more workers than there are CPUs for them: the holder
// would wait for a CPU behind those who wait for it. A lock that is right for a few workers only is refused to more.
func (s Spec) New(workers int) (Lock, error) {
	if most := s.kind.Workers; most != 0 && workers > most {
		return nil, fmt.Errorf("lock %v: right for %d worker(s) at most, not for %d: %s", s, most, workers, s.kind.Doc)
	}
	if procs := runtime.GOMAXPROCS(0); s.policy == Spin && workers > procs {
		return nil, fmt.Errorf("lock %v: %d workers would spin on %d CPUs (GOMAXPROCS)", s, workers, procs)
	}
	poll() // calibrates now rather than in the first wait
	return watch(s.kind.make(s.policy)), nil
}

// NewRW is New for users that tell readers from writers. A kind that is not Shared serves readers as
// writers, TryUpgrade succeeds and Downgrade does nothing.
func (s Spec) NewRW(workers int) (RWLock, error) {
	l, err := s.New(workers)
	if err != nil {
		return nil, err
	}
	if rw, ok := l.(RWLock); ok {
		return rw, nil
	}
	return &exclusive{l: l}, nil
}
