// Package lockbench measures locks by themselves: workers that think, take a lock, write a few lines under it and let go. One sample tells what an acquisition
// costs, who waits how long, and how evenly the lock is shared out; every kind in locks.Kinds is measured alike, whether it locks, delegates or reads
// optimistically.
//
// A sample has three parts, each with new locks on pages of their own and with the same workers on the same CPUs: the floor, which is the same load with no
// lock and each worker on lines of its own; the plain part, where nobody reads a clock; and the stamped part, where every section is stamped as its worker
// arrives, gets in and lets go. Throughput comes from the plain part, waiting times and whatever needs to know when from the stamped one: a stamp costs as
// much as a lock. All end in the check that no section was lost and none overlapped another.
package lockbench

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"pcbbench/locks"
)

// A Case is one lock under one load.
type Case struct {
	Lock     string // as locks.ParseSpec reads it
	Workers  int
	Critical int     // ns in a section, those of its lines not counted
	Think    int     // ns between sections, on average: drawn from 0 to twice as much
	Lines    int     // cache lines that a section writes beside the one with the counter, or that a shared one reads
	Reads    int     // percent of sections that only read: shared, where the lock can be
	Locks    int     // that workers choose from; 0: 1
	Uneven   float64 // the last worker's sections are so many times as long as the first one's; 0: 1
	Try      bool    // TryLock first, and count how often that fails
	Pin      string  // PinCPU or PinNone; "": PinCPU
}

// The ways to place workers, as everywhere in the harness.
const (
	PinCPU  = "cpu"
	PinNone = "none"
)

// The limits of a Case.
const (
	maxWorkers = 1 << 12
	maxNS      = 1_000_000
	maxLines   = 64
	maxLocks   = 1 << 10
	maxUneven  = 1000
	maxBytes   = 1 << 30 // of all lines of a part
)

// withDefaults names what c leaves open.
func (c Case) withDefaults() Case {
	c.Locks, c.Uneven, c.Pin = cmp.Or(c.Locks, 1), cmp.Or(c.Uneven, 1), cmp.Or(c.Pin, PinCPU)
	return c
}

// Check says what is wrong with c. That its lock refuses so many workers is not: see Refusal.
func (c Case) Check() error {
	c = c.withDefaults()
	if _, err := locks.ParseSpec(c.Lock); err != nil {
		return err
	}
	for _, k := range []struct {
		name           string
		v, least, most int
	}{
		{"workers", c.Workers, 1, maxWorkers}, {"critical", c.Critical, 0, maxNS}, {"think", c.Think, 0, maxNS}, {"lines", c.Lines, 0, maxLines},
		{"reads", c.Reads, 0, 100}, {"locks", c.Locks, 1, maxLocks},
	} {
		if k.v < k.least || k.v > k.most {
			return fmt.Errorf("%s=%d: want %d to %d", k.name, k.v, k.least, k.most)
		}
	}
	if !(c.Uneven >= 1 && c.Uneven <= maxUneven) {
		return fmt.Errorf("uneven=%v: want 1 to %d", c.Uneven, maxUneven)
	}
	if c.Pin != PinCPU && c.Pin != PinNone {
		return fmt.Errorf("unknown pin %q; known: %s, %s", c.Pin, PinCPU, PinNone)
	}
	if bytes := c.Workers * c.Locks * (c.Lines + 1) * locks.LinePad; bytes > maxBytes {
		return fmt.Errorf("workers=%d with locks=%d and lines=%d: the floor would take %d MiB, more than %d", c.Workers, c.Locks, c.Lines, bytes>>20, maxBytes>>20)
	}
	return nil
}

// Refusal is why c's lock, which Check has passed, is not for so many workers or for this machine; nil if it is.
func (c Case) Refusal() error {
	if err := c.spec().Unfit(); err != nil {
		return err
	}
	_, err := c.spec().New(c.Workers)
	return err
}

// spec is that of a Case that Check has passed.
func (c Case) spec() locks.Spec {
	spec, err := locks.ParseSpec(c.Lock)
	if err != nil {
		panic("lockbench: " + err.Error())
	}
	return spec
}

// Name is the benchmark's. Keys that most cases leave alone stand at the end, and only when set.
func (c Case) Name() string {
	return fmt.Sprintf("%s/lock=%s/policy=%v/%s", Benchmark, c.spec().Kind().Name, c.spec().Policy(), c.Load())
}

// Benchmark is what all names begin with.
const Benchmark = "Locks"

// Load is the part of the name that is not the lock's.
func (c Case) Load() string {
	c = c.withDefaults()
	var b strings.Builder
	fmt.Fprintf(&b, "workers=%d/critical=%d/think=%d/lines=%d/reads=%d/pin=%s", c.Workers, c.Critical, c.Think, c.Lines, c.Reads, c.Pin)
	if c.Locks != 1 {
		fmt.Fprintf(&b, "/locks=%d", c.Locks)
	}
	if c.Uneven != 1 {
		b.WriteString("/uneven=" + strconv.FormatFloat(c.Uneven, 'f', -1, 64))
	}
	if c.Try {
		b.WriteString("/try=1")
	}
	return b.String()
}

// Subjects are what a torture must have passed before results of cs mean anything.
func Subjects(cs []Case) (names []string) {
	for _, c := range cs {
		names = append(names, "lock "+c.spec().String())
	}
	if len(cs) > 0 {
		names = append(names, "harness")
	}
	return names
}
