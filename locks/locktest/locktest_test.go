//go:build !race

// The race detector would end these tests before the torture does: they are about locks that let workers race.

package locktest

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// watched is torture under a watchdog: workers of which none beats for a while have stopped.
func watched(make func() locks.RWLock, p promise, c Config) error {
	var beats atomic.Uint64
	c.Beat = func(int) { beats.Add(1) }
	done := newDone(func() error { return torture(make, p, false, c) })
	for last := uint64(0); ; {
		select {
		case err := <-done:
			return err
		case <-time.After(1500 * time.Millisecond):
		}
		now := beats.Load()
		if now == last {
			return oracle.Violated(oracle.Progress, "no worker has beaten for a while")
		}
		last = now
	}
}

func newDone(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- oracle.Guard(f) }()
	return done
}

// TestTortureFindsBusted: a torture that is silent on these says nothing by its silence on the others.
func TestTortureFindsBusted(t *testing.T) {
	for _, b := range busted {
		t.Run(b.name, func(t *testing.T) {
			c := Config{Workers: 4, Rounds: 300, Patience: 100 * time.Millisecond}
			err := oracle.Hunt(b.want, uint64(time.Now().UnixNano()), func(seed uint64) error {
				c.Seed = seed
				return watched(b.make, b.promise, c)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNullIsForOne: no lock at all keeps every promise to one worker, is given to no more, and in the hands of two breaks exclusion: in answers, and where
// nobody tries but in what it guards.
func TestNullIsForOne(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	spec, err := locks.ParseSpec("null")
	if err != nil {
		t.Fatal(err)
	}
	if err := Torture(spec, Config{Workers: 1, Rounds: 300, Seed: seed}); err != nil {
		t.Error(err)
	}
	if _, err := spec.New(2); err == nil || !strings.Contains(err.Error(), "lock null: right for 1 worker") {
		t.Errorf("for two workers: %v", err)
	}
	c := Config{Workers: 2, Rounds: 300, Seed: seed, Patience: 100 * time.Millisecond}
	if err := watched(null, promise{upgrades: true}, c); oracle.Of(err) != oracle.Exclusion {
		t.Errorf("seed %d: two workers without a lock: %v", seed, err)
	}
	if err := oracle.Hunt([]string{oracle.Exclusion}, seed, func(seed uint64) error {
		s := &stage{c: c}
		s.c.Seed = seed
		for i := range s.rooms {
			s.rooms[i].l = null()
		}
		return oracle.Guard(func() error { return s.mix(always) })
	}); err != nil {
		t.Errorf("what two workers guard with no lock: %v", err)
	}
}

// TestPromises: the list is of kinds that there are, and a kind that is not in it yet is held to what every lock must do: each on the shelf passes so, but those
// that do less, or more than may be found without having been said.
func TestPromises(t *testing.T) {
	names := map[string]bool{}
	for _, spec := range locks.Specs() {
		names[spec.Kind().Name] = true
		unlisted := *spec.Kind()
		unlisted.Name = "unlisted"
		c := Config{Workers: max(1, unlisted.Workers), Rounds: 30, Seed: 1}
		err := oracle.Guard(func() error {
			return torture(func() locks.RWLock { return made(spec, c.Workers) }, promised(&unlisted), spec.Policy() == locks.Spin, c)
		})
		odd := slices.Contains([]string{"rwmutex", "rw", "seqlock"}, spec.Kind().Name) // cannot upgrade; upgrades past who waits; optimistic readers
		if (err != nil) != odd {
			t.Errorf("%v as a kind that is not in the list: %v", spec, err)
		}
	}
	for name := range promises {
		if !names[name] {
			t.Errorf("%s promises something, and is not there", name)
		}
	}
}
