package pcbtest

import (
	"testing"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
)

// historySteps is enough for a history to get everywhere, see TestHistoryReachesEverything.
const historySteps = 5000

// tables are what the checks run on: every scheme that keeps a table, and the options and locks that change how it works.
func tables(t *testing.T) (specs []pcbinfo.Spec) {
	t.Helper()
	for _, text := range append(pcbinfo.Tables(), "connp:groups=128") {
		sp, err := pcbinfo.ParseSpec(text)
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, sp)
	}
	return specs
}

// variants are the tables, or in builds with random yields and under the race detector a third of them, by turns: make torture has all.
func variants(t *testing.T) (specs []pcbinfo.Spec) {
	t.Helper()
	turn := int(time.Now().UnixMicro() % 3)
	for i, sp := range tables(t) {
		if !probe.Enabled && !probe.Raced || i%3 == turn {
			specs = append(specs, sp)
		}
	}
	return specs
}

func TestConform(t *testing.T) {
	for _, sp := range variants(t) {
		t.Run(sp.String(), func(t *testing.T) {
			for _, c := range []Config{
				{Table: pcbinfo.Config{CPUs: 1}},
				{Table: pcbinfo.Config{CPUs: 4}},
				{Table: pcbinfo.Config{CPUs: 4, Buckets: 1}},
			} {
				c.Steps, c.Seed = historySteps, uint64(time.Now().UnixNano())
				if err := Conform(sp, c); err != nil {
					t.Errorf("%d CPUs, %d buckets: %v", c.Table.CPUs, c.Table.Buckets, err)
				}
			}
		})
	}
}

func TestConformParallel(t *testing.T) {
	for _, sp := range variants(t) {
		t.Run(sp.String(), func(t *testing.T) {
			for _, buckets := range []int{0, 1} {
				c := Config{Table: pcbinfo.Config{CPUs: 4, Buckets: buckets}, Steps: historySteps, Seed: uint64(time.Now().UnixNano())}
				if sp.Workers == 1 {
					c.Table.CPUs = 1
				}
				if err := ConformParallel(sp, c); err != nil {
					t.Errorf("%d buckets: %v", buckets, err)
				}
			}
		})
	}
}

// TestConformLocks tries every kind of table lock: that each is given the right queue node, and that none is needed for what it does
// beyond its interface.
func TestConformLocks(t *testing.T) {
	for _, lock := range locks.Specs() {
		if lock.Policy() == locks.Spin || lock.Kind().Workers != 0 {
			continue // not for more workers than CPUs, or than it excludes
		}
		t.Run(lock.String(), func(t *testing.T) {
			for _, sp := range variants(t) {
				if sp.Lock == "" {
					continue
				}
				c := Config{Table: pcbinfo.Config{CPUs: 4, Groups: 4, Lock: lock}, Steps: 400, Seed: uint64(time.Now().UnixNano())}
				if err := ConformParallel(sp, c); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
