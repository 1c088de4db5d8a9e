package locks_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/locktest"
	"pcbbench/locks/probe"
)

// setProcs sets GOMAXPROCS until the end of the test.
func setProcs(t *testing.T, procs int) {
	old := runtime.GOMAXPROCS(procs)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func newRW(t *testing.T, s locks.Spec, workers int) locks.RWLock {
	t.Helper()
	l, err := s.NewRW(workers)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestValidate checks every policy of every kind: with a CPU for each worker, with four workers a CPU, and
// on one CPU.
func TestValidate(t *testing.T) {
	seed := time.Now().UnixNano()
	probe.Seed(seed)
	for _, c := range []struct{ procs, perCPU int }{{runtime.NumCPU(), 1}, {runtime.NumCPU(), 4}, {1, 4}} {
		for _, s := range locks.Specs() {
			if s.Policy() == locks.Spin && c.perCPU > 1 {
				continue
			}
			t.Run(fmt.Sprintf("lock=%v/procs=%d/workers=%d", s, c.procs, c.procs*c.perCPU), func(t *testing.T) {
				setProcs(t, c.procs)
				workers := c.procs * c.perCPU
				err := locktest.Validate(newRW(t, s, workers),
					locktest.Config{Workers: workers, Rounds: 4000 / workers, Seed: uint64(seed)})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestLostWakeups has every section give up its CPU, so that nearly every waiter parks. A lock that loses a
// wake-up never returns: then go test's time limit ends it, and the goroutines it prints show where.
func TestLostWakeups(t *testing.T) {
	const workers, rounds = 8, 300
	for _, s := range locks.Specs() {
		if s.Policy() != locks.SpinPark {
			continue
		}
		for _, procs := range []int{1, 2} { // on one, waiters park without spinning
			t.Run(fmt.Sprintf("lock=%v/procs=%d", s, procs), func(t *testing.T) {
				setProcs(t, procs)
				l := newRW(t, s, workers)
				var wg sync.WaitGroup
				for i := range workers {
					wg.Go(func() {
						n := new(locks.Node)
						for round := range rounds {
							yieldingSection(l, n, i+round)
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

// yieldingSection passes through one of four sorts of section.
func yieldingSection(l locks.RWLock, n *locks.Node, sort int) {
	defer runtime.Gosched()
	unlock := l.RUnlock
	switch sort % 4 {
	case 0:
		l.Lock(n)
		unlock = l.Unlock
	case 1:
		l.RLock(n)
	case 2:
		l.RLock(n)
		runtime.Gosched()
		if l.TryUpgrade(n) {
			unlock = l.Unlock
		}
	case 3:
		l.Lock(n)
		runtime.Gosched()
		l.Downgrade(n)
	}
	runtime.Gosched()
	unlock(n)
}

// TestWriterNotStarved has readers that overlap without a gap, each letting go only when the next has come
// in. A lock that lets them go on like that although a writer waits never returns.
func TestWriterNotStarved(t *testing.T) {
	for _, s := range locks.Specs() {
		if !s.Kind().Shared {
			continue
		}
		t.Run("lock="+s.String(), func(t *testing.T) {
			l := newRW(t, s, 3)
			l.RLock(nil)
			done := make(chan struct{})
			go func() {
				l.Lock(nil)
				l.Unlock(nil)
				close(done)
			}()
			for l.TryRLock(nil) {
				l.RUnlock(nil)
				runtime.Gosched()
			}
			l.RUnlock(nil)
			<-done
		})
	}
}

func TestTryAndUpgrade(t *testing.T) {
	for _, s := range locks.Specs() {
		t.Run("lock="+s.String(), func(t *testing.T) {
			l := newRW(t, s, 1)
			a, b := new(locks.Node), new(locks.Node)
			shared := s.Kind().Shared
			check := func(what string, got, want bool) {
				t.Helper()
				if got != want {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			l.Lock(a)
			check("TryLock while held", l.TryLock(b), false)
			check("TryRLock while held", l.TryRLock(b), false)
			l.Unlock(a)
			l.RLock(a)
			check("TryLock while shared", l.TryLock(b), false)
			if second := l.TryRLock(b); second {
				check("TryUpgrade with another reader", l.TryUpgrade(a), false)
				l.RUnlock(b)
			} else {
				check("second reader", second, shared)
			}
			if l.TryUpgrade(a) {
				check("TryRLock after upgrade", l.TryRLock(b), false)
				l.Downgrade(a)
			} else {
				check("TryUpgrade of the only reader", false, s.String() != "rwmutex")
			}
			check("TryLock after downgrade", l.TryLock(b), false)
			l.RUnlock(a)
			check("TryLock of a free lock", l.TryLock(b), true)
			l.Unlock(b)
			check("TryRLock of a free lock", l.TryRLock(b), true)
			l.RUnlock(b)
		})
	}
}

func TestMisusePanics(t *testing.T) {
	n := new(locks.Node)
	newLock := func(kind string) locks.RWLock {
		s, err := locks.ParseSpec(kind)
		if err != nil {
			t.Fatal(err)
		}
		return newRW(t, s, 1)
	}
	sharedRW := func() locks.RWLock { l := newLock("rw"); l.RLock(n); return l }
	heldRW := func() locks.RWLock { l := newLock("rw"); l.Lock(n); return l }
	for name, misuse := range map[string]func(){
		"mtx unlock":             func() { newLock("mtx").Unlock(n) },
		"ttas unlock":            func() { newLock("ttas").Unlock(n) },
		"mcs unlock":             func() { newLock("mcs").Unlock(n) },
		"mcs lock twice":         func() { l := newLock("mcs"); n := new(locks.Node); l.Lock(n); l.Lock(n) },
		"rw unlock":              func() { newLock("rw").Unlock(n) },
		"rw unlock of shared":    func() { sharedRW().Unlock(n) },
		"rw runlock":             func() { newLock("rw").RUnlock(n) },
		"rw runlock of held":     func() { heldRW().RUnlock(n) },
		"rw upgrade":             func() { newLock("rw").TryUpgrade(n) },
		"rw downgrade":           func() { newLock("rw").Downgrade(n) },
		"rw downgrade of shared": func() { sharedRW().Downgrade(n) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if msg, _ := recover().(string); !strings.HasPrefix(msg, "locks: ") {
					t.Errorf("panic %q, want one that begins with %q", msg, "locks: ")
				}
			}()
			misuse()
		})
	}
}

func TestNoAllocation(t *testing.T) {
	n := new(locks.Node)
	for _, s := range locks.Specs() {
		l := newRW(t, s, 1)
		if allocs := testing.AllocsPerRun(100, func() {
			l.Lock(n)
			l.Downgrade(n)
			l.RUnlock(n)
			l.RLock(n)
			l.RUnlock(n)
		}); allocs != 0 {
			t.Errorf("%v: %v allocations", s, allocs)
		}
	}
}

func TestSpecs(t *testing.T) {
	seen := make(map[locks.Spec]bool)
	for _, s := range locks.Specs() {
		if seen[s] {
			t.Errorf("%v twice", s)
		}
		seen[s] = true
		for _, text := range []string{s.String(), s.Kind().Name + ":" + s.Policy().String()} {
			if got, err := locks.ParseSpec(text); err != nil || got != s {
				t.Errorf("ParseSpec(%q) = %v, %v", text, got, err)
			}
		}
		if p, err := locks.ParsePolicy(s.Policy().String()); err != nil || p != s.Policy() {
			t.Errorf("ParsePolicy(%q) = %v, %v", s.Policy(), p, err)
		}
		l, err := s.New(1)
		if _, isRW := l.(locks.RWLock); err != nil || isRW != s.Kind().Shared {
			t.Errorf("%v: Shared is %v, RWLock is %v, error %v", s, s.Kind().Shared, isRW, err)
		}
	}
	for _, bad := range []string{"", "mutexx", "mtx:", "mtx:spin", "ticket:spin-park", "ticket:spin:"} {
		if s, err := locks.ParseSpec(bad); err == nil {
			t.Errorf("ParseSpec(%q) = %v", bad, s)
		} else if !strings.Contains(err.Error(), "mcs:spin-park") {
			t.Errorf("%v: does not list what there is", err)
		}
	}
}

// TestSpinNeedsCPUs: a lock that only spins must be refused to more workers than can run.
func TestSpinNeedsCPUs(t *testing.T) {
	setProcs(t, 2)
	for _, s := range locks.Specs() {
		if _, err := s.New(2); err != nil {
			t.Errorf("%v refuses 2 workers on 2 CPUs: %v", s, err)
		}
		if _, err := s.New(3); (err != nil) != (s.Policy() == locks.Spin) {
			t.Errorf("%v for 3 workers on 2 CPUs: error %v", s, err)
		}
	}
}

func BenchmarkLock(b *testing.B) {
	for _, s := range locks.Specs() {
		for _, workers := range []int{1, runtime.GOMAXPROCS(0), 4 * runtime.GOMAXPROCS(0)} {
			l, err := s.New(workers)
			if err != nil {
				continue // a spinning lock with too few CPUs
			}
			b.Run(fmt.Sprintf("lock=%v/workers=%d", s, workers), func(b *testing.B) {
				locktest.Bench(b, l, workers)
			})
		}
	}
}
