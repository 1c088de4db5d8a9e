package verdict

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Paired compares arms that took turns: groups are the log-ratios of new to old of the pairs of each restart. A restart counts as one observation, its
// median, since the pairs of two processes share whatever the memory layout of these does to them.
//
// P is that of Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945), two-sided. Where the order within pairs is drawn at random the arms of an A/A
// comparison are exchangeable, every sign is as likely as the other, and P is exact whatever the distribution. Ratio is Hodges and Lehmann's estimate, the median
// of the means of all twos of restarts, and its interval holds what the test does not refuse at 1 - confidence (Annals of Mathematical Statistics 34, 1963).
func Paired(groups [][]float64, confidence float64) Effect {
	var d []float64
	n := 0
	for _, g := range groups {
		if len(g) > 0 {
			d = append(d, median(slices.Clone(g)))
		}
		n += len(g)
	}
	e := unknown(n)
	if e.Groups = len(d); len(d) == 0 {
		return e
	}
	e.P = signedRank(d)
	walsh := make([]float64, 0, len(d)*(len(d)+1)/2)
	for i := range d {
		for j := range i + 1 {
			walsh = append(walsh, (d[i]+d[j])/2)
		}
	}
	slices.Sort(walsh)
	lo, hi := math.Inf(-1), math.Inf(1)
	if k := refused(len(d), 1-confidence); k > 0 {
		lo, hi = walsh[k-1], walsh[len(walsh)-k]
	}
	e.ofLogs(sortedMedian(walsh), lo, hi)
	return e
}

// signedRank is the two-sided P of d's signs, given its sizes: exact for up to exactGroups of them. Zeros have no sign and drop out.
func signedRank(d []float64) float64 {
	d = slices.DeleteFunc(slices.Clone(d), func(x float64) bool { return x == 0 })
	if len(d) == 0 {
		return 1
	}
	slices.SortFunc(d, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	ranks := make([]int, len(d)) // twice the rank: those of equal size share the mean
	up, all := 0, 0
	for i := 0; i < len(d); {
		j := i
		for j < len(d) && math.Abs(d[j]) == math.Abs(d[i]) {
			j++
		}
		for k := i; k < j; k++ {
			ranks[k] = i + 1 + j
			all += ranks[k]
			if d[k] > 0 {
				up += ranks[k]
			}
		}
		i = j
	}
	return min(1, 2*atMost(ranks, min(up, all-up)))
}

// exactGroups is up to how many the distribution of the signed-rank sum is counted out; beyond, the normal one is as good.
const exactGroups = 200

// atMost is the probability that the sum of ranks, each there or not with the toss of a coin, is at most w.
func atMost(ranks []int, w int) float64 {
	if len(ranks) > exactGroups {
		return nearly(ranks, w)
	}
	return counted(ranks, w)
}

func counted(ranks []int, w int) float64 {
	p := make([]float64, w+1) // of each sum
	p[0] = 1
	for _, r := range ranks {
		for s := w; s >= 0; s-- {
			p[s] /= 2
			if s >= r {
				p[s] += p[s-r] / 2
			}
		}
	}
	var sum float64
	for _, x := range p {
		sum += x
	}
	return sum
}

// nearly takes the distribution for a normal one.
func nearly(ranks []int, w int) float64 {
	var mean, squares float64
	for _, r := range ranks {
		mean += float64(r) / 2
		squares += float64(r) * float64(r) / 4
	}
	return normal((float64(w) + 1 - mean) / math.Sqrt(squares)) // half of a rank, here 1, for the steps
}

func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// refused is how many of the smallest, and of the largest, means of twos a test of n without ties refuses at alpha, two-sided: the interval begins with the
// one of that number, counted from 1. 0: there are too few for any.
func refused(n int, alpha float64) (k int) {
	ranks := make([]int, n)
	for i := range ranks {
		ranks[i] = 2 * (i + 1)
	}
	return sort.Search(n*(n+1)/2, func(k int) bool { return 2*atMost(ranks, 2*k) > alpha })
}

func median(x []float64) float64 {
	slices.Sort(x)
	return sortedMedian(x)
}

func sortedMedian(x []float64) float64 {
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
}
