// Package reclaim measures what safe memory reclamation costs: its readers in time, its writers in time, and everybody in memory that nobody may use yet. After
// the kernel's refscale and rcuscale (kernel/rcu/refscale.c, rcuscale.c) and the non-cooperative threads of smr-benchmark (Kaist). Every sample is one in which no
// reader met a block that was reused.
package reclaim

import (
	"fmt"
	"runtime"
	"time"

	"pcbbench/locks/smr"
)

// A Case is one setting.
type Case struct {
	SMR     string        // a kind's name
	Do      string        // Read, Grace or Update
	Lookups int           // a section, or a walk
	Readers int           // that take no pause
	Stall   time.Duration // Update: how long another reader stays inside, again and again; 0: there is none
	Pin     string        // "cpu" or "none"
}

// What is measured.
const (
	Read   = "read"   // what a section costs, and a block on its way
	Grace  = "grace"  // how long a writer waits that unlinks a block and waits until it is free
	Update = "update" // what it costs to replace blocks, and how many are retired and not free
)

// Stalls are how long a reader stays inside.
var Stalls = []time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond}

// OneCPU is what to tell where there is one CPU.
const OneCPU = "One CPU: readers and writer take turns on it, and grace periods are the system's time slices."

// Cases are those that cpus CPUs allow.
func Cases(cpus int) (cs []Case) {
	pin := "none"
	if runtime.GOOS == "linux" {
		pin = "cpu"
	}
	beside := max(1, cpus-1) // readers beside a writer
	for _, k := range smr.Kinds {
		for _, lookups := range []int{1, 32} {
			cs = append(cs, Case{k.Name, Read, lookups, 1, 0, pin})
			if cpus > 1 {
				cs = append(cs, Case{k.Name, Read, lookups, cpus, 0, pin})
			}
		}
		if recycles(&k) {
			cs = append(cs, Case{k.Name, Grace, 32, beside, 0, pin})
		}
		for _, stall := range Stalls {
			cs = append(cs, Case{k.Name, Update, 32, beside, stall, pin})
		}
	}
	return cs
}

// recycles reports whether memory is ever reused, so that there is something to wait for.
func recycles(k *smr.Kind) bool { return k.New == nil || k.New(1).Recycles() }

// Name is the benchmark's.
func (c Case) Name() string {
	return fmt.Sprintf("Reclaim/smr=%s/do=%s/lookups=%d/readers=%d/stall=%v/pin=%s", c.SMR, c.Do, c.Lookups, c.Readers, c.Stall, c.Pin)
}

// CPUs is how many the case has work for.
func (c Case) CPUs() int {
	if c.Do == Read {
		return c.Readers
	}
	return c.Readers + 1
}

// Check says whether there can be such a case.
func (c Case) Check() error {
	k, err := smr.Find(c.SMR)
	if err != nil {
		return err
	}
	if c.Do != Read && c.Do != Grace && c.Do != Update || c.Do == Grace && !recycles(k) || c.Lookups < 1 || c.Readers < 1 || c.Stall < 0 || c.Stall > 0 && c.Do != Update {
		return fmt.Errorf("no reclamation to be measured like %s", c.Name())
	}
	return nil
}
