// Package verdict decides whether two arms of a comparison differ, and by how much. Nothing in it assumes a distribution: times on shared machines have
// outliers to both sides.
package verdict

import "math"

// An Effect is what a comparison found in one metric of one benchmark: new over old.
type Effect struct {
	Ratio  float64 // NaN if there is nothing to compare
	Lo, Hi float64 // confidence interval of Ratio; 0 and +Inf where there are too few samples for one
	P      float64 // probability, of arms that do not differ, to be told apart at least so clearly
	N      int     // samples of each arm, the smaller number; of pairs, how many
	Groups int     // of pairs: restarts of both processes, which are what is independent; else 0
}

// unknown is the Effect of n samples that say nothing.
func unknown(n int) Effect { return Effect{Ratio: math.NaN(), Hi: math.Inf(1), P: 1, N: n} }

// ofLogs has the bounds of a difference of logarithms as those of a ratio.
func (e *Effect) ofLogs(at, lo, hi float64) {
	e.Ratio, e.Lo, e.Hi = math.Exp(at), math.Exp(lo), math.Exp(hi)
}
