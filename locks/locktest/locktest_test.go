//go:build !race

// The race detector would end these tests before the torture does: they are about locks that let workers race.

package locktest

import (
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
			seed := uint64(time.Now().UnixNano())
			c := Config{Workers: 4, Rounds: 300, Patience: 100 * time.Millisecond}
			for range 20 {
				c.Seed = seed
				if err := watched(b.make, b.promise, c); err != nil {
					if got := oracle.Of(err); !strings.Contains(b.want, got) {
						t.Errorf("found by %s, want %s: %v", got, b.want, err)
					}
					return
				}
				seed++
			}
			t.Errorf("not found in 20 runs, the last with seed %d", seed-1)
		})
	}
}

// TestPromises: each kind is in the list, and nothing else.
func TestPromises(t *testing.T) {
	for _, k := range locks.Kinds {
		if _, ok := promises[k.Name]; !ok {
			t.Errorf("%s promises nothing", k.Name)
		}
	}
	if len(promises) != len(locks.Kinds) {
		t.Errorf("%d promises for %d kinds", len(promises), len(locks.Kinds))
	}
}
