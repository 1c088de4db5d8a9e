//go:build count

package witness

import (
	"cmp"
	"slices"
	"sync"
)

// Enabled reports whether locks report here in this build.
const Enabled = true

// Checking reports whether this build can check anything: this one counts.
const Checking = false

// State. One mutex for all, as nothing is timed in this flavour. Counts are found by a search: there are a dozen, and what a map allocates
// when depends on its hash, while allocations are counted too.
var (
	mu      sync.Mutex
	classes = make(map[any]string) // by lock; keeps the lock alive, so that no other can come to its address
	counts  []Count
)

// Want says that the caller is about to take l and may have to wait. Nothing is counted before l is taken.
func Want(l any, m Mode) {}

// Got says that the caller has taken l, by waiting or by a try.
func Got(l any, m Mode) { count(l, [...]Act{Exclusive: Locked, Shared: RLocked}[m]) }

// Drop says that the caller is about to let go of l, which goes without saying.
func Drop(l any, m Mode) {}

// Change says that the caller, which holds l in the other mode, holds it in mode to from now on.
func Change(l any, to Mode) { count(l, [...]Act{Exclusive: Upgraded, Shared: Downgraded}[to]) }

// EnterSection says that the caller has entered cpu's section of an SMR domain.
func EnterSection(dom any, cpu int) {
	mu.Lock()
	defer mu.Unlock()
	add("", Entered)
}

// ExitSection says that the caller is about to leave it, which goes without saying.
func ExitSection(dom any, cpu int) {}

// WaitSections says that the caller is about to wait for sections to end: probe counts the waits.
func WaitSections() {}

// Name gives l its class. Call it before l is used. If l has a method Witnessed() any, what that returns is meant instead: the lock
// that l lends another interface. Names last until the next Reset.
func Name(l any, class string) {
	mu.Lock()
	defer mu.Unlock()
	classes[witnessed(l)] = class
}

// Rank gives l, which has a name, its rank among the locks of its class. It does nothing in this flavour.
func Rank(l any, rank int) {}

// Order declares pairs of classes. It does nothing in this flavour.
func Order(edges ...[2]string) {}

// Enable turns the checks on or off. It does nothing in this flavour.
func Enable(on bool) (was bool) { return false }

// Reset forgets names and counts.
func Reset() {
	mu.Lock()
	defer mu.Unlock()
	clear(classes)
	counts = nil
}

// Held lists who holds and waits for what: nothing in this flavour.
func Held() string { return "" }

// Edges returns the pairs seen: nil in this flavour.
func Edges() []Edge { return nil }

// Counts returns what happened to locks since the last Reset, by class in alphabetical order and by act. A lock without a name is of the class of its
// Go type.
func Counts() []Count {
	mu.Lock()
	defer mu.Unlock()
	return slices.SortedFunc(slices.Values(counts), func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Act, b.Act))
	})
}

func count(l any, a Act) {
	mu.Lock()
	defer mu.Unlock()
	class, ok := classes[l]
	if !ok {
		class = classOf(l)
	}
	add(class, a)
}

// add is called with mu held.
func add(class string, a Act) {
	i := slices.IndexFunc(counts, func(c Count) bool { return c.Class == class && c.Act == a })
	if i < 0 {
		i = len(counts)
		counts = append(counts, Count{Class: class, Act: a})
	}
	counts[i].N++
}
