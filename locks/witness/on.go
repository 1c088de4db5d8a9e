//go:build witness

package witness

import (
	"sync"
	"sync/atomic"
)

// Enabled reports whether locks report here in this build.
const Enabled = true

// Checking reports whether this build can check anything.
const Checking = true

// State. What a goroutine holds is kept in a record of its own, because one record for all would order all workers and so hide
// from the race detector the very races that it is there to find.
var (
	on      atomic.Bool
	workers sync.Map // goroutine() → *worker; as many as there were goroutines at a time
	names   sync.Map // lock, as any → *name; keeps the lock alive, so that no other can come to its address
	order   = newGraph()
)

// A name is what Name and Rank said of one lock.
type name struct {
	class string
	rank  atomic.Int64 // 0: none
}

// Want says that the caller is about to take l and may have to wait.
func Want(l any, m Mode) {
	if on.Load() {
		check(func(w *worker) error { return w.want(taking(l, m)) })
	}
}

// Got says that the caller has taken l, by waiting or by a try.
func Got(l any, m Mode) {
	if on.Load() {
		check(func(w *worker) error { return w.got(l, m) })
	}
}

// Drop says that the caller is about to let go of l.
func Drop(l any, m Mode) {
	if on.Load() {
		check(func(w *worker) error { return w.drop(l, m) })
	}
}

// Change says that the caller, which holds l in the other mode, holds it in mode to from now on.
func Change(l any, to Mode) {
	if on.Load() {
		check(func(w *worker) error { return w.change(l, to) })
	}
}

// EnterSection says that the caller has entered cpu's section of an SMR domain.
func EnterSection(dom any, cpu int) {
	if on.Load() {
		check(func(w *worker) error { return w.enter(section{dom, cpu, *here()}) })
	}
}

// ExitSection says that the caller is about to leave it.
func ExitSection(dom any, cpu int) {
	if on.Load() {
		check(func(w *worker) error { return w.exit(section{dom, cpu, *here()}) })
	}
}

// WaitSections says that the caller is about to wait for sections to end.
func WaitSections() {
	if on.Load() {
		check(func(w *worker) error { return w.outside("a grace period", here()) })
	}
}

// Name gives l its class. Call it before l is used. If l has a method Witnessed() any, what that returns is meant instead: the lock
// that l lends another interface. Names last until the next Enable, and while the checks are off none are given.
func Name(l any, class string) {
	if on.Load() {
		names.Store(witnessed(l), &name{class: class})
	}
}

// Rank gives l, which has a name, its rank among the locks of its class; 0, which every lock has at first, is none. It may change
// while l is held.
func Rank(l any, rank int) {
	if on.Load() {
		nameOf(witnessed(l)).rank.Store(int64(rank))
	}
}

func nameOf(l any) *name {
	if n, ok := names.Load(l); ok {
		return n.(*name)
	}
	return &name{class: classOf(l)}
}

// Order declares pairs of classes, outer and inner; a class paired with itself may be held more than once. It panics if they go
// round in a circle. Call it while nothing runs.
func Order(edges ...[2]string) { order.declare(edges) }

// Enable turns the checks on or off, and returns whether they were on. It forgets names and what is held, and keeps the order. Call it while
// nothing runs.
func Enable(to bool) (was bool) {
	names.Clear()
	for _, w := range all() {
		w.clear()
	}
	return on.Swap(to)
}

// Reset forgets the order as well, declared and learned. Call it while nothing runs.
func Reset() {
	names.Clear()
	workers.Clear()
	order = newGraph()
}

// Counts returns what happened to locks: nil in this flavour.
func Counts() []Count { return nil }
