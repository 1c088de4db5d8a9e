package compare

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/verdict"
)

// What a sample of a file of pairs says of itself.
const (
	pairUnit    = "pair"    // number of the pair, within its benchmark
	restartUnit = "restart" // number of the start of both processes
	classUnit   = "pingpong-class"
)

// toolchains are the arms of a file of pairs.
var toolchains = []string{"baseline", "experiment"}

// Paired reports whether f is a file of pairs, for DiffPaired.
func Paired(f *file.File) bool {
	return slices.ContainsFunc(f.Results, func(r *file.Result) bool { return r.Toolchain() != "" })
}

// DiffPaired compares the arms of a file of pcbbench ab. A pair counts if both its samples are there, neither was disturbed and the CPUs of both lay alike. An error says in
// one sentence why there is nothing to compare, what is wrong with the pairs, or what o asks for in vain.
func DiffPaired(f *file.File, o Options) (*Comparison, error) {
	c := &Comparison{Paired: true, Differ: differences(f.Runs, f.Runs)}
	c.warnOfEnd(f)
	var err error
	if err = c.read(f.Runs, o); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	col, err := newCollector(o, f)
	if err != nil {
		return nil, err
	}
	for _, r := range f.Results {
		arm := slices.Index(toolchains, r.Toolchain())
		if arm < 0 {
			return nil, fmt.Errorf("%s:%d: toolchain %q; a file of pcbbench ab has %s before each result", f.Path, r.Line, r.Toolchain(), strings.Join(toolchains, " or "))
		}
		if err := col.add(arm, r); err != nil {
			return nil, err
		}
	}
	if len(col.cells) == 0 {
		return nil, fmt.Errorf("%s has no result of unit %s that the filter lets through", f.Path, strings.Join(col.units, " or "))
	}
	return c, c.finish(o, col, func(cell *cell, confidence float64) (Row, error) {
		r, err := cell.paired(confidence)
		if err != nil {
			err = fmt.Errorf("%s:%w", f.Path, err)
		}
		return r, err
	})
}

// read takes what the runs of pcbbench ab say of themselves.
func (c *Comparison) read(runs []*file.Run, o Options) error {
	facts := map[string]string{}
	for _, r := range runs {
		for _, key := range []string{"alpha", "looks", "baseline-commit", "experiment-commit"} {
			if val := r.Facts[key]; facts[key] != "" && val != facts[key] {
				return fmt.Errorf("line %d: a run with %s %q follows one with %q: their pairs are not of one comparison", r.Line, key, val, facts[key])
			} else if val != "" {
				facts[key] = val
			}
		}
	}
	c.Old = strings.TrimSpace("baseline " + short(facts["baseline-commit"]))
	c.New = strings.TrimSpace("experiment " + short(facts["experiment-commit"]))
	c.Looks = facts["looks"]
	c.Alpha = cmp.Or(o.Alpha, DefaultAlpha)
	if said := facts["alpha"]; said != "" && o.Alpha == 0 {
		var err error
		if c.Alpha, err = strconv.ParseFloat(said, 64); err != nil {
			return fmt.Errorf("alpha %q is no number", said)
		}
		c.Confidence = 1 - c.Alpha // the session's own: after several looks another interval holds less than it says
	}
	return nil
}

func short(commit string) string { return commit[:min(12, len(commit))] }

// A pair is two samples that were taken one after the other.
type pair [2]*sample

// paired compares the pairs that count.
func (c *cell) paired(confidence float64) (Row, error) {
	r := Row{Missing: c.missing()}
	pairs, err := c.pairs()
	if err != nil {
		return r, err
	}
	groups := map[float64][]float64{}
	for _, number := range slices.Sorted(maps.Keys(pairs)) {
		p := pairs[number]
		if !p.counts() {
			continue
		}
		restart, err := p.restart()
		if err != nil {
			return r, err
		}
		old, new := p[0].value, p[1].value
		r.Old, r.New = append(r.Old, old), append(r.New, new)
		groups[restart] = append(groups[restart], logRatio(old, new))
	}
	r.Left = len(c.arms[0].samples) + len(c.arms[1].samples) - len(r.Old) - len(r.New)
	if !c.exactly(&r) {
		r.Effect = pairedEffect(groups, confidence)
	}
	return r, nil
}

// pairedEffect is none where a pair has no ratio.
func pairedEffect(groups map[float64][]float64, confidence float64) verdict.Effect {
	var list [][]float64
	n, ratios := 0, true
	for _, restart := range slices.Sorted(maps.Keys(groups)) {
		list = append(list, groups[restart])
		n += len(groups[restart])
		ratios = ratios && !slices.ContainsFunc(groups[restart], math.IsNaN)
	}
	if !ratios {
		return verdict.Effect{Ratio: math.NaN(), Hi: math.Inf(1), P: 1, N: n, Groups: len(list)}
	}
	return verdict.Paired(list, confidence)
}

// logRatio is 0 where both are 0, and NaN where one is.
func logRatio(old, new float64) float64 {
	switch {
	case old == new:
		return 0
	case old <= 0 || new <= 0:
		return math.NaN()
	}
	return math.Log(new / old)
}

// pairs are a cell's, by number; some may have one sample only. An error begins with a line.
func (c *cell) pairs() (map[float64]*pair, error) {
	pairs := map[float64]*pair{}
	for arm := range c.arms {
		for i := range c.arms[arm].samples {
			s := &c.arms[arm].samples[i]
			number, ok := s.Value(pairUnit)
			if !ok {
				return nil, s.bad("no value of %s", pairUnit)
			}
			p := pairs[number]
			if p == nil {
				p = &pair{}
				pairs[number] = p
			}
			if p[arm] != nil {
				return nil, s.bad("%s has pair %v twice, in line %d too", toolchains[arm], number, p[arm].Line)
			}
			p[arm] = s
		}
	}
	return pairs, nil
}

func (s *sample) bad(format string, args ...any) error {
	return fmt.Errorf("%d: benchmark %s: %s", s.Line, s.Name, fmt.Sprintf(format, args...))
}

// counts reports whether a pair's samples are there and compare.
func (p *pair) counts() bool {
	if p[0] == nil || p[1] == nil || p[0].Disturbed || p[1].Disturbed {
		return false
	}
	a, _ := p[0].Value(classUnit)
	b, _ := p[1].Value(classUnit)
	return a == b
}

func (p *pair) restart() (float64, error) {
	a, ok := p[0].Value(restartUnit)
	if !ok {
		return 0, p[0].bad("no value of %s", restartUnit)
	}
	if b, _ := p[1].Value(restartUnit); a != b {
		return 0, p[1].bad("%s %v; the other sample of its pair, in line %d, has %v", restartUnit, b, p[0].Line, a)
	}
	return a, nil
}
