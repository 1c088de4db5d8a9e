//go:build !race

// The race detector would end these tests before Validate does: they are about locks that let workers race.

package locktest_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/locktest"
)

// null does nothing.
type null struct{}

func (null) Lock(*locks.Node)            {}
func (null) TryLock(*locks.Node) bool    { return true }
func (null) Unlock(*locks.Node)          {}
func (null) RLock(*locks.Node)           {}
func (null) TryRLock(*locks.Node) bool   { return true }
func (null) RUnlock(*locks.Node)         {}
func (null) TryUpgrade(*locks.Node) bool { return true }
func (null) Downgrade(*locks.Node)       {}

// The others are an RW with one fault each.

// reads lets readers in always.
type reads struct{ locks.RW }

func (l *reads) RLock(*locks.Node)         {}
func (l *reads) TryRLock(*locks.Node) bool { return true }
func (l *reads) RUnlock(*locks.Node)       {}

func (l *reads) TryUpgrade(*locks.Node) bool { return false }
func (l *reads) Downgrade(n *locks.Node)     { l.Unlock(n) }

// upgrades always succeeds in upgrading, by letting go in between.
type upgrades struct{ locks.RW }

func (l *upgrades) TryUpgrade(n *locks.Node) bool {
	l.RUnlock(n)
	l.Lock(n)
	return true
}

// downgrades lets go in between.
type downgrades struct{ locks.RW }

func (l *downgrades) Downgrade(n *locks.Node) {
	l.Unlock(n)
	runtime.Gosched()
	l.RLock(n)
}

func TestValidateFindsBustedLocks(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() locks.RWLock
		want string
	}{
		{"null", func() locks.RWLock { return null{} }, "not alone"},
		{"reads", func() locks.RWLock { return new(reads) }, "reader saw"},
		{"upgrades", func() locks.RWLock { return new(upgrades) }, "between shared hold and upgrade"},
		{"downgrades", func() locks.RWLock { return new(downgrades) }, "between exclusive hold and downgrade"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			for range 100 {
				err := locktest.Validate(c.make(), locktest.Config{Workers: 4, Rounds: 1000, Seed: seed})
				if err != nil && strings.Contains(err.Error(), c.want) {
					return
				}
				seed++
			}
			t.Errorf("not found in 100 runs, the last with seed %d", seed-1)
		})
	}
}
