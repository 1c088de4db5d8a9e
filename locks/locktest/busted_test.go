//go:build !race

package locktest

import (
	"runtime"
	"sync"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// busted are locks with one fault each, what they claim to promise, and the oracles that may find that they do not keep it.
var busted = []struct {
	name    string
	want    []string
	promise promise
	make    func() locks.RWLock
}{
	{"null", []string{oracle.Exclusion}, promises["mtx"], null},
	{"reads", []string{oracle.Exclusion}, promises["rw"], func() locks.RWLock { return new(reads) }},
	{"readers exclude readers", []string{oracle.Answer}, promises["rw"], func() locks.RWLock { return new(readersExclude) }},
	{"readers exclude readers that wait", []string{oracle.Progress}, promises["rw"], func() locks.RWLock { return new(readersQueue) }},
	{"upgrade lets go", []string{oracle.Exclusion}, promises["rw"], func() locks.RWLock { return new(upgradeLetsGo) }},
	{"upgrade past readers", []string{oracle.Exclusion, "locks panic"}, promises["rw"], func() locks.RWLock { return new(upgradePast) }},
	{"failed upgrade lets go", []string{oracle.Exclusion, "locks panic"}, promises["rw"], func() locks.RWLock { return new(upgradeLoses) }},
	{"upgrade fails", []string{oracle.Answer}, promises["rw"], func() locks.RWLock { return new(upgradeFails) }},
	{"downgrade lets go", []string{oracle.Exclusion}, promises["rw"], func() locks.RWLock { return new(downgradeLetsGo) }},
	{"downgrade stays", []string{oracle.Answer}, promises["rw"], func() locks.RWLock { return new(downgradeStays) }},
	{"try grants now and then", []string{oracle.Exclusion, "locks panic"}, promises["mtx"], func() locks.RWLock { return &tries{every: 100} }},
	{"try grants always", []string{oracle.Exclusion}, promises["mtx"], func() locks.RWLock { return &tries{every: 1} }},
	{"try refuses", []string{oracle.Answer}, promises["mtx"], func() locks.RWLock { return new(refuses) }},
	{"reader left behind", []string{oracle.Structure, oracle.Answer, oracle.Progress}, promises["rw"], func() locks.RWLock { return new(leaves) }},
	{"reader counted twice out", []string{"locks panic", oracle.Exclusion, oracle.Progress}, promises["rw"], func() locks.RWLock { return new(underflows) }},
	{"new readers first", []string{oracle.Fairness}, promises["rw"], func() locks.RWLock { return newReadersFirst() }},
	{"wake-up lost", []string{oracle.Progress}, promises["mtx"], func() locks.RWLock { return newLossy() }},
	{"ticket barges", []string{oracle.Fairness}, promises["ticket"], func() locks.RWLock { return new(barges) }},
	{"ticket skips", []string{oracle.Progress, oracle.Structure}, promises["ticket"], func() locks.RWLock { return &tickets{skip: 100} }},
	{"ticket ordered by size", []string{oracle.Exclusion, oracle.Structure, oracle.Fairness}, promises["ticket"], func() locks.RWLock { return &tickets{atLeast: true} }},
}

// null is the shelf's own, which does nothing, in the hands of more workers than it is for.
func null() locks.RWLock {
	spec, err := locks.ParseSpec("null")
	if err != nil {
		panic("locktest: " + err.Error())
	}
	return made(spec, 1)
}

// Some are an RW with one fault.

// reads lets readers in always.
type reads struct{ locks.RW }

func (l *reads) RLock(*locks.Node)           {}
func (l *reads) TryRLock(*locks.Node) bool   { return true }
func (l *reads) RUnlock(*locks.Node)         {}
func (l *reads) TryUpgrade(*locks.Node) bool { return false }
func (l *reads) Downgrade(n *locks.Node)     { l.Unlock(n) }

type readersExclude struct{ locks.RW }

func (l *readersExclude) RLock(n *locks.Node)           { l.Lock(n) }
func (l *readersExclude) TryRLock(n *locks.Node) bool   { return l.TryLock(n) }
func (l *readersExclude) RUnlock(n *locks.Node)         { l.Unlock(n) }
func (l *readersExclude) TryUpgrade(n *locks.Node) bool { return true }
func (l *readersExclude) Downgrade(n *locks.Node)       {}

// readersQueue lets a reader in beside others by trying, but not by waiting.
type readersQueue struct{ locks.RW }

func (l *readersQueue) RLock(n *locks.Node) { l.Lock(n); l.Downgrade(n) }

type upgradeLetsGo struct{ locks.RW }

func (l *upgradeLetsGo) TryUpgrade(n *locks.Node) bool {
	if !l.RW.TryUpgrade(n) {
		return false
	}
	l.Unlock(n)
	runtime.Gosched()
	l.Lock(n)
	return true
}

// upgradePast takes no account of other readers.
type upgradePast struct{ locks.RW }

func (l *upgradePast) TryUpgrade(n *locks.Node) bool { l.RUnlock(n); return l.TryLock(n) || true }

// upgradeLoses forgets the shared hold when it fails.
type upgradeLoses struct{ locks.RW }

func (l *upgradeLoses) TryUpgrade(n *locks.Node) bool {
	if l.RW.TryUpgrade(n) {
		return true
	}
	l.RW.RUnlock(n)
	return false
}

type upgradeFails struct{ locks.RW }

func (l *upgradeFails) TryUpgrade(*locks.Node) bool { return false }

type downgradeLetsGo struct{ locks.RW }

func (l *downgradeLetsGo) Downgrade(n *locks.Node) {
	l.Unlock(n)
	runtime.Gosched()
	l.RLock(n)
}

// downgradeStays is exclusive until RUnlock.
type downgradeStays struct {
	locks.RW
	downgraded bool
}

func (l *downgradeStays) Downgrade(*locks.Node) { l.downgraded = true }
func (l *downgradeStays) RUnlock(n *locks.Node) {
	if l.downgraded {
		l.downgraded = false
		l.Unlock(n)
		return
	}
	l.RW.RUnlock(n)
}

// tries grants one in so many TryLocks that fail.
type tries struct {
	readersExclude
	every uint64
}

func (l *tries) TryLock(n *locks.Node) bool  { return l.RW.TryLock(n) || count.Add(1)%l.every == 0 }
func (l *tries) TryRLock(n *locks.Node) bool { return l.TryLock(n) }

type refuses struct{ readersExclude }

func (l *refuses) TryLock(n *locks.Node) bool { return false }

// leaves forgets one RUnlock of many.
type leaves struct{ locks.RW }

func (l *leaves) RUnlock(n *locks.Node) {
	if count.Add(1)%100 != 0 {
		l.RW.RUnlock(n)
	}
}

// count is of calls: the locks have no memory for it.
var count atomic.Uint64

// underflows does one RUnlock of many twice.
type underflows struct{ locks.RW }

func (l *underflows) RUnlock(n *locks.Node) {
	l.RW.RUnlock(n)
	if count.Add(1)%100 == 0 {
		l.RW.RUnlock(n)
	}
}

// readersFirst is a lock by the book of monitors, where readers do not look whether a writer waits.
type readersFirst struct {
	mu      *sync.Mutex
	free    *sync.Cond
	readers *int // -1: a writer
}

func newReadersFirst() readersFirst {
	mu := new(sync.Mutex)
	return readersFirst{mu, sync.NewCond(mu), new(int)}
}

func (l readersFirst) change(to func(old int) (now int, ok bool), wait bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		now, ok := to(*l.readers)
		if ok {
			*l.readers = now
			return true
		}
		if !wait {
			return false
		}
		l.free.Wait()
	}
}

func in(n int) (int, bool)      { return -1, n == 0 }
func out(int) (int, bool)       { return 0, true }
func rin(n int) (int, bool)     { return n + 1, n >= 0 }
func rout(n int) (int, bool)    { return n - 1, true }
func upgrade(n int) (int, bool) { return -1, n == 1 }
func down(int) (int, bool)      { return 1, true }

func (l readersFirst) Lock(*locks.Node)            { l.change(in, true) }
func (l readersFirst) TryLock(*locks.Node) bool    { return l.change(in, false) }
func (l readersFirst) Unlock(*locks.Node)          { l.change(out, true); l.free.Broadcast() }
func (l readersFirst) RLock(*locks.Node)           { l.change(rin, true) }
func (l readersFirst) TryRLock(*locks.Node) bool   { return l.change(rin, false) }
func (l readersFirst) RUnlock(*locks.Node)         { l.change(rout, true); l.free.Broadcast() }
func (l readersFirst) TryUpgrade(*locks.Node) bool { return l.change(upgrade, false) }
func (l readersFirst) Downgrade(*locks.Node)       { l.change(down, true); l.free.Broadcast() }

// lossy forgets one wake-up of many.
type lossy struct{ readersFirst }

func newLossy() locks.RWLock { return lossy{newReadersFirst()} }

func (l lossy) Unlock(*locks.Node) {
	l.change(out, true)
	if count.Add(1)%64 != 0 {
		l.free.Broadcast()
	}
}
func (l lossy) RLock(n *locks.Node)           { l.Lock(n) }
func (l lossy) TryRLock(n *locks.Node) bool   { return l.TryLock(n) }
func (l lossy) RUnlock(n *locks.Node)         { l.Unlock(n) }
func (l lossy) TryUpgrade(n *locks.Node) bool { return true }
func (l lossy) Downgrade(n *locks.Node)       {}

// tickets is a ticket lock; every skip-th Unlock calls two numbers, and who comes at least as late as called goes in if atLeast.
type tickets struct {
	next    atomic.Uint32
	owner   atomic.Uint32
	unlocks atomic.Uint32
	skip    uint32
	atLeast bool
}

func (l *tickets) Lock(*locks.Node) {
	mine := l.next.Add(1) - 1
	for {
		owner := l.owner.Load()
		if owner == mine || l.atLeast && owner > mine {
			return
		}
		runtime.Gosched()
	}
}

func (l *tickets) TryLock(*locks.Node) bool {
	owner := l.owner.Load()
	return l.next.CompareAndSwap(owner, owner+1)
}

func (l *tickets) Unlock(*locks.Node) {
	l.owner.Add(1)
	if l.skip != 0 && l.unlocks.Add(1)%l.skip == 0 {
		l.owner.Add(1)
	}
}

func (l *tickets) RLock(n *locks.Node)           { l.Lock(n) }
func (l *tickets) TryRLock(n *locks.Node) bool   { return l.TryLock(n) }
func (l *tickets) RUnlock(n *locks.Node)         { l.Unlock(n) }
func (l *tickets) TryUpgrade(n *locks.Node) bool { return true }
func (l *tickets) Downgrade(n *locks.Node)       {}

// barges draws numbers and does not look at them: whoever looks first goes in.
type barges struct {
	next, owner atomic.Uint32
	held        atomic.Bool
}

func (l *barges) Lock(n *locks.Node) {
	l.next.Add(1)
	for !l.held.CompareAndSwap(false, true) {
		for range count.Add(1) % 4 {
			runtime.Gosched()
		}
	}
}

func (l *barges) TryLock(*locks.Node) bool {
	if !l.held.CompareAndSwap(false, true) {
		return false
	}
	l.next.Add(1)
	return true
}

func (l *barges) Unlock(*locks.Node)            { l.owner.Add(1); l.held.Store(false) }
func (l *barges) RLock(n *locks.Node)           { l.Lock(n) }
func (l *barges) TryRLock(n *locks.Node) bool   { return l.TryLock(n) }
func (l *barges) RUnlock(n *locks.Node)         { l.Unlock(n) }
func (l *barges) TryUpgrade(n *locks.Node) bool { return true }
func (l *barges) Downgrade(n *locks.Node)       {}
