// Package aa tests the suite's verdicts: how often it tells identical binaries apart, and how often it finds a slowdown that was planted. A session of several arms,
// some of them alike and some slowed down, is cut into comparisons of two arms each, which are judged by the rules of pcbbench ab, look by look.
package aa

import (
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/gate"
	"pcbbench/harness/compare/verdict"
)

// An Arm is one of the session's.
type Arm struct {
	Name    string  // as in the file's key toolchain
	Percent float64 // by how much it is slower on purpose; 0: not at all
}

// A Design is how comparisons are made of a session.
type Design struct {
	Arms   []Arm
	Limits gate.Limits
	Alpha  float64 // of a comparison
	Looks  int
	Rule   compare.Rule
	Took   time.Duration // the session, all arms
}

// A Trial is one comparison.
type Trial struct {
	Arms     [2]Arm
	Budget   time.Duration // for both arms together
	Block    int           // which part of the session, from 0
	Looks    int           // at which look it was over, from 1
	Outcome  Outcome       // as pcbbench ab sees it
	Unit     string        // Slower, Faster: in which metric
	Accused  bool          // by the gate, at any look: of all metrics that have limits
	Ratio    float64       // of the rule's metric, and its interval
	Lo, Hi   float64
	Restarts int // that it saw
}

// An Outcome is what a comparison came to.
type Outcome string

// The outcomes.
const (
	Slower    Outcome = "slower"    // the second arm, in any metric
	Faster    Outcome = "faster"    // or a count differs
	Same      Outcome = "same"      // by the rule
	Undecided Outcome = "undecided" // the budget is spent
)

// Trials cuts a session's file into as many comparisons of that budget as there are: of every arm that is as it is with every one after it, in parts that do not overlap.
func (d Design) Trials(f *file.File, budget time.Duration) (trials []Trial, err error) {
	byArm, restarts, err := d.sort(f)
	if err != nil {
		return nil, err
	}
	whole := float64(d.Took) * 2 / float64(len(d.Arms)) // what two arms alone would have taken
	size := int(math.Round(float64(restarts) * float64(budget) / whole))
	if size < d.Looks {
		return nil, fmt.Errorf("comparisons of %v would have %d restarts for %d looks", budget, size, d.Looks)
	}
	for block := range restarts / size {
		for i, a := range d.Arms {
			for _, b := range d.Arms[i+1:] {
				if a.Percent != 0 {
					continue
				}
				t := Trial{Arms: [2]Arm{a, b}, Budget: budget, Block: block}
				if err := d.judge(&t, f, byArm, block*size, size); err != nil {
					return nil, err
				}
				trials = append(trials, t)
			}
		}
	}
	return trials, nil
}

// sort has f's results by arm and restart.
func (d Design) sort(f *file.File) (byArm map[string][][]*file.Result, restarts int, err error) {
	byArm = map[string][][]*file.Result{}
	for _, res := range f.Results {
		n, ok := res.Value("restart")
		if !ok || n < 1 {
			return nil, 0, fmt.Errorf("%s:%d: a result without its restart", f.Path, res.Line)
		}
		arm := res.GetConfig(file.ToolchainKey)
		for len(byArm[arm]) < int(n) {
			byArm[arm] = append(byArm[arm], nil)
		}
		byArm[arm][int(n)-1] = append(byArm[arm][int(n)-1], res)
		restarts = max(restarts, int(n))
	}
	for _, a := range d.Arms {
		if len(byArm[a.Name]) == 0 {
			return nil, 0, fmt.Errorf("%s: no results of arm %s", f.Path, a.Name)
		}
		for len(byArm[a.Name]) < restarts {
			byArm[a.Name] = append(byArm[a.Name], nil) // an interrupted session's last
		}
	}
	return byArm, restarts, nil
}

// judge looks at more and more of the restarts from first on, until t is decided or has seen size of them.
func (d Design) judge(t *Trial, f *file.File, byArm map[string][][]*file.Result, first, size int) error {
	for look, alpha := range verdict.Spend(d.Alpha, d.Looks) {
		t.Looks, t.Restarts = look+1, size*(look+1)/d.Looks
		part := &file.File{Path: f.Path, Runs: f.Runs, Units: f.Units}
		for r := first; r < first+t.Restarts; r++ {
			for i, toolchain := range []string{"baseline", "experiment"} {
				part.Results = append(part.Results, renamed(byArm[t.Arms[i].Name][r], toolchain)...)
			}
		}
		o, err := d.Limits.Options(part)
		if err != nil {
			return err
		}
		o.Alpha, o.Confidence = alpha, 1-alpha
		c, err := compare.DiffPaired(part, o)
		if err != nil {
			return err
		}
		v := gate.Judge(c, nil, d.Limits)
		t.Accused = t.Accused || len(v.Accused) > 0 || v.Code == gate.Regressed
		o.Units = nil // those of ab
		if c, err = compare.DiffPaired(part, o); err != nil {
			return err
		}
		if t.Outcome = d.outcome(t, c); t.Outcome != Undecided {
			return nil
		}
	}
	return nil
}

// renamed are results as those of arm toolchain.
func renamed(list []*file.Result, toolchain string) (out []*file.Result) {
	for _, res := range list {
		r := *res
		r.Result = &benchfmt.Result{Name: res.Name, Iters: res.Iters, Values: res.Values}
		for _, c := range res.Config {
			if c.Key != file.ToolchainKey {
				r.Config = append(r.Config, c)
			}
		}
		r.Result.SetConfig(file.ToolchainKey, toolchain)
		out = append(out, &r)
	}
	return out
}

func (d Design) outcome(t *Trial, c *compare.Comparison) Outcome {
	for _, r := range c.Rows {
		if r.Unit == d.Rule.Unit {
			t.Ratio, t.Lo, t.Hi = r.Effect.Ratio, r.Effect.Lo, r.Effect.Hi
		}
	}
	told := slices.IndexFunc(c.Rows, func(r compare.Row) bool {
		return r.Exact && r.Effect.P == 0 || !r.Exact && r.PAdj < c.Alpha
	})
	switch {
	case told >= 0 && float64(c.Rows[told].Better)*(c.Rows[told].Effect.Ratio-1) < 0:
		t.Unit = c.Rows[told].Unit
		return Slower
	case told >= 0:
		t.Unit = c.Rows[told].Unit
		return Faster
	case len(d.Rule.Open(c)) == 0:
		return Same
	}
	return Undecided
}
