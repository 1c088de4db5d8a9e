//go:build !witness && !count && !profile

package witness

// Enabled reports whether locks report here in this build.
const Enabled = false

// Checking reports whether this build can check anything.
const Checking = false

// Want says that the caller is about to take l and may have to wait.
func Want(l any, m Mode) {}

// Got says that the caller has taken l, by waiting or by a try.
func Got(l any, m Mode) {}

// Drop says that the caller is about to let go of l.
func Drop(l any, m Mode) {}

// Change says that the caller, which holds l in the other mode, holds it in mode to from now on.
func Change(l any, to Mode) {}

// EnterSection says that the caller has entered cpu's section of an SMR domain.
func EnterSection(dom any, cpu int) {}

// ExitSection says that the caller is about to leave it.
func ExitSection(dom any, cpu int) {}

// WaitSections says that the caller is about to wait for sections to end.
func WaitSections() {}

// Name gives l its class.
func Name(l any, class string) {}

// Rank gives l, which has a name, its rank among the locks of its class.
func Rank(l any, rank int) {}

// Order declares pairs of classes. It does nothing in this flavour.
func Order(edges ...[2]string) {}

// Enable turns the checks on or off. It does nothing in this flavour.
func Enable(on bool) (was bool) { return false }

// Reset forgets everything. It does nothing in this flavour.
func Reset() {}

// Held lists who holds and waits for what: nothing in this flavour.
func Held() string { return "" }

// Edges returns the pairs seen: nil in this flavour.
func Edges() []Edge { return nil }

// Counts returns what happened to locks: nil in this flavour.
func Counts() []Count { return nil }
