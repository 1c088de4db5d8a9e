//go:build profile

package witness_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/smr"
	"pcbbench/locks/witness"
)

// A ticker is a clock that goes on by one when it is read, so that times are known and nobody has to sleep to see that others have read it.
type ticker struct{ n atomic.Int64 }

func (k *ticker) now() int64 { return k.n.Add(1) }

// await returns when the clock has been read n times.
func (k *ticker) await(t *testing.T, n int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); k.n.Load() < n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("the clock was read %d times, want %d", k.n.Load(), n)
		}
	}
}

// profiled starts a profile with nothing in it, until the end of the test.
func profiled(t *testing.T) *ticker {
	k := new(ticker)
	witness.Reset()
	witness.StartProfile(k.now)
	t.Cleanup(witness.Reset)
	return k
}

// named makes a lock of that class.
func named(class string) *locks.RW {
	l := new(locks.RW)
	witness.Name(l, class)
	return l
}

// lineOf is how a site of the line that is by lines below the caller's begins.
func lineOf(by int) string {
	_, _, line, _ := runtime.Caller(1)
	return fmt.Sprintf("witness/profile_test.go:%d", line+by)
}

// wantProfile compares without names, but for how they begin, if that is told.
func wantProfile(t *testing.T, want ...witness.Site) {
	t.Helper()
	witness.StopProfile()
	got := witness.Profile()
	same := slices.EqualFunc(got, want, func(g, w witness.Site) bool {
		return strings.HasPrefix(g.Name, w.Name) && g.Class == w.Class && g.Act == w.Act && g.Times == w.Times
	})
	if !same {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestProfileAlone: nobody waits; each hold is as long as the clock goes on between its ends, and the site is the line that took the lock.
func TestProfileAlone(t *testing.T) {
	k := profiled(t)
	l := named("table")
	var at [2]string
	for _, longer := range []int64{2, 7, 0} {
		at[0] = lineOf(1)
		l.Lock(nil)
		k.n.Add(longer)
		l.Unlock(nil)
	}
	at[1] = lineOf(1)
	l.RLock(nil)
	l.RUnlock(nil)
	wantProfile(t, witness.Site{Name: at[0], Class: "table", Act: witness.Locked, Times: witness.Times{Count: 3, Held: 12, MaxHeld: 8}},
		witness.Site{Name: at[1], Class: "table", Act: witness.RLocked, Times: witness.Times{Count: 1, Held: 1, MaxHeld: 1}})
}

// TestProfileWaits has one wait while another holds, for every lock in every pair of modes that exclude each other: that one waited, from being refused
// until it had the lock, and the other held it up, and each is booked where it took the lock.
func TestProfileWaits(t *testing.T) {
	for _, spec := range locks.Specs() {
		if spec.Kind().Workers == 1 {
			continue // nobody waits for it
		}
		for _, shared := range [][2]bool{{false, false}, {false, true}, {true, false}} {
			k := profiled(t)
			l, err := spec.NewRW(1)
			if err != nil {
				t.Fatal(err)
			}
			witness.Name(l, "table")
			var first, second locks.Node
			begin := func(shared bool, n *locks.Node) {
				if shared {
					l.RLock(n)
				} else {
					l.Lock(n)
				}
			}
			end := func(shared bool, n *locks.Node) {
				if shared {
					l.RUnlock(n)
				} else {
					l.Unlock(n)
				}
			}
			begin(shared[0], &first)
			var wg sync.WaitGroup
			wg.Go(func() {
				begin(shared[1], &second)
				end(shared[1], &second)
			})
			k.await(t, 2) // it has been refused
			end(shared[0], &first)
			wg.Wait()
			witness.StopProfile()
			var sum witness.Times
			for _, s := range witness.Profile() {
				sum.Add(s.Times)
				if (s.Waited == 0) != (s.Blocked == 1) || (s.Waited == 0) != (s.Wait == 0) || s.MaxWait != s.Wait {
					t.Errorf("%v, %v: %+v: who waited is not who was waited for", spec, shared, s)
				}
			}
			// The clock: 1 got, 2 refused, 3 and 4 dropped and got in the order in which both came to it, 5 dropped. The wait ends after the hold began to end.
			if sum.Count != 2 || sum.Waited != 1 || sum.Blocked != 1 || sum.Held != 3 || sum.MaxHeld != 2 || sum.Wait != 2 {
				t.Errorf("%v, %v: %+v", spec, shared, sum)
			}
		}
	}
}

// elsewhere runs f in another goroutine, to its end.
func elsewhere(f func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	wg.Wait()
}

// TestProfileTries: a refusal and the acquisition that follows are one, which waited, booked where the try was; a refusal after which something else is taken
// is none, but who held the lock is told of it.
func TestProfileTries(t *testing.T) {
	profiled(t)
	l, other := named("table"), named("inpcb")
	hold := func(act func()) {
		l.Lock(nil)
		elsewhere(act)
		l.Unlock(nil)
	}
	tried, at := make(chan bool), ""
	go func() {
		<-tried
		at = lineOf(1)
		tried <- l.TryLock(nil)
		<-tried
		l.Lock(nil) // at once, by now
		l.Unlock(nil)
		close(tried)
	}()
	hold(func() {
		tried <- true
		if <-tried {
			t.Error("a lock was taken twice")
		}
	})
	tried <- true
	<-tried
	hold(func() {
		for range 2 { // who is refused again and again is one who waits
			if l.TryRLock(nil) || l.TryLock(nil) {
				t.Error("a lock was taken twice")
			}
		}
		other.Lock(nil)
		other.Unlock(nil)
	})
	witness.StopProfile()
	var sum witness.Times
	for _, s := range witness.Profile() {
		if s.Count == 0 {
			t.Errorf("%+v is where nothing was taken", s)
		}
		if strings.HasPrefix(s.Name, at) != (s.Waited > 0) {
			t.Errorf("%+v: want the only one that waited in %s", s, at)
		}
		if s.Class == "table" {
			sum.Add(s.Times)
		} else if s.Count != 1 || s.Waited != 0 {
			t.Errorf("the other lock: %+v", s)
		}
	}
	if sum.Count != 3 || sum.Waited != 1 || sum.Blocked != 2 {
		t.Errorf("got %+v, want 3 acquisitions, 1 that waited, 2 who were refused", sum)
	}
}

// TestProfileLongest has one goroutine wait three times: the longest wait is neither the first nor the last.
func TestProfileLongest(t *testing.T) {
	k := profiled(t)
	l := named("table")
	for _, longer := range []int64{2, 7, 0} {
		l.Lock(nil)
		before := k.n.Load()
		var wg sync.WaitGroup
		wg.Go(func() {
			l.Lock(nil)
			l.Unlock(nil)
		})
		k.await(t, before+1)
		k.n.Add(longer)
		l.Unlock(nil)
		wg.Wait()
	}
	witness.StopProfile()
	var waits witness.Times
	for _, s := range witness.Profile() {
		waits.Add(s.Times)
	}
	if waits.Waited != 3 || waits.Wait != 3*2+9 || waits.MaxWait != 9 {
		t.Errorf("%+v, want waits of 4, 9 and 2", waits)
	}
}

// TestProfileChanges: an upgrade ends one hold and begins another, and so does a downgrade; one that is refused does nothing.
func TestProfileChanges(t *testing.T) {
	profiled(t)
	l := named("inpcb")
	l.RLock(nil)
	l.RLock(nil)
	if l.TryUpgrade(nil) {
		t.Fatal("one of two readers could upgrade")
	}
	l.RUnlock(nil)
	up := lineOf(1)
	l.TryUpgrade(nil)
	down := lineOf(1)
	l.Downgrade(nil)
	l.RUnlock(nil)
	one := witness.Times{Count: 1, Held: 1, MaxHeld: 1}
	// The clock: 1 and 2 got, 3 one dropped; 4 and 5 upgraded; 6 and 7 downgraded; 8 dropped. The last that was taken is the first that is let go.
	wantProfile(t, witness.Site{Class: "inpcb", Act: witness.RLocked, Times: witness.Times{Count: 1, Held: 3, MaxHeld: 3}},
		witness.Site{Class: "inpcb", Act: witness.RLocked, Times: one},
		witness.Site{Name: up, Class: "inpcb", Act: witness.Upgraded, Times: one},
		witness.Site{Name: down, Class: "inpcb", Act: witness.Downgraded, Times: one})
}

// TestProfileWindow: what is taken while nothing is recorded does not count, and what ends later counts in full.
func TestProfileWindow(t *testing.T) {
	k := profiled(t)
	witness.StopProfile()
	a, b := named("a"), named("b")
	a.Lock(nil)
	witness.StartProfile(k.now)
	b.Lock(nil)
	a.Unlock(nil)
	witness.StopProfile()
	a.Lock(nil)
	a.Unlock(nil)
	b.Unlock(nil)
	wantProfile(t, witness.Site{Class: "b", Act: witness.Locked, Times: witness.Times{Count: 1, Held: 1, MaxHeld: 1}})
}

// TestProfileNests lets locks go in another order than they were taken in, among many of one class, and enters a section.
func TestProfileNests(t *testing.T) {
	profiled(t)
	dom, err := smr.New("gus", 1)
	if err != nil {
		t.Fatal(err)
	}
	dom.Enter(0)
	var groups []*locks.RW
	for range 100 {
		groups = append(groups, named("group"))
	}
	for _, g := range groups {
		g.Lock(nil)
	}
	for _, g := range groups {
		g.Unlock(nil)
	}
	dom.Exit(0)
	wantProfile(t, witness.Site{Act: witness.Entered, Times: witness.Times{Count: 1, Held: 201, MaxHeld: 201}},
		witness.Site{Class: "group", Act: witness.Locked, Times: witness.Times{Count: 100, Held: 100 * 100, MaxHeld: 100}})
}

// TestProfileSites takes many classes of locks from many stacks and goroutines: none is lost, and a name is one site however it was come to.
func TestProfileSites(t *testing.T) {
	profiled(t)
	const bits, classes, goroutines = 4, 300, 3
	var list []*locks.RW
	for i := range classes {
		list = append(list, named(fmt.Sprintf("class %03d", i)))
	}
	var deep func(l *locks.RW, n, m int)
	deep = func(l *locks.RW, n, m int) {
		switch {
		case n == 0:
			l.Lock(nil)
			l.Unlock(nil)
		case m&1 == 0:
			deep(l, n-1, m>>1)
		default:
			deep(l, n-1, m>>1)
		}
	}
	for range goroutines {
		elsewhere(func() {
			for _, l := range list {
				for m := range 1 << bits {
					deep(l, bits, m)
				}
			}
		})
	}
	witness.StopProfile()
	if sites := witness.Profile(); len(sites) != 2*classes {
		t.Errorf("%d sites, want 2 of each class: the line that takes the lock, from each of two: %+v", len(sites), sites[:5])
	}
	counts := witness.Counts()
	for i, c := range counts {
		if want := (witness.Count{Class: fmt.Sprintf("class %03d", i), Act: witness.Locked, N: goroutines << bits}); c != want {
			t.Errorf("counted %v, want %v", c, want)
		}
	}
	if len(counts) != classes {
		t.Errorf("%d counts", len(counts))
	}
}
