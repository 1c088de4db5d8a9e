//go:build witness

package witness_test

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
	"pcbbench/locks/witness"
)

// start turns the checks on, with nothing known, until the end of the test.
func start(t *testing.T, order ...[2]string) {
	witness.Reset()
	witness.Order(order...)
	witness.Enable(true)
	t.Cleanup(func() {
		witness.Enable(false)
		witness.Reset()
	})
}

// named makes a lock of that class.
func named(class string) *locks.RW {
	l := new(locks.RW)
	witness.Name(l, class)
	return l
}

// lineOf is the site of the line that is by lines below the caller's.
func lineOf(by int) string {
	_, _, line, _ := runtime.Caller(1)
	return fmt.Sprintf("witness/on_test.go:%d", line+by)
}

// wantViolation runs f, which must panic with a violation whose text has all the parts.
func wantViolation(t *testing.T, f func(), parts ...string) {
	t.Helper()
	err := oracle.Guard(func() error { f(); return nil })
	var v *oracle.Violation
	if !errors.As(err, &v) || v.Oracle != oracle.Witness {
		t.Fatalf("got %v, want a violation of the witness", err)
	}
	t.Log(err)
	for _, part := range parts {
		if !strings.Contains(v.Error(), part) {
			t.Errorf("no %q in %v", part, err)
		}
	}
}

// elsewhere runs f in another goroutine, to its end.
func elsewhere(f func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	wg.Wait()
}

// nest takes two locks in that order and lets them go.
func nest(outer, inner *locks.RW) {
	outer.Lock(nil)
	inner.Lock(nil)
	inner.Unlock(nil)
	outer.Unlock(nil)
}

// TestReversal: each order is fine by itself, in different goroutines and on different locks; the second is the violation,
// and names both acquisitions of both times.
func TestReversal(t *testing.T) {
	start(t)
	nest(named("a"), named("b"))
	elsewhere(func() {
		a, b := named("a"), named("b")
		held, wanted := lineOf(1), lineOf(2)
		b.RLock(nil)
		wantViolation(t, func() { a.RLock(nil) }, "wanted a (shared, "+wanted, "held b (shared, "+held,
			"a → b, seen (witness/on_test.go:", "then witness/on_test.go:")
	})
}

// TestCircle needs three classes.
func TestCircle(t *testing.T) {
	start(t)
	a, b, c := named("a"), named("b"), named("c")
	nest(a, b)
	nest(b, c)
	nest(a, c)
	wantViolation(t, func() { nest(c, a) }, "wanted a", "held c", "a → ")
}

// TestDeclared: a declared order need not be seen first, and two declared classes are taken in no other one.
func TestDeclared(t *testing.T) {
	order := [][2]string{{"a", "b"}, {"b", "c"}, {"a", "d"}}
	start(t, order...)
	nest(named("a"), named("c"))
	nest(named("x"), named("c")) // learned beside it
	wantViolation(t, func() { nest(named("b"), named("a")) }, "wanted a", "held b", "a → b, declared")
	start(t, order...)
	wantViolation(t, func() { nest(named("b"), named("d")) }, "wanted d", "held b", "no declared order")
	start(t, order...)
	nest(named("x"), named("a"))
	wantViolation(t, func() { nest(named("c"), named("x")) }, "wanted x", "held c", "x → a, seen", "b → c, declared")
	defer func() {
		if p := recover(); !strings.HasPrefix(fmt.Sprint(p), "witness: ") {
			t.Errorf("declaring a circle: panic %v", p)
		}
	}()
	witness.Order([2]string{"c", "a"})
}

// TestOneClass: two locks of one class need ranks, or to be declared.
func TestOneClass(t *testing.T) {
	start(t, [2]string{"twice", "twice"})
	nest(named("twice"), named("twice"))
	wantViolation(t, func() { nest(named("once"), named("once")) }, "two of one class", "wanted once", "held once")
	for _, class := range []string{"group", "twice"} {
		start(t, [2]string{"twice", "twice"})
		l := []*locks.RW{named(class), named(class), named(class)}
		for i := range l {
			witness.Rank(l[i], i-1) // the middle one has none
		}
		witness.Rank(l[1], 5)
		nest(l[0], l[1])
		nest(l[0], l[2])
		wantViolation(t, func() { nest(l[1], l[2]) }, "order of ranks", "of rank 1", "of rank 5")
	}
	start(t)
	nest(new(locks.RW), named("locks.Mtx"))
	wantViolation(t, func() { nest(named("locks.Mtx"), new(locks.RW)) }, "wanted locks.RW")
}

// TestEveryKind: misuse of every kind of lock is seen, and named by the name that was given to it as the user has it.
func TestEveryKind(t *testing.T) {
	for _, s := range locks.Specs() {
		t.Run(s.String(), func(t *testing.T) {
			n := new(locks.Node)
			fresh := func() locks.RWLock {
				start(t)
				l, err := s.NewRW(1)
				if err != nil {
					t.Fatal(err)
				}
				witness.Name(l, "it")
				return l
			}
			l := fresh()
			l.Lock(n)
			wantViolation(t, func() { l.Lock(n) }, "recursion: wanted it (exclusively", "held it (exclusively")
			wantViolation(t, func() { elsewhereGuarded(func() { l.Unlock(n) }) }, "release", "held by another goroutine, it (exclusively")
			l.Unlock(n)
			wantViolation(t, func() { l.Unlock(n) }, "release", "held by nobody")
			if l = fresh(); !l.TryLock(n) {
				t.Fatal("TryLock of a free lock")
			}
			l.Downgrade(n)
			wantViolation(t, func() { l.RLock(n) }, "recursion: wanted it")
			l.RUnlock(n)
			wantViolation(t, func() { l.RUnlock(n) }, "release", "held by nobody")
			if !l.TryRLock(n) {
				t.Fatal("TryRLock of a free lock")
			}
			l.RUnlock(n)
			if !s.Kind().Shared {
				return
			}
			l.RLock(n)
			wantViolation(t, func() { l.Lock(n) }, "upgrade by waiting: wanted it (exclusively", "held it (shared")
			wantViolation(t, func() { l.TryRLock(n) }, "recursion: wanted it (shared", "held it (shared")
			l = fresh()
			l.RLock(n)
			wantViolation(t, func() { l.Unlock(n) }, "release", "held by this one, it (shared")
			wantViolation(t, func() { l.Downgrade(n) }, "downgrade", "held by this one, it (shared")
			if l.TryUpgrade(n) {
				wantViolation(t, func() { l.RUnlock(n) }, "release", "held by this one, it (exclusively")
				l.Unlock(n)
			}
		})
	}
}

// elsewhereGuarded runs f in another goroutine and panics with the violation that it ends with.
func elsewhereGuarded(f func()) {
	done := make(chan error)
	go func() { done <- oracle.Guard(func() error { f(); return nil }) }()
	var v *oracle.Violation
	if errors.As(<-done, &v) {
		panic(v)
	}
}

// TestUpgradeOfAnothers: who holds nothing upgrades the only reader's hold.
func TestUpgradeOfAnothers(t *testing.T) {
	start(t)
	l := named("it")
	elsewhere(func() { l.RLock(nil) })
	wantViolation(t, func() { l.TryUpgrade(nil) }, "upgrade", "it (shared")
}

// TestTries: a try is in no order, and what it got is held.
func TestTries(t *testing.T) {
	start(t, [2]string{"a", "b"})
	a, b := named("a"), named("b")
	b.Lock(nil)
	if !a.TryLock(nil) {
		t.Fatal("TryLock of a free lock")
	}
	elsewhere(func() {
		if a.TryLock(nil) || a.TryRLock(nil) {
			t.Error("try of a held lock")
		}
	})
	wantViolation(t, func() { nest(named("c"), a) }, "recursion", "held a")
	a.Unlock(nil)
	wantViolation(t, func() { named("a").Lock(nil) }, "wanted a", "held b")
}

// TestSections: nobody waits inside a section, of any kind of domain.
func TestSections(t *testing.T) {
	for _, k := range smr.Kinds {
		if k.New == nil {
			continue // it protects single blocks, and has no sections
		}
		t.Run(k.Name, func(t *testing.T) {
			start(t)
			d, err := smr.New(k.Name, 2)
			if err != nil {
				t.Fatal(err)
			}
			d.Wait(d.Advance())
			entered := lineOf(1)
			d.Enter(1)
			l := named("it")
			if !l.TryRLock(nil) {
				t.Fatal("TryRLock of a free lock")
			}
			l.RUnlock(nil)
			for _, wait := range []func(){func() { l.RLock(nil) }, func() { l.Lock(nil) }} {
				wantViolation(t, wait, "wait inside a section: for it (witness/on_test.go:", "section of cpu 1 ("+entered)
			}
			wantViolation(t, func() { d.Wait(0) }, "wait inside a section: for a grace period (witness/on_test.go:", entered)
			wantViolation(t, func() { elsewhereGuarded(func() { d.Exit(1) }) }, "not in", "cpu 1")
			wantViolation(t, func() { d.Exit(0) }, "not in", "cpu 0")
			d.Exit(1)
			l.Lock(nil)
			l.Unlock(nil)
		})
	}
}

// TestHeldAndEdges: the listings name locks, modes and sites.
func TestHeldAndEdges(t *testing.T) {
	start(t)
	a, b := named("a"), named("b")
	outer, inner := lineOf(1), lineOf(2)
	a.RLock(nil)
	b.Lock(nil)
	done := make(chan struct{})
	go func() {
		b.RLock(nil)
		b.RUnlock(nil)
		close(done)
	}()
	for !strings.Contains(witness.Held(), "waits for") {
		runtime.Gosched()
	}
	held := witness.Held()
	for _, want := range []string{`holds a \(shared, ` + outer + `.*holds b \(exclusively, ` + inner, `goroutine gp=0x[0-9a-f]+ waits for b \(shared, `} {
		if !regexp.MustCompile(want).MatchString(held) {
			t.Errorf("no %s in\n%s", want, held)
		}
	}
	b.Unlock(nil)
	a.RUnlock(nil)
	<-done
	if held := witness.Held(); held != "" {
		t.Errorf("held at rest: %s", held)
	}
	nest(a, b)
	e := witness.Edges()
	if len(e) != 1 || e[0].Outer != "a" || e[0].Inner != "b" || e[0].Count != 2 ||
		!strings.HasPrefix(e[0].OuterSite, outer) || !strings.HasPrefix(e[0].InnerSite, inner) {
		t.Errorf("edges %+v", e)
	}
}

// TestEnable: what is held is forgotten, what was learned is not; off, nothing is seen.
func TestEnable(t *testing.T) {
	start(t)
	a, b := named("a"), named("b")
	nest(a, b)
	a.Lock(nil)
	if was := witness.Enable(false); !was {
		t.Error("was off")
	}
	a.Unlock(nil)
	nest(b, a)
	if was := witness.Enable(true); was {
		t.Error("was on")
	}
	witness.Name(a, "a")
	witness.Name(b, "b")
	wantViolation(t, func() { nest(b, a) }, "wanted a", "held b", "a → b")
}

// TestManyAtOnce has goroutines come and go that take locks in order: no violation, and every pair is counted.
func TestManyAtOnce(t *testing.T) {
	start(t)
	a, b := named("a"), named("b")
	for range 50 {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 10 {
					nest(a, b)
				}
			})
		}
		wg.Wait()
	}
	if e := witness.Edges(); len(e) != 1 || e[0].Count != 50*8*10 {
		t.Errorf("edges %+v", e)
	}
}
