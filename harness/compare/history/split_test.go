package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// permutations calls f with each of n ranks.
func permutations(n int, f func([]float64)) {
	ranks := make([]float64, n)
	for i := range ranks {
		ranks[i] = float64(i + 1)
	}
	var rec func(k int)
	rec = func(k int) {
		if k == n {
			f(ranks)
		}
		for i := k; i < n; i++ {
			ranks[k], ranks[i] = ranks[i], ranks[k]
			rec(k + 1)
			ranks[k], ranks[i] = ranks[i], ranks[k]
		}
	}
	rec(0)
}

// TestLeastP compares the bound with all permutations: none is rarer, and where there is one arc of half of the points it is met.
func TestLeastP(t *testing.T) {
	for _, c := range []struct {
		n     int
		as    arcs
		exact bool
	}{
		{8, arcs{[]arc{{0, 4}}, 0}, true},
		{8, arcs{[]arc{{0, 3}, {0, 4}, {3, 6}}, 0}, true},
		{7, arcs{[]arc{{0, 3}, {0, 4}}, 0}, false},
		{8, arcs{[]arc{{0, 2}, {0, 3}}, 0}, true},
		{8, arcs{[]arc{{0, 4}, {2, 6}}, 0}, false},
		{8, arcs{[]arc{{0, 4}, {2, 6}}, 1}, true},
		{8, arcs{[]arc{{0, 3}, {2, 6}}, 1}, true},
	} {
		most, met, all := 0.0, 0, 0
		permutations(c.n, func(ranks []float64) {
			_, d := c.as.best(ranks)
			switch {
			case d > most*(1+1e-9):
				most, met = d, 1
			case d > most*(1-1e-9):
				met++
			}
			all++
		})
		p, bound := float64(met)/float64(all), c.as.leastP(c.n)
		if p > bound*(1+1e-9) || p < bound/2 || c.exact && p < bound*(1-1e-9) {
			t.Errorf("n=%d, arcs %v: the clearest has p=%v, leastP says %v", c.n, c.as, p, bound)
		}
	}
	if p := (arcs{}).leastP(10); p != 1 {
		t.Errorf("no arc has p=%v", p)
	}
}

// TestPermuter compares p with that of all permutations.
func TestPermuter(t *testing.T) {
	as := arcs{[]arc{{0, 3}, {0, 4}, {0, 5}, {2, 5}}, 1}
	var all []float64
	permutations(8, func(ranks []float64) {
		_, d := as.best(ranks)
		all = append(all, d)
	})
	p := permuter{most: 100_000, memo: map[string]float64{}}
	for _, ranks := range [][]float64{{1, 2, 3, 4, 5, 6, 7, 8}, {1, 3, 2, 5, 4, 8, 7, 6}, {2, 7, 4, 1, 8, 3, 6, 5}, {8, 7, 6, 4, 5, 1, 3, 2}} {
		_, d := as.best(ranks)
		far := 0
		for _, other := range all {
			if other >= d*(1-1e-9) {
				far++
			}
		}
		want := float64(far) / float64(len(all))
		got := p.p(ranks, as, d)
		if tolerance := 5 * want / math.Sqrt(enough); math.Abs(got-want) > tolerance {
			t.Errorf("ranks %v: p=%v, all permutations say %v", ranks, got, want)
		}
		if again := p.p(ranks, as, d); again != got {
			t.Errorf("ranks %v: p=%v, then %v", ranks, got, again)
		}
	}
}

// line makes a series of one run a commit with these medians.
func line(medians ...float64) *Series {
	s := &Series{Name: "X", Unit: "ns/seg", Better: -1}
	for i, m := range medians {
		s.Points = append(s.Points, Point{Commit: commit(i), Median: m})
	}
	return s
}

func TestRanks(t *testing.T) {
	s := line(5, 1, 5, 0, 9, 5)
	if got, want := (segment{s, 0, 6}).ranks(), []float64{4, 2, 4, 1, 6, 4}; !slices.Equal(got, want) {
		t.Errorf("ranks %v, want %v", got, want)
	}
	if got, want := (segment{s, 1, 4}).ranks(), []float64{2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("ranks of a part %v, want %v", got, want)
	}
}

// TestArcs checks that runs of one commit stay together, and that enough are left inside and on both sides.
func TestArcs(t *testing.T) {
	s := line(make([]float64, 13)...)
	for _, i := range []int{5, 6} {
		s.Points[i].Commit = s.Points[4].Commit
	}
	if got, want := (segment{s, 0, 13}).arcs().all, []arc{{0, 4}, {0, 7}, {0, 8}, {0, 9}, {4, 8}, {4, 9}}; !slices.Equal(got, want) {
		t.Errorf("arcs %v, want %v", got, want)
	}
	if got := (segment{s, 0, 7}).arcs().all; got != nil {
		t.Errorf("7 runs have arcs %v", got)
	}
}

// noise is a run's median about a level: 1.5% of noise, and one run in twenty that is out by 30%.
func noise(random *rand.Rand, level float64) float64 {
	x := level * math.Exp(0.015*random.NormFloat64())
	if random.IntN(20) == 0 {
		x *= 1.3
	}
	return x
}

// TestFalseAlarms simulates histories in which nothing changed: any change at all is found in no more of them than Alpha allows, with a margin for chance.
// Series that drift together, as those of one machine do, are held to the same.
func TestFalseAlarms(t *testing.T) {
	for _, c := range []struct {
		histories, series, runs int
		shared                  float64 // noise that all series of a run have in common
	}{{400, 1, 30, 0}, {80, 20, 24, 0}, {80, 20, 24, 0.03}} {
		random := rand.New(rand.NewPCG(1, uint64(c.series)))
		alarms := 0
		for range c.histories {
			common := make([]float64, c.runs)
			for i := range common {
				common[i] = math.Exp(c.shared * random.NormFloat64())
			}
			var all []*Series
			for range c.series {
				ms := make([]float64, c.runs)
				for i := range ms {
					ms[i] = noise(random, 500*common[i])
				}
				all = append(all, line(ms...))
			}
			findChanges(all)
			if slices.ContainsFunc(all, func(s *Series) bool { return len(s.Changes) > 0 }) {
				alarms++
			}
			if slices.ContainsFunc(all, func(s *Series) bool { return s.Needs > 0 }) {
				t.Fatalf("%d runs of %d series are not tested", c.runs, c.series)
			}
		}
		expected := Alpha * float64(c.histories)
		if most := expected + 3*math.Sqrt(expected); float64(alarms) > most {
			t.Errorf("%+v: %d of %d histories raise an alarm; at alpha=%v at most %.0f may", c, alarms, c.histories, Alpha, most)
		}
	}
}

// TestPlantedSteps plants steps of 6% and more in noise, at the middle and near the ends, and one that goes away again: most are found, most of these at their
// commit, and next to none elsewhere.
func TestPlantedSteps(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	const histories = 25
	for _, c := range []struct {
		runs  int
		steps map[int]float64
	}{
		{24, map[int]float64{12: 1.06}},
		{24, map[int]float64{6: 0.92}},
		{30, map[int]float64{24: 1.08}},
		{40, map[int]float64{13: 1.10, 27: 0.90}},
	} {
		right, found, wrong := 0, 0, 0
		for range histories {
			var ms []float64
			for i, level := 0, 500.0; i < c.runs; i++ {
				if f, ok := c.steps[i]; ok {
					level *= f
				}
				ms = append(ms, noise(random, level))
			}
			s := line(ms...)
			findChanges([]*Series{s})
			for _, ch := range s.Changes {
				f, ok := c.steps[ch.At]
				switch {
				case ok && (f > 1) == (ch.After > ch.Before):
					right++
				case near(ch.At, c.steps):
				default:
					wrong++
				}
				found++
			}
		}
		planted := histories * len(c.steps)
		if right < planted*65/100 || found < planted*75/100 || wrong > histories*5/100 {
			t.Errorf("%+v: of %d steps %d found, %d at their commit; %d elsewhere", c, planted, found, right, wrong)
		}
	}
}

// near says whether at is next to a planted step: one wild run there hides which of the two it was.
func near(at int, steps map[int]float64) bool {
	for s := range steps {
		if at >= s-2 && at <= s+2 {
			return true
		}
	}
	return false
}

// TestFewRuns checks that a history too short says so, what it needs, and its largest step; and that it needs no more than it says.
func TestFewRuns(t *testing.T) {
	s := line(500, 501, 499, 560, 561)
	findChanges([]*Series{s})
	if len(s.Changes) > 0 || s.Needs != 10 || s.Step == nil || s.Step.At != 3 || s.Step.Before != 499 || s.Step.After != 560 {
		t.Errorf("%+v, step %+v", s, s.Step)
	}
	for _, series := range []int{1, 10, 88} {
		n := runsNeeded(series)
		var all []*Series
		for range series {
			ms := make([]float64, n)
			for i := range ms {
				ms[i] = 500 + float64(i)
				if i >= n/2 {
					ms[i] += 100
				}
			}
			all = append(all, line(ms...))
		}
		findChanges(all)
		for _, s := range all {
			if s.Needs > 0 || len(s.Changes) != 1 || s.Changes[0].At != n/2 {
				t.Fatalf("%d series of %d runs with a step in the middle: needs %d, changes %+v", series, n, s.Needs, s.Changes)
			}
		}
	}
	short := line(1, 2, 3)
	long := line(slices.Repeat([]float64{1, 2}, 20)...)
	findChanges([]*Series{short, long})
	if short.Needs == 0 || long.Needs > 0 {
		t.Errorf("a short series beside a long one: they need %d and %d runs", short.Needs, long.Needs)
	}
}

// TestLeast checks that what is certain but small is not told.
func TestLeast(t *testing.T) {
	for _, c := range []struct {
		level float64
		want  int
	}{{1.015, 0}, {1.025, 1}, {0.985, 0}, {0.97, 1}} {
		var ms []float64
		for i := range 20 {
			ms = append(ms, 500+0.01*float64(i))
			if i >= 10 {
				ms[i] *= c.level
			}
		}
		s := line(ms...)
		findChanges([]*Series{s})
		if len(s.Changes) != c.want {
			t.Errorf("level %v: changes %+v, want %d", c.level, s.Changes, c.want)
		}
	}
}

// TestExact checks that an exact metric changes wherever it does, however small and few the runs, but not within a commit.
func TestExact(t *testing.T) {
	s := line(0, 0, 0.001, 0.001, 0.002, 0)
	s.Exact = true
	s.Points[3].Commit, s.Points[4].Commit = commit(2), commit(2)
	findChanges([]*Series{s})
	var got []string
	for _, c := range s.Changes {
		got = append(got, fmt.Sprint(c.At, c.Before, c.After))
	}
	if want := []string{"2 0 0.001", "5 0.001 0"}; !slices.Equal(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
}

// TestConstant checks that a series that never moves, and one that leaves 0, are no trouble.
func TestConstant(t *testing.T) {
	still, risen := line(make([]float64, 20)...), line(make([]float64, 20)...)
	for i := 10; i < 20; i++ {
		risen.Points[i].Median = 3
	}
	findChanges([]*Series{still, risen})
	if len(still.Changes) != 0 || len(risen.Changes) != 1 || risen.Changes[0].At != 10 || step(0, 3) != "+3" {
		t.Errorf("%+v and %+v", still.Changes, risen.Changes)
	}
}
