//go:build count

package witness_test

import (
	"slices"
	"testing"

	"pcbbench/locks"
	"pcbbench/locks/smr"
	"pcbbench/locks/witness"
)

// TestCounts takes locks of every kind in every way: each acquisition counts once, for its class and mode; what is refused does not count.
func TestCounts(t *testing.T) {
	witness.Reset()
	t.Cleanup(witness.Reset)
	var node, other locks.Node
	for _, spec := range locks.Specs() {
		l, err := spec.NewRW(1)
		if err != nil {
			t.Fatal(err)
		}
		witness.Name(l, "table")
		l.Lock(&node)
		if spec.Kind().Workers != 1 && l.TryLock(&other) {
			t.Errorf("%v was taken twice", spec)
		}
		l.Unlock(&node)
		if !l.TryLock(&node) {
			t.Errorf("%v was refused", spec)
		}
		l.Unlock(&node)
		l.RLock(&node)
		l.RUnlock(&node)
	}
	shared := uint64(0)
	for _, spec := range locks.Specs() {
		if spec.Kind().Shared {
			shared++
		}
	}
	all := uint64(len(locks.Specs()))
	want := []witness.Count{{Class: "table", Act: witness.Locked, N: 3*all - shared}, {Class: "table", Act: witness.RLocked, N: shared}}
	if got := witness.Counts(); !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// TestCountsChanges upgrades and downgrades, enters a section, and takes a lock that nobody named.
func TestCountsChanges(t *testing.T) {
	witness.Reset()
	t.Cleanup(witness.Reset)
	var rw locks.RW
	witness.Name(&rw, "inpcb")
	rw.RLock(nil)
	if !rw.TryUpgrade(nil) {
		t.Fatal("the only reader cannot upgrade")
	}
	rw.Downgrade(nil)
	rw.RUnlock(nil)
	var mtx locks.Mtx
	mtx.Lock(nil)
	mtx.Unlock(nil)
	dom, err := smr.New("gus", 1)
	if err != nil {
		t.Fatal(err)
	}
	dom.Enter(0)
	dom.Exit(0)
	want := []witness.Count{{"", witness.Entered, 1}, {"inpcb", witness.RLocked, 1}, {"inpcb", witness.Upgraded, 1}, {"inpcb", witness.Downgraded, 1},
		{"locks.Mtx", witness.Locked, 1}}
	if got := witness.Counts(); !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	witness.Reset()
	if got := witness.Counts(); len(got) > 0 {
		t.Errorf("after Reset: %v", got)
	}
}
