package harness

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// SelfCheck is a round in which the harness measures a table that keeps an account of its own, and its figures are compared with it; or one that
// fails, which must get no figure. Before that it checks the parts that need no table to run: clock, plan, layout, header, what the torture is to have
// passed. It takes some 200 ms. What noise may explain is measured again before it counts. All but time and the scheduler's
// choices follows from seed; seeds in any even distance come by all ways to fail. beat, which may be nil, is called by each worker at each batch.
func SelfCheck(seed uint64, beat func(worker int)) error {
	if beat == nil {
		beat = func(int) {}
	}
	rng := rand.New(rand.NewPCG(seed, 0x73656c66))
	b, err := newBench(4)
	if err != nil {
		return err
	}
	au := &auditor{beat: beat}
	samples := func(rng *rand.Rand) error {
		i := turn(seed, kinds+len(failures))
		if i < kinds {
			return b.checkSample(rng, i, au)
		}
		return b.checkFaults(rng, failures[i-kinds], au)
	}
	config := func(rng *rand.Rand) error { return b.checkConfig(rng, au) }
	for _, part := range []func(*rand.Rand) error{b.checkClock, b.checkValues, b.checkNoise, checkMatrix, checkHeader, checkLayout, checkSubjects, checkProof,
		checkRunner, config, samples, b.checkLocks} {
		beat(0)
		if err := oracle.Guard(func() error { return part(rng) }); err != nil {
			return fmt.Errorf("harness seed %d: %w", seed, err)
		}
	}
	return nil
}

// turn chooses one of n for seed: the sum of its digits to the base n, which goes round with seeds that follow each other, and does so with
// those in a distance of any multiple of n, where the last digit stands still.
func turn(seed uint64, n int) int {
	sum := uint64(0)
	for ; seed > 0; seed /= uint64(n) {
		sum += seed % uint64(n)
	}
	return int(sum % uint64(n))
}

func wrong(format string, args ...any) error { return oracle.Violated(oracle.Measure, format, args...) }

// tries is how often a measurement is repeated before it counts as wrong: a machine with too much to do may stall the same place more than once.
const tries = 12

// kinds is how many kinds of experiment there are.
const kinds = 16

// drawExperiment draws a small experiment of one kind that any machine can do: pinned or not, sprayed or not, with two walkers or fewer, each worker doing
// everything or with queues and threads in between. An account lets in one thread at a time: the scheme without locks is right for all.
func drawExperiment(rng *rand.Rand, kind int) Experiment {
	e := Experiment{Scheme: "unsync", Pin: PinNone, Force: true,
		Workload: workloads.Params{Mix: "churn", Conns: 20 + rng.IntN(60), Workers: 2 + rng.IntN(2), Batch: 32 + rng.IntN(64)}}
	if kind&1 != 0 && threadCPUs() != nil {
		e.Pin = PinCPU
	}
	if kind&2 != 0 {
		e.Workload.Affinity = workloads.Spray
	}
	if kind&4 != 0 {
		e.Workload.Walkers = 2
	} else {
		e.Workload.Walkers = rng.IntN(2)
		e.Scheme = [...]string{"unsync", "unsync", "null"}[rng.IntN(3)]
	}
	if kind&3 == 0 && rng.IntN(2) == 0 {
		e.Workload.Workers = 1
	}
	if kind&8 != 0 {
		e.Dispatch = drawDispatch(rng)
		e.Roles = workloads.RoleSets[rng.IntN(len(workloads.RoleSets))].Name
	}
	return e
}

// drawDispatch draws a model as it is, or one with queues that are soon full.
func drawDispatch(rng *rand.Rand) string {
	specs := []string{"netisr2:policy=source", "netisr2:qlimit=40", "hybrid:qlimit=40", "deferred:qlimit=40"}
	for _, m := range netisr.Models {
		specs = append(specs, m.Name)
	}
	return specs[rng.IntN(len(specs))]
}

// checkClock: stamps of one thread do not go back, and a difference of them is, in nanoseconds, what the system's clock says.
func (b *bench) checkClock(rng *rand.Rand) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := b.clock
	outer, first := time.Now(), c.Now()
	inner, last := time.Now(), first
	for time.Since(inner) < 2*time.Millisecond {
		now := c.Now()
		if now < last {
			return wrong("the %s clock went back by %d", c.Source(), last-now)
		}
		last = now
	}
	least := time.Since(inner)
	took := c.NS(c.Now() - first)
	most := time.Since(outer)
	if took < 0.95*float64(least) || took > 1.05*float64(most) {
		return wrong("%v to %v are %.0f ns by the %s clock", least, most, took, c.Source())
	}
	if n := rng.Int64N(1 << 30); math.Abs(c.NS(2*n)-2*c.NS(n)) > 1e-6*c.NS(2*n) || c.NS(0) != 0 {
		return wrong("the clock's nanoseconds are not proportional to ticks")
	}
	return nil
}
