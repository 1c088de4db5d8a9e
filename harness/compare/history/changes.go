package history

import (
	"math"
	"slices"
	"strconv"

	"pcbbench/harness/compare/verdict"
)

// Alpha is the probability, of a history in which nothing changed, that a change is found in any of its series.
const Alpha = 0.01

// Least is the smallest change that is told: below it nobody would look for the cause, however certain it is.
const Least = 0.02

// findChanges finds the changes of all series by circular binary segmentation (Olshen et al., Biostatistics 5, 2004): in each segment the arc of runs whose
// rank sum differs most from that of the others, be it a step or something that came and went, makes changes of its ends, and what is between them is looked
// at in the same way. Each point is the median of a run, and changes lie between commits. An arc counts if a permutation test over runs says at level Alpha
// that it is no chance, by Holm's correction over all segments that are tested beside it; its ends, if the medians on both sides differ by Least or more.
//
// Hunter's E-divisive means (Fleming et al., ICPE 2023, after Matteson and James 2014) asks the same question of one value a run, and tests it by
// Student's t, which holds no rate of false alarms at a split that was chosen because it is the largest. Here it is held in a history in which nothing
// changed, by permuting runs as a whole and taking the best arc of each permutation; ranks keep one wild run from making a change. The price is that few
// runs say nothing: a segment whose least possible p is above what the correction asks is not tested, and costs the others nothing (Tarone 1990).
//
// A metric that is exact changes where its value does, untested.
func findChanges(all []*Series) {
	var open []segment
	for _, s := range all {
		if s.Exact {
			s.Changes = steps(s)
		} else if len(s.Points) > 0 {
			open = append(open, segment{s, 0, len(s.Points)})
		}
	}
	whole := len(open)
	for first := true; len(open) > 0; first = false {
		tested := testable(open)
		if first {
			for _, g := range open {
				if !slices.Contains(tested, g) {
					g.s.Needs, g.s.Step = runsNeeded(whole), largest(g.s)
				}
			}
		}
		open = cut(tested)
	}
	for _, s := range all {
		settle(s)
	}
}

// testable are the segments that have enough runs for the correction that testing them all asks for.
func testable(open []segment) (tested []segment) {
	least := make([]float64, len(open))
	for i, g := range open {
		least[i] = g.arcs().leastP(g.hi - g.lo)
	}
	for k := 1; ; k++ {
		tested = tested[:0]
		for i, g := range open {
			if least[i] <= Alpha/float64(k) {
				tested = append(tested, g)
			}
		}
		if len(tested) <= k {
			return tested
		}
	}
}

// runsNeeded is how many runs, each of another commit, each of so many series must have for a change in the middle to be found.
func runsNeeded(series int) int {
	n := 2 * minSide
	for !enoughRuns(n, series) {
		n += 2
	}
	return n
}

func enoughRuns(n, series int) bool {
	s := &Series{Points: make([]Point, n)}
	for i := range s.Points {
		s.Points[i].Commit = strconv.Itoa(i)
	}
	return segment{s, 0, n}.arcs().leastP(n) <= Alpha/float64(series)
}

// cut cuts what is to be cut, notes the changes, and returns the parts.
func cut(tested []segment) (open []segment) {
	t := &permuter{most: 10 * int(math.Ceil(float64(max(10, len(tested)))/Alpha)), memo: map[string]float64{}}
	at, p := make([]arc, len(tested)), make([]float64, len(tested))
	for i, g := range tested {
		ranks, as, distance := g.ranks(), g.arcs(), 0.0
		at[i], distance = as.best(ranks)
		p[i] = 1
		if distance > 0 {
			p[i] = t.p(ranks, as, distance)
		}
	}
	for i, p := range verdict.Holm(p) {
		if p < Alpha {
			open = append(open, tested[i].at(at[i], p)...)
		}
	}
	return open
}

// at cuts g at the ends of an arc, as far as there is a step that tells.
func (g segment) at(a arc, p float64) (parts []segment) {
	lo, last := g.lo, g.lo+a.j
	if a.i > 0 {
		if first := place(g.s, lo, last, g.lo+a.i); tells(medianOf(g.s, lo, first), medianOf(g.s, first, last)) {
			parts = append(parts, segment{g.s, lo, first})
			g.s.Changes = append(g.s.Changes, Change{At: first, P: p})
			lo = first
		}
	}
	if last = place(g.s, lo, g.hi, last); tells(medianOf(g.s, lo, last), medianOf(g.s, last, g.hi)) {
		parts = append(parts, segment{g.s, lo, last})
		g.s.Changes = append(g.s.Changes, Change{At: last, P: p})
		lo = last
	}
	if lo == g.lo {
		return nil
	}
	return append(parts, segment{g.s, lo, g.hi})
}

// settle orders the changes of s and says how large they are from neighbour to neighbour. What is less than Least then was part of a larger one.
func settle(s *Series) {
	slices.SortFunc(s.Changes, func(a, b Change) int { return a.At - b.At })
	for i := 0; i < len(s.Changes); {
		lo, hi := 0, len(s.Points)
		if i > 0 {
			lo = s.Changes[i-1].At
		}
		if i+1 < len(s.Changes) {
			hi = s.Changes[i+1].At
		}
		c := &s.Changes[i]
		c.Before, c.After = medianOf(s, lo, c.At), medianOf(s, c.At, hi)
		if s.Exact || tells(c.Before, c.After) {
			i++
			continue
		}
		s.Changes = slices.Delete(s.Changes, i, i+1)
		i = 0
	}
}

// steps are the changes of an exact metric: from one commit to the next.
func steps(s *Series) (cs []Change) {
	for i := 1; i < len(s.Points); i++ {
		if a, b := s.Points[i-1], s.Points[i]; a.Commit != b.Commit && a.Median != b.Median {
			cs = append(cs, Change{At: i})
		}
	}
	return cs
}

// largest is the largest step from one commit to the next, nil if there is none.
func largest(s *Series) (c *Change) {
	for i := 1; i < len(s.Points); i++ {
		a, b := s.Points[i-1], s.Points[i]
		if a.Commit != b.Commit && a.Median != b.Median && (c == nil || size(a.Median, b.Median) > size(c.Before, c.After)) {
			c = &Change{At: i, Before: a.Median, After: b.Median}
		}
	}
	return c
}

// size is how far apart a and b are, in log ratio; from or to 0 is further than anything.
func size(a, b float64) float64 {
	if a == b {
		return 0
	}
	d := math.Abs(math.Log(b / a))
	if math.IsNaN(d) {
		return math.Inf(1)
	}
	return d
}

// tells says whether a and b are Least or more apart.
func tells(a, b float64) bool { return size(a, b) >= math.Log1p(Least) }

// medianOf is the median over the runs from lo up to hi.
func medianOf(s *Series, lo, hi int) float64 {
	var ms []float64
	for _, p := range s.Points[lo:hi] {
		ms = append(ms, p.Median)
	}
	return median(ms)
}
