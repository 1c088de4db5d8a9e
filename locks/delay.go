package locks

import (
	"math"
	"sync"
	"time"

	"pcbbench/locks/probe"
)

// Delay computes for that many units without touching memory: a unit is one multiplication that waits for
// the one before, 3 to 5 cycles on machines of 2010 to 2026. It stands for work inside and outside of
// critical sections.
//
//go:noinline
func Delay(units uint32) {
	probe.Work(units)
	x := uint64(units) | 1
	for range units {
		x *= 0x9e3779b97f4a7c15
	}
	if x == 0 { // impossible, but the compiler does not know that odd × odd is odd, and keeps the loop
		panic("locks: a product of odd numbers is even")
	}
}

// CalibrateDelay measures how many units of Delay take a nanosecond, in about a millisecond. It assumes
// that the clock speed stays what it is.
func CalibrateDelay() (unitsPerNS float64) {
	const short, long = 1_000, 11_000
	t := fastest(func() { Delay(short) }, func() { Delay(long) })
	return (long - short) / max(t[1]-t[0], 1) // the difference is free of the call's and the clock's cost
}

// Pause lets n PAUSEs pass without touching memory. How long that takes depends on the machine.
func Pause(n uint32) { procyield(n) }

// fastest returns the shortest of several runs of each function in ns. The runs are interleaved, so that a
// disturbance hits all functions alike, and the minimum leaves it out.
func fastest(fs ...func()) []float64 {
	const runs = 30
	best := make([]float64, len(fs))
	for i := range best {
		best[i] = math.Inf(1)
	}
	for range runs {
		for i, f := range fs {
			start := time.Now()
			f()
			best[i] = min(best[i], float64(time.Since(start)))
		}
	}
	return best
}

// A pollTime is the time between two looks at a lock.
type pollTime struct {
	cycles uint32  // argument of procyield
	ns     float64 // what it takes, > 0
}

// poll returns the time between two looks, about 40 ns: of the order of one line transfer, so that looking
// more often would see nothing new. The first call measures it, in well under a millisecond.
var poll = sync.OnceValue(func() pollTime {
	const want, times = 40, 32
	burst := func(cycles uint32) func() {
		return func() {
			for range times {
				procyield(cycles)
			}
		}
	}
	one := fastest(burst(1))[0] / times
	cycles := uint32(max(1, want/max(one, 0.1)))
	return pollTime{cycles, max(1, fastest(burst(cycles))[0]/times)}
})
