package locktest

import (
	"math"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// Delays: a hundred times as much work takes much longer, and about as long as the calibration says. Times are compared within
// one attempt, the shortest of a few, and what is disturbed is tried again.
func Delays() error {
	var short, long time.Duration
	var units, measured float64
	for range 100 {
		units = locks.CalibrateDelay()
		short, long = shortest(locks.Delay, 500), shortest(locks.Delay, 50_000)
		measured = 50_000 / float64(long)
		paused := shortest(locks.Pause, 2_000)
		if 5*short < long && units > measured/4 && units < 4*measured && paused > 5*shortest(locks.Pause, 10) {
			return nil
		}
	}
	return oracle.Violated(oracle.Measure, "500 units take %v, 50000 take %v, which is %.2f units per ns; calibrated were %.2f", short, long, measured, units)
}

// shortest is the shortest of a few runs.
func shortest(f func(uint32), n uint32) time.Duration {
	best := time.Duration(math.MaxInt64)
	for range 5 {
		start := time.Now()
		f(n)
		best = min(best, time.Since(start))
	}
	return best
}
