// Package locktest checks and measures locks: one driver for each, for every kind in locks.Kinds, for wrappers
// such as profilers, and for the busted locks that show that the check finds faults.
package locktest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"pcbbench/locks"
)

// Config sets the size of a check.
type Config struct {
	Workers int    // goroutines that use the lock at a time
	Rounds  int    // sections of each
	Seed    uint64 // of all choices but the scheduler's
}

// guarded is what the lock protects: ordinary fields, so that the race detector checks the lock's memory
// ordering on the way. Outside of exclusive sections a == b, and 10 steps from any value they are 10 apart
// from the value before.
type guarded struct {
	a, b   uint64
	writes uint64 // exclusive sections so far
}

// A worker is one goroutine of a check.
type worker struct {
	l      locks.RWLock
	n      *locks.Node
	g      *guarded
	rng    *rand.Rand
	writes uint64 // of g.writes, ours
}

// Validate lets workers take the lock in all ways at random and returns an error for the first section that was
// not alone, the first reader that saw a value change, or an exclusive section that got lost. It does not
// look at fairness, and cannot return from a lock that loses a wake-up.
func Validate(l locks.RWLock, c Config) error {
	var g guarded
	var failed atomic.Bool // ends the check early
	var wg sync.WaitGroup
	workers := make([]worker, c.Workers)
	errs := make([]error, c.Workers)
	for i := range workers {
		w := &workers[i]
		*w = worker{l: l, n: new(locks.Node), g: &g, rng: rand.New(rand.NewPCG(c.Seed, uint64(i)))}
		wg.Go(func() {
			for round := 0; round < c.Rounds && !failed.Load(); round++ {
				if err := w.section(); err != nil {
					errs[i] = fmt.Errorf("worker %d, round %d, seed %d: %w", i, round, c.Seed, err)
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var writes uint64
	for i := range workers {
		writes += workers[i].writes
	}
	if g.writes != writes || g.a != g.b {
		return fmt.Errorf("seed %d: %d exclusive sections left %d writes, a %d and b %d", c.Seed, writes, g.writes, g.a, g.b)
	}
	return nil
}

// section passes through one section of a random sort. Half of them are exclusive, and half of them taken
// by trying.
func (w *worker) section() error {
	defer w.maybeYield()
	try := w.rng.IntN(2) == 0
	if w.rng.IntN(2) == 0 {
		w.lock(try)
		return w.exclusive()
	}
	w.rlock(try)
	return w.shared()
}

func (w *worker) lock(try bool) {
	if !try {
		w.l.Lock(w.n)
		return
	}
	for !w.l.TryLock(w.n) {
		runtime.Gosched()
	}
}

func (w *worker) rlock(try bool) {
	if !try {
		w.l.RLock(w.n)
		return
	}
	for !w.l.TryRLock(w.n) {
		runtime.Gosched()
	}
}

// exclusive is called with the lock held exclusively and lets go of it.
func (w *worker) exclusive() error {
	err := w.write()
	if w.rng.IntN(4) != 0 {
		w.l.Unlock(w.n)
		return err
	}
	// If another writer came between, it left another value of writes.
	writes := w.g.writes
	w.l.Downgrade(w.n)
	w.maybeYield()
	if w.g.writes != writes {
		err = errors.Join(err, errors.New("a writer got between exclusive hold and downgrade"))
	}
	err = errors.Join(err, w.read())
	w.l.RUnlock(w.n)
	return err
}

// shared is called with the lock held shared and lets go of it.
func (w *worker) shared() error {
	err := w.read()
	if w.rng.IntN(2) == 0 {
		writes := w.g.writes
		w.maybeYield()
		upgraded := w.l.TryUpgrade(w.n)
		if w.g.writes != writes {
			err = errors.Join(err, fmt.Errorf("a writer got between shared hold and upgrade (%v)", upgraded))
		}
		if upgraded {
			return errors.Join(err, w.exclusive())
		}
		err = errors.Join(err, w.read()) // still shared
	}
	w.l.RUnlock(w.n)
	return err
}

// write changes what the lock guards and changes it back.
func (w *worker) write() error {
	g := w.g
	a, b, writes := g.a, g.b, g.writes
	for range 10 {
		g.a++
		w.maybeYield()
		g.b++
	}
	if g.a != a+10 || g.b != b+10 || g.writes != writes {
		return fmt.Errorf("exclusive section was not alone: a %d → %d, b %d → %d, writes %d → %d",
			a, g.a, b, g.b, writes, g.writes)
	}
	for range 10 {
		g.a--
		g.b--
	}
	g.writes++
	w.writes++
	return nil
}

// read looks twice at what the lock guards.
func (w *worker) read() error {
	g := w.g
	a, b, writes := g.a, g.b, g.writes
	w.maybeYield()
	if a != b || g.a != a || g.b != b || g.writes != writes {
		return fmt.Errorf("reader saw a %d → %d, b %d → %d, writes %d → %d", a, g.a, b, g.b, writes, g.writes)
	}
	return nil
}

// maybeYield stretches a section now and then, so that sections meet also on one CPU.
func (w *worker) maybeYield() {
	if w.rng.IntN(32) == 0 {
		runtime.Gosched()
	}
}
