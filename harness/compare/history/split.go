package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

// minSide is how many runs there must be on each side of a split: two unlucky runs make no change.
const minSide = 4

// A segment is a stretch of a series in which no change has been found yet.
type segment struct {
	s      *Series
	lo, hi int // points
}

// An arc is a stretch of a segment's points that may differ from what is around it: from i up to j. A single step is an arc from 0.
type arc struct{ i, j int }

// Arcs are what a segment is searched for.
type arcs struct {
	all      []arc
	handicap float64 // of those that are no single step
}

// boundary says whether the segment's commit changes before point k.
func (g segment) boundary(k int) bool {
	return g.s.Points[g.lo+k-1].Commit != g.s.Points[g.lo+k].Commit
}

// arcs are all that begin and end between runs of different commits, with enough runs inside and on each side.
func (g segment) arcs() (as arcs) {
	n, steps := g.hi-g.lo, 0
	for i := 0; i < n; i++ {
		if i > 0 && (i < minSide || !g.boundary(i)) {
			continue
		}
		for j := i + minSide; j <= n-minSide; j++ { // one that goes to the end is the rest of one from 0
			if g.boundary(j) {
				as.all = append(as.all, arc{i, j})
			}
		}
		if i == 0 {
			steps = len(as.all)
		}
	}
	if steps > 0 { // else the many others would hide the steps, which are what mostly happens: they must stand out by as much more
		as.handicap = 2 * math.Log(float64(len(as.all))/float64(steps)) * float64(n+1) / 12
	}
	return as
}

// standsOut is how far the rank sum of an arc of m of n points is from what it would be by chance, d: the squared Wilcoxon statistic, but for a factor that
// is the same for all permutations.
func (as arcs) standsOut(a arc, n int, d float64) float64 {
	m := a.j - a.i
	d = d * d / float64(m*(n-m))
	if a.i > 0 {
		d -= as.handicap
	}
	return d
}

// ranks are the midranks of the runs' medians.
func (g segment) ranks() []float64 {
	points := g.s.Points[g.lo:g.hi]
	sorted := make([]float64, len(points))
	for i, p := range points {
		sorted[i] = p.Median
	}
	slices.Sort(sorted)
	ranks := make([]float64, len(points))
	for i, p := range points {
		first := sort.SearchFloat64s(sorted, p.Median)
		last := sort.Search(len(sorted), func(j int) bool { return sorted[j] > p.Median })
		ranks[i] = float64(first+1+last) / 2
	}
	return ranks
}

// best is the arc that stands out most, and how far.
func (as arcs) best(ranks []float64) (at arc, most float64) {
	n := len(ranks)
	sums := make([]float64, n+1)
	for i, r := range ranks {
		sums[i+1] = sums[i] + r
	}
	for _, a := range as.all {
		if d := as.standsOut(a, n, sums[a.j]-sums[a.i]-float64((a.j-a.i)*(n+1))/2); d > most {
			at, most = a, d
		}
	}
	return at, most
}

// leastP is a bound of the least p that n points can have: it belongs to all the lowest, or highest, in the arc where that stands out most.
func (as arcs) leastP(n int) float64 {
	most, p := 0.0, 1.0
	for _, a := range as.all {
		m := a.j - a.i
		d := as.standsOut(a, n, float64(m*(n-m))/2)
		one := 2 / choose(n, m)
		switch {
		case d > most*(1+1e-9):
			most, p = d, one
		case d > most*(1-1e-9):
			p += one
		}
	}
	return min(1, p)
}

func choose(n, k int) float64 {
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i)
	}
	return c
}

// enough is how many permutations at least as far apart as what was seen settle that it is nothing special.
const enough = 20

// A permuter tests arcs by permutation of runs. What it was asked once it knows.
type permuter struct {
	most int // permutations
	memo map[string]float64
}

// p is the share of permutations of ranks whose best arc stands out at least as far as theirs. It stops early where that is many
// (Besag and Clifford 1991), and takes the same permutations each time.
func (t *permuter) p(ranks []float64, as arcs, distance float64) float64 {
	shuffled := slices.Sorted(slices.Values(ranks))
	key := fmt.Sprint(shuffled, as.all, math.Round(distance*1e6))
	if p, ok := t.memo[key]; ok {
		return p
	}
	random := rand.New(rand.NewPCG(1, uint64(len(ranks))))
	far, p := 0, 0.0
	for i := 1; i <= t.most && p == 0; i++ {
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if _, d := as.best(shuffled); d >= distance*(1-1e-9) {
			far++
		}
		if far == enough {
			p = enough / float64(i)
		}
	}
	if p == 0 {
		p = float64(far+1) / float64(t.most+1)
	}
	t.memo[key] = p
	return p
}

// place is where the step between lo and hi of a series is, k being about there: where the medians' absolute deviations from the median on their side are
// least in sum. Rank sums tell better whether there is a step than where, as they lean to the middle.
func place(s *Series, lo, hi, k int) int {
	least := math.Inf(1)
	for at := lo + minSide; at <= hi-minSide; at++ {
		if s.Points[at-1].Commit == s.Points[at].Commit {
			continue
		}
		if d := deviations(s, lo, at) + deviations(s, at, hi); d < least {
			k, least = at, d
		}
	}
	return k
}

// deviations are the absolute ones from the median of the runs from lo up to hi, in sum.
func deviations(s *Series, lo, hi int) (sum float64) {
	m := medianOf(s, lo, hi)
	for _, p := range s.Points[lo:hi] {
		sum += math.Abs(p.Median - m)
	}
	return sum
}
