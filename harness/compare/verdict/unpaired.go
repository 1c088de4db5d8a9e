package verdict

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Unpaired compares samples that know nothing of each other. P is that of the Mann-Whitney U test as benchstat has it; Ratio is Hodges and Lehmann's estimate, the median of
// the ratios of each new to each old, with the interval that belongs to it (by the normal approximation). Where a value is not above 0 there are no such ratios:
// Ratio is then that of the medians, without an interval, and 1 where both medians are 0.
func Unpaired(old, new []float64, confidence float64) Effect {
	e := unknown(min(len(old), len(new)))
	if e.N == 0 {
		return e
	}
	th := benchmath.DefaultThresholds
	e.P = benchmath.AssumeNothing.Compare(benchmath.NewSample(slices.Clone(old), &th), benchmath.NewSample(slices.Clone(new), &th)).P
	if slices.Min(old) <= 0 || slices.Min(new) <= 0 {
		if e.Ratio = median(slices.Clone(new)) / median(slices.Clone(old)); math.IsNaN(e.Ratio) {
			e.Ratio = 1
		}
		return e
	}
	var d []float64
	for _, a := range old {
		for _, b := range new {
			d = append(d, math.Log(b/a))
		}
	}
	slices.Sort(d)
	m, n := float64(len(old)), float64(len(new))
	lo, hi := math.Inf(-1), math.Inf(1)
	if k := int(m*n/2 - quantile(1-(1-confidence)/2)*math.Sqrt(m*n*(m+n+1)/12)); k > 0 {
		lo, hi = d[k-1], d[len(d)-k]
	}
	e.ofLogs(sortedMedian(d), lo, hi)
	return e
}

// quantile is the standard normal distribution's.
func quantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
