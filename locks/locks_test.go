package locks_test

import (
	"fmt"
	"runtime"
	"strings"
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

// TestTorture holds every policy of every kind to its promises: with a CPU for each worker, with four workers a CPU, and on one CPU.
func TestTorture(t *testing.T) {
	seed := time.Now().UnixNano()
	probe.Seed(seed)
	for _, c := range []struct{ procs, perCPU int }{{runtime.NumCPU(), 1}, {runtime.NumCPU(), 4}, {1, 4}} {
		for _, s := range locks.Specs() {
			t.Run(fmt.Sprintf("lock=%v/procs=%d/workers=%d", s, c.procs, c.procs*c.perCPU), func(t *testing.T) {
				setProcs(t, c.procs)
				workers := c.procs * c.perCPU
				beats := make([]int, max(2, workers)) // a duel is of two
				err := locktest.Torture(s, locktest.Config{Workers: workers, Rounds: 1200 / workers, Seed: uint64(seed),
					Beat: func(worker int) { beats[worker]++ }})
				if err != nil {
					t.Fatal(err)
				}
				for i, n := range beats {
					if n == 0 && (s.Policy() != locks.Spin || i < c.procs) && (s.Kind().Workers == 0 || i < s.Kind().Workers) {
						t.Errorf("worker %d has not beaten", i)
					}
				}
			})
		}
	}
}

// TestLayout: Bytes is what a lock takes without padding, and every lock begins a line of its own, not always at the same place of a page.
func TestLayout(t *testing.T) {
	for _, s := range locks.Specs() {
		if err := locktest.Layout(s); err != nil {
			t.Error(err)
		}
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
		if s.Kind().Workers != 0 {
			continue // refused for another reason
		}
		if _, err := s.New(2); err != nil {
			t.Errorf("%v refuses 2 workers on 2 CPUs: %v", s, err)
		}
		if _, err := s.New(3); (err != nil) != (s.Policy() == locks.Spin) {
			t.Errorf("%v for 3 workers on 2 CPUs: error %v", s, err)
		}
	}
}

// TestBrSlots: a brlock is right with a slot for all workers and with a slot for each of many CPUs.
func TestBrSlots(t *testing.T) {
	spec, err := locks.ParseSpec("brlock")
	if err != nil {
		t.Fatal(err)
	}
	for _, slots := range []uint32{1, 64} {
		old := locks.SetBrSlots(slots)
		err := locktest.Torture(spec, locktest.Config{Workers: 4, Rounds: 100, Seed: uint64(slots)})
		locks.SetBrSlots(old)
		if err != nil {
			t.Errorf("%d slots: %v", slots, err)
		}
	}
}

// TestFloor: the floor is no lock, whoever asks for it, and costs nothing.
func TestFloor(t *testing.T) {
	l, n := locks.Floor(), new(locks.Node)
	l.Lock(n)
	l.Lock(new(locks.Node)) // a lock would wait here for ever, or the witness see it
	if !l.TryLock(nil) {
		t.Error("the floor was refused")
	}
	l.Unlock(n)
	l.Unlock(nil)
}
