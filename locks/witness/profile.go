//go:build profile

package witness

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Enabled reports whether locks report here in this build.
const Enabled = true

// Checking reports whether this build can check anything: this one records.
const Checking = false

// Profiling reports whether this build keeps a profile of its locks. Lock is a try first, and a wait if that is refused: whether an acquisition was
// satisfied at once is what its try said.
const Profiling = true

// State. What a goroutine does goes into a record of its own, which nobody else writes, so that the profile itself is contended for by nobody. Only the
// count of refusals is kept by lock, and written when somebody was refused.
var (
	recording atomic.Bool
	clock     atomic.Pointer[func() int64] // set before recording
	over      atomic.Bool                  // the recording: who is refused from now on is not taken in
	names     sync.Map                     // lock, as any → *lock; keeps the lock alive, so that no other can come to its address
	mu        sync.Mutex
	classes   = make(map[string]*string)          // under mu: each class once, so that pointers compare
	workers   atomic.Pointer[map[uintptr]*worker] // by goroutine(); replaced under mu, as many as there were goroutines at a time
)

// A lock is what is known of one lock.
type lock struct {
	_       [linePad]byte
	class   *string
	_       [linePad]byte // who holds a lock reads its class and must not wait for those who are refused
	refused atomic.Uint64 // how often somebody found it taken
	_       [linePad]byte
}

const linePad = 128

// StartProfile records from now on, by a clock. It may be called while others take locks: what they hold at that moment is left out.
func StartProfile(now func() int64) {
	clock.Store(&now)
	over.Store(false)
	recording.Store(true)
}

// StopProfile takes nothing more in. Holds that were taken in until then are when they end, and so are acquisitions that wait at that moment, or waited when the
// recording began: with all of their wait.
func StopProfile() {
	over.Store(true)
	recording.Store(false)
}

// Profile returns what was recorded since the last Reset, by class, act and site. Call it while nothing runs.
func Profile() (sites []Site) {
	type key struct {
		name, class string
		act         Act
	}
	sum := map[key]*Times{}
	for _, w := range all() {
		for p, r := range w.rows {
			if r.Count == 0 {
				continue // somebody was refused and gave up
			}
			k := key{r.name, *p.class, p.act}
			if sum[k] == nil {
				sum[k] = new(Times)
			}
			sum[k].Add(r.Times)
		}
	}
	for k, t := range sum {
		sites = append(sites, Site{k.name, k.class, k.act, *t})
	}
	slices.SortFunc(sites, func(a, b Site) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Act, b.Act), cmp.Compare(a.Name, b.Name))
	})
	return sites
}

// Counts returns how often each act was recorded since the last Reset, by class in alphabetical order and by act.
func Counts() (counts []Count) {
	for _, s := range Profile() {
		if n := len(counts); n == 0 || counts[n-1].Class != s.Class || counts[n-1].Act != s.Act {
			counts = append(counts, Count{Class: s.Class, Act: s.Act})
		}
		counts[len(counts)-1].N += s.Count
	}
	return counts
}

// Want says that the caller is about to take l, by a try or by waiting. What has to be looked up is looked up now, rather than while l is held.
func Want(l any, m Mode) {
	if recording.Load() {
		self().want(l, taken[m])
	}
}

// Busy says that the caller has found l taken, and gives up or is about to wait. If the next lock that it takes is l, that acquisition was not satisfied
// at once, and has waited since now: a try that is refused and the wait that follows are one.
func Busy(l any) {
	if clock.Load() != nil && !over.Load() { // also before the recording: who waits when it begins is one who waits
		self().refuse(l)
	}
}

// Got says that the caller has taken l, by waiting or by a try.
func Got(l any, m Mode) {
	if recording.Load() {
		self().got(l, taken[m])
	} else if w := known(); w != nil {
		w.late(l, taken[m])
	}
}

// Drop says that the caller is about to let go of l.
func Drop(l any, m Mode) {
	if w := known(); w != nil {
		w.drop(l)
	}
}

// Change says that the caller, which holds l in the other mode, holds it in mode to from now on.
func Change(l any, to Mode) {
	if w := known(); w != nil && w.drop(l) && recording.Load() {
		w.got(l, [...]Act{Exclusive: Upgraded, Shared: Downgraded}[to])
	}
}

// EnterSection says that the caller has entered cpu's section of an SMR domain.
func EnterSection(dom any, cpu int) {
	if recording.Load() {
		self().enter(dom, cpu)
	}
}

// ExitSection says that the caller is about to leave it.
func ExitSection(dom any, cpu int) {
	if w := known(); w != nil {
		w.exit(dom, cpu)
	}
}

// WaitSections says that the caller is about to wait for sections to end. It does nothing in this flavour.
func WaitSections() {}

// Name gives l its class. Call it before l is used. If l has a method Witnessed() any, what that returns is meant instead: the lock
// that l lends another interface. Names last until the next Reset.
func Name(l any, class string) { names.Store(witnessed(l), &lock{class: intern(class)}) }

// Rank gives l, which has a name, its rank among the locks of its class. It does nothing in this flavour.
func Rank(l any, rank int) {}

// Order declares pairs of classes. It does nothing in this flavour.
func Order(edges ...[2]string) {}

// Enable turns the checks on or off. It does nothing in this flavour.
func Enable(on bool) (was bool) { return false }

// Reset forgets names and what was recorded, and records nothing more. Call it while nothing runs.
func Reset() {
	recording.Store(false)
	names.Clear()
	mu.Lock()
	defer mu.Unlock()
	workers.Store(nil)
	clear(classes)
}

// Held lists who holds and waits for what: nothing in this flavour.
func Held() string { return "" }

// Edges returns the pairs seen: nil in this flavour.
func Edges() []Edge { return nil }

// intern returns the one copy of class.
func intern(class string) *string {
	mu.Lock()
	defer mu.Unlock()
	c := classes[class]
	if c == nil {
		c = &class
		classes[class] = c
	}
	return c
}

func lockOf(l any) *lock {
	if i, ok := names.Load(l); ok {
		return i.(*lock)
	}
	i, _ := names.LoadOrStore(l, &lock{class: intern(classOf(l))})
	return i.(*lock)
}

// self is the caller's record.
func self() *worker {
	if w := known(); w != nil {
		return w
	}
	mu.Lock()
	defer mu.Unlock()
	more := map[uintptr]*worker{}
	maps.Copy(more, all())
	w := newWorker()
	more[goroutine()] = w
	workers.Store(&more)
	return w
}

// known is the caller's record, nil if it has none.
func known() *worker { return all()[goroutine()] }

func all() map[uintptr]*worker {
	if ws := workers.Load(); ws != nil {
		return *ws
	}
	return nil
}

func now() int64 { return (*clock.Load())() }
