package gate

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/verdict"
)

const testLimits = `
Input ns/seg     2%
Input segs/s     2%    optional
Input p99-ns     10%   optional
Input allocs/seg exact
Exact locks/seg  exact
Exact folds/seg  exact optional
`

// timed is a row of 2 × 10 samples with a ratio, its interval and its p. Lower is better.
func timed(name, unit string, ratio, lo, hi, p float64) compare.Row {
	return compare.Row{Name: name, Unit: unit, Old: make([]float64, 10), New: make([]float64, 10), Better: -1,
		Effect: verdict.Effect{Ratio: ratio, Lo: lo, Hi: hi, P: p, N: 10}}
}

// counted is a row of an exact metric. Lower is better.
func counted(name, unit string, old, new float64) compare.Row {
	e := verdict.Effect{Ratio: new / old, N: 2}
	if old == new {
		e.P = 1
	}
	return compare.Row{Name: name, Unit: unit, Old: []float64{old, old}, New: []float64{new, new}, Better: -1, Exact: true, Effect: e}
}

// but is r after a change.
func but(r compare.Row, change func(*compare.Row)) compare.Row {
	change(&r)
	return r
}

func comparison(rows ...compare.Row) *compare.Comparison {
	return &compare.Comparison{Rows: slices.Clone(rows), Alpha: 0.01, Confidence: 0.99}
}

// input is a whole benchmark with that time a segment.
func input(name string, ratio, lo, hi, p float64) []compare.Row {
	return []compare.Row{timed(name, "ns/seg", ratio, lo, hi, p), counted(name, "allocs/seg", 0, 0)}
}

// places is where the samples' CPUs were.
func places(name string, old, new []float64) compare.Row {
	return compare.Row{Name: name, Unit: ClassUnit, Old: old, New: new}
}

func rows(parts ...[]compare.Row) (all []compare.Row) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func one(r compare.Row) []compare.Row { return []compare.Row{r} }

// calm is a row in which nothing is found, slow one that is accused; steady a figure of another benchmark that changes nothing.
var (
	calm   = input("Input/scheme=calm", 1, 0.99, 1.01, 0.9)
	slow   = input("Input/scheme=slow", 1.05, 1.04, 1.06, 0.0001)
	steady = one(counted("Exact/scheme=smr", "locks/seg", 1.5, 1.5))
)

const accusedSlow = "accused: Input/scheme=slow: ns/seg +5.0% [+4.0%, +6.0%], adjusted p 0.0002, limit 2%, in one run"

// many are so many calm rows.
func many(n int) (all []compare.Row) {
	for i := range n {
		all = append(all, input("Input/n="+string(rune('a'+i)), 1, 0.99, 1.01, 0.9)...)
	}
	return all
}

func TestJudge(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]struct {
		first, second []compare.Row // second: nil is no second run
		code          int
		findings      []string // whole lines, or how they begin if they end in …
	}{
		"nothing":                 {first: rows(calm, steady), code: Passed},
		"no limit, no gate":       {first: rows(calm, one(timed("Input/scheme=calm", "walk-ns", 2, 1.9, 2.1, 0))), code: Passed},
		"other benchmark's limit": {first: rows(calm, one(counted("Input/scheme=calm", "locks/seg", 1, 2))), code: Passed},

		// A regression needs all of significance, size, direction and a second run.
		"slower, one run":        {first: rows(calm, slow), code: Undetermined, findings: []string{accusedSlow}},
		"slower, twice":          {first: rows(calm, slow), second: slow, code: Regressed, findings: []string{"regression: Input/scheme=slow: ns/seg +5.0% [+4.0%, +6.0%], adjusted p 0.0002, limit 2%, seen again in the second run (+5.0% [+4.0%, +6.0%])"}},
		"significant and small":  {first: rows(calm, input("Input/s", 1.01, 1.005, 1.015, 0)), code: Passed, findings: []string{"within limit: Input/s: ns/seg +1.0% [+0.5%, +1.5%], adjusted p below 0.0001, limit 2%"}},
		"small, another's limit": {first: rows(calm, one(timed("Input/scheme=calm", "p99-ns", 1.05, 1.02, 1.08, 0))), code: Passed, findings: []string{"within limit: Input/scheme=calm: p99-ns …"}},
		"large and not significant": {first: rows(calm, input("Input/s", 1.05, 0.98, 1.12, 0.2)), code: Undetermined,
			findings: []string{"cannot tell: Input/s: ns/seg +5.0% [-2.0%, +12.0%]: a regression of 2% is not excluded"}},
		"faster":                            {first: rows(calm, input("Input/s", 0.9, 0.89, 0.91, 0)), code: Passed, findings: []string{"improvement: Input/s: ns/seg -10.0% …"}},
		"slower, not significant and small": {first: rows(calm, input("Input/s", 1.005, 0.99, 1.015, 0.5)), code: Passed},
		"faster, not significant":           {first: rows(calm, input("Input/s", 0.9, 0.8, 1.01, 0.1)), code: Passed},
		"faster, not by enough":             {first: rows(calm, input("Input/s", 0.99, 0.985, 0.995, 0)), code: Passed},
		"lower where higher is better": {first: rows(calm, one(but(timed("Input/scheme=calm", "segs/s", 0.9, 0.89, 0.91, 0), higher))), code: Undetermined,
			findings: []string{"accused: Input/scheme=calm: segs/s -10.0% …"}},
		"higher where higher is better": {first: rows(calm, one(but(timed("Input/scheme=calm", "segs/s", 1.1, 1.09, 1.11, 0), higher))), code: Passed,
			findings: []string{"improvement: Input/scheme=calm: segs/s +10.0% …"}},

		// Holm, over what gates and over nothing else.
		"significant alone, not among many": {first: rows(many(12), input("Input/s", 1.05, 1.01, 1.09, 0.001)), code: Undetermined,
			findings: []string{"cannot tell: Input/s: ns/seg +5.0% …"}},
		"significant among few that gate": {first: rows(many(8), input("Input/s", 1.05, 1.01, 1.09, 0.001), one(timed("Other", "ns/seg", 1, 0.99, 1.01, 0.5)), one(timed("Other", "x", 1, 0.99, 1.01, 0.5))), code: Undetermined,
			findings: []string{"accused: Input/s: ns/seg +5.0% [+1.0%, +9.0%], adjusted p 0.0090, limit 2%, in one run"}},
		"the file's own correction does not count": {first: rows(calm, one(but(slow[0], func(r *compare.Row) { r.PAdj = 1 })), slow[1:]), code: Undetermined, findings: []string{accusedSlow}},
		"second run corrected for the accused alone": {
			first:  rows(many(8), input("Input/s", 1.05, 1.04, 1.06, 0), input("Input/t", 1.05, 1.04, 1.06, 0)),
			second: rows(many(8), input("Input/s", 1.05, 1.04, 1.06, 0.004), input("Input/t", 1.05, 1.04, 1.06, 0.004)),
			code:   Regressed, findings: []string{"regression: Input/s: …", "regression: Input/t: …"}},
		"second run corrected for all accused": {
			first:  rows(calm, input("Input/s", 1.05, 1.04, 1.06, 0), input("Input/t", 1.05, 1.04, 1.06, 0)),
			second: rows(input("Input/s", 1.05, 1.01, 1.09, 0.006), input("Input/t", 1.05, 1.01, 1.09, 0.006)),
			code:   Undetermined, findings: []string{"cannot tell: Input/s: …", "cannot tell: Input/t: …"}},

		// What the second run may say.
		"second run disagrees": {first: rows(calm, slow), second: input("Input/scheme=slow", 1, 0.99, 1.01, 0.9), code: Passed,
			findings: []string{"not confirmed: Input/scheme=slow: ns/seg +5.0% [+4.0%, +6.0%], adjusted p 0.0002, limit 2% in the first run; the second excludes it (+0.0% [-1.0%, +1.0%])"}},
		"second run shows less": {first: rows(calm, slow), second: input("Input/scheme=slow", 1.01, 1.005, 1.015, 0), code: Passed, findings: []string{"not confirmed: Input/scheme=slow: …"}},
		"second run faster":     {first: rows(calm, slow), second: input("Input/scheme=slow", 0.95, 0.94, 0.96, 0), code: Passed, findings: []string{"not confirmed: Input/scheme=slow: …"}},
		"second run too wide": {first: rows(calm, slow), second: input("Input/scheme=slow", 1, 0.9, 1.1, 0.9), code: Undetermined,
			findings: []string{"cannot tell: Input/scheme=slow: ns/seg +5.0% [+4.0%, +6.0%], adjusted p 0.0002, limit 2%; the second run neither shows nor excludes it (+0.0% [-10.0%, +10.0%])"}},
		"second run lacks it": {first: rows(calm, slow), second: calm, code: NotUsable,
			findings: []string{"unusable: Input/scheme=slow: ns/seg +5.0% [+4.0%, +6.0%], adjusted p 0.0002, limit 2%, and the second run does not have it"}},
		"second run lacks an arm": {first: rows(calm, slow), second: one(missing(slow[0], "new")), code: NotUsable,
			findings: []string{"unusable: Input/scheme=slow: ns/seg is missing from the new arm"}},
		"second run's table is another": {first: rows(calm, slow), second: one(but(slow[0], func(r *compare.Row) { r.Table = "pkg: b" })), code: NotUsable,
			findings: []string{"unusable: Input/scheme=slow: …"}},
		"second run has more metrics": {first: rows(calm, slow), second: rows(one(timed("Input/scheme=slow", "p99-ns", 1, 0.99, 1.01, 1)), slow), code: Regressed,
			findings: []string{"regression: Input/scheme=slow: ns/seg …"}},
		"second run elsewhere": {first: rows(calm, slow), second: rows(slow, one(places("Input/scheme=slow", []float64{1, 1}, []float64{2, 2}))), code: Undetermined,
			findings: []string{"cannot tell: Input/scheme=slow: ns/seg +5.0% [+4.0%, +6.0%], adjusted p 0.0002, limit 2%; most samples of the second run's arms were taken with the CPUs in different places (pingpong-class)"}},
		"second run disturbed": {first: rows(calm, slow), second: one(but(input("Input/scheme=slow", 1, 0.99, 1.01, 0.9)[0], left(10))), code: Undetermined,
			findings: []string{"cannot tell: 33% of the second run's samples were …", "not confirmed: Input/scheme=slow: …"}},
		"second run, nobody accused": {first: calm, second: slow, code: Passed},

		// Exact metrics: at once, and at all.
		"exact, varies": {first: rows(calm, one(but(counted("Exact/s", "locks/seg", 1.5, 1.5), func(r *compare.Row) { r.New[1] = 2 }))), code: Undetermined,
			findings: []string{"cannot tell: Exact/s: locks/seg should be exact, and varies from sample to sample of one arm"}},
		"exact, worse":  {first: rows(calm, one(counted("Exact/s", "locks/seg", 1.5, 1.5001))), code: Regressed, findings: []string{"regression: Exact/s: locks/seg 1.5 → 1.5001, exact"}},
		"exact, better": {first: rows(calm, one(counted("Exact/s", "locks/seg", 1.5, 1.4))), code: Passed, findings: []string{"improvement: Exact/s: locks/seg 1.5 → 1.4, exact"}},
		"exact, higher is better": {first: rows(steady, one(but(counted("Exact/scheme=smr", "folds/seg", 3, 2), higher))), code: Regressed,
			findings: []string{"regression: Exact/scheme=smr: folds/seg 3 → 2, exact"}},
		"exact, higher and better": {first: rows(steady, one(but(counted("Exact/scheme=smr", "folds/seg", 2, 3), higher))), code: Passed,
			findings: []string{"improvement: Exact/scheme=smr: folds/seg 2 → 3, exact"}},
		"exact, direction not said": {first: rows(steady, one(but(counted("Exact/scheme=smr", "folds/seg", 3, 2), direction(0)))), code: Passed,
			findings: []string{"changed: Exact/scheme=smr: folds/seg 3 → 2, exact; its results do not say which is better"}},
		"exact, from nothing": {first: rows(calm[:1], one(counted("Input/scheme=calm", "allocs/seg", 0, 0.01))), code: Regressed, findings: []string{"regression: Input/scheme=calm: allocs/seg 0 → 0.01, exact"}},
		"exact by its limit alone": {first: rows(calm, one(but(steady[0], func(r *compare.Row) { r.Exact = false }))), code: NotUsable,
			findings: []string{"unusable: Exact/scheme=smr: locks/seg has the limit exact, and its results do not declare it assume=exact"}},
		"exact by its results alone": {first: rows(calm[1:], one(but(calm[0], func(r *compare.Row) { r.Exact = true }))), code: NotUsable,
			findings: []string{"unusable: Input/scheme=calm: ns/seg is exact by its results, and its limit is 2%"}},
		"exact, does not count for Holm": {first: rows(many(8), input("Input/s", 1.05, 1.01, 1.09, 0.001), steady), code: Undetermined, findings: []string{"accused: Input/s: …"}},

		// Fails closed.
		"no row":           {code: NotUsable, findings: []string{"unusable: no result has a metric that gates: there are limits for Input, Exact"}},
		"no row gates":     {first: one(timed("Other/s", "ns/seg", 1, 1, 1, 1)), code: NotUsable, findings: []string{"unusable: no result has a metric that gates: …"}},
		"missing in new":   {first: rows(calm, one(missing(slow[0], "new")), slow[1:]), code: NotUsable, findings: []string{"unusable: Input/scheme=slow: ns/seg is missing from the new arm"}},
		"missing in old":   {first: rows(calm, one(missing(slow[0], "old")), slow[1:]), code: NotUsable, findings: []string{"unusable: Input/scheme=slow: ns/seg is missing from the old arm"}},
		"exact missing":    {first: rows(calm, one(missing(steady[0], "new"))), code: NotUsable, findings: []string{"unusable: Exact/scheme=smr: locks/seg is missing from the new arm"}},
		"optional missing": {first: rows(calm, one(missing(timed("Input/scheme=calm", "p99-ns", 1, 1, 1, 1), "new"))), code: NotUsable, findings: []string{"unusable: Input/scheme=calm: p99-ns is missing from the new arm"}},
		"in neither arm":   {first: rows(calm, slow[1:]), code: NotUsable, findings: []string{"unusable: Input/scheme=slow: ns/seg is in neither arm, and must not be missing"}},
		"in neither arm of one table": {first: rows(calm, one(but(calm[0], func(r *compare.Row) { r.Table = "pkg: b" }))), code: NotUsable,
			findings: []string{"unusable: Input/scheme=calm (pkg: b): allocs/seg is in neither arm, and must not be missing"}},
		"direction not said":  {first: rows(calm[1:], one(but(calm[0], direction(0)))), code: NotUsable, findings: []string{"unusable: Input/scheme=calm: ns/seg has a limit, and its results do not say which direction is better"}},
		"all disturbed":       {first: rows(calm, one(but(slow[0], func(r *compare.Row) { r.New, r.Effect = nil, verdict.Unpaired(r.Old, nil, 0.99) })), slow[1:]), code: Undetermined, findings: []string{"cannot tell: Input/scheme=slow: ns/seg has no undisturbed sample in one of the arms"}},
		"exact all disturbed": {first: rows(calm, one(but(steady[0], func(r *compare.Row) { r.Old = nil }))), code: Undetermined, findings: []string{"cannot tell: Exact/scheme=smr: locks/seg has no undisturbed sample in one of the arms"}},

		// Cannot tell.
		"wide to the bad side":                    {first: input("Input/s", 1, 0.99, 1.021, 0.9), code: Undetermined, findings: []string{"cannot tell: Input/s: ns/seg +0.0% [-1.0%, +2.1%]: a regression of 2% is not excluded"}},
		"wide to the good side":                   {first: input("Input/s", 0.97, 0.9, 1.019, 0.1), code: Passed},
		"higher is better, wide":                  {first: rows(calm, one(but(timed("Input/scheme=calm", "segs/s", 1, 0.97, 1.01, 0.9), higher))), code: Undetermined, findings: []string{"cannot tell: Input/scheme=calm: segs/s …"}},
		"higher is better, wide to the good side": {first: rows(calm, one(but(timed("Input/scheme=calm", "segs/s", 1.02, 0.99, 1.05, 0.9), higher))), code: Passed},
		"significant, small, wide":                {first: input("Input/s", 1.015, 1.001, 1.03, 0), code: Undetermined, findings: []string{"cannot tell: Input/s: ns/seg +1.5% …"}},
		"no interval":                             {first: input("Input/s", 1, 0, inf, 1), code: Undetermined, findings: []string{"cannot tell: Input/s: ns/seg +0.0% without an interval: a regression of 2% is not excluded"}},
		"no upper bound, higher is better": {first: rows(calm, one(but(timed("Input/scheme=calm", "segs/s", 1, 0.99, inf, 1), higher))), code: Undetermined,
			findings: []string{"cannot tell: Input/scheme=calm: segs/s +0.0% without an interval: …"}},
		"NaN": {first: input("Input/s", nan, nan, nan, nan), code: Undetermined, findings: []string{"cannot tell: Input/s: …"}},
		"NaN bounds": {first: rows(input("Input/s", 1, 0.99, nan, 0.5), input("Input/t", 1, nan, 1.01, 0.5), input("Input/u", nan, 0.99, 1.01, 0.5)), code: Undetermined,
			findings: []string{"cannot tell: Input/s: …", "cannot tell: Input/t: …", "cannot tell: Input/u: ns/seg has no ratio: …"}},
		"other places": {first: rows(calm, slow, one(places("Input/scheme=slow", []float64{1, 1, 2}, []float64{2, 2, 1}))), second: slow, code: Undetermined,
			findings: []string{"cannot tell: Input/scheme=slow: ns/seg cannot be compared: most samples of the arms were taken with the CPUs in different places (pingpong-class)"}},
		"other places, of another row":         {first: rows(calm, slow, one(places("Other/scheme=slow", []float64{1}, []float64{2}))), code: Undetermined, findings: []string{accusedSlow}},
		"no place dominates":                   {first: rows(calm, slow, one(places("Input/scheme=slow", []float64{1, 2}, []float64{2, 2}))), code: Undetermined, findings: []string{accusedSlow}},
		"the same places":                      {first: rows(calm, slow, one(places("Input/scheme=slow", []float64{2, 2, 1}, []float64{2, 2}))), code: Undetermined, findings: []string{accusedSlow}},
		"too many disturbed":                   {first: rows(one(but(calm[0], left(9))), calm[1:]), code: Undetermined, findings: []string{"cannot tell: 31% of the first run's samples were disturbed and left out, more than 30%: the machine was not fit to measure on"}},
		"many disturbed":                       {first: rows(one(but(calm[0], left(8))), calm[1:]), code: Passed},
		"many disturbed in one row of several": {first: rows(many(3), one(but(calm[0], left(20))), calm[1:]), code: Passed},
		"disturbed does not matter to counts":  {first: rows(calm, one(but(steady[0], left(1000)))), code: Passed},

		// Which comes first.
		"unusable before regression":    {first: rows(one(missing(calm[0], "new")), calm[1:], slow), second: slow, code: NotUsable, findings: []string{"unusable: Input/scheme=calm: …", "regression: Input/scheme=slow: …"}},
		"regression before cannot tell": {first: rows(input("Input/wide", 1, 0.9, 1.1, 1), slow), second: slow, code: Regressed, findings: []string{"regression: Input/scheme=slow: …", "cannot tell: Input/wide: …"}},
		"exact regression before accused": {first: rows(slow, one(counted("Exact/s", "locks/seg", 1, 2))), code: Regressed,
			findings: []string{"regression: Exact/s: …", "accused: Input/scheme=slow: …"}},
		"one of two confirmed": {first: rows(slow, input("Input/t", 1.05, 1.04, 1.06, 0)), second: rows(slow, input("Input/t", 1, 0.99, 1.01, 1)), code: Regressed,
			findings: []string{"regression: Input/scheme=slow: …", "not confirmed: Input/t: …"}},
		"accused before cannot tell": {first: rows(input("Input/wide", 1, 0.9, 1.1, 1), slow), code: Undetermined, findings: []string{"accused: Input/scheme=slow: …", "cannot tell: Input/wide: …"}},
		"cannot tell before passed":  {first: rows(input("Input/wide", 1, 0.9, 1.1, 1), input("Input/fast", 0.9, 0.89, 0.91, 0)), code: Undetermined, findings: []string{"cannot tell: Input/wide: …", "improvement: Input/fast: …"}},
	} {
		t.Run(name, func(t *testing.T) {
			var second *compare.Comparison
			if c.second != nil {
				second = comparison(c.second...)
			}
			v := Judge(comparison(c.first...), second, limitsOf(t, testLimits))
			if v.Code != c.code {
				t.Errorf("exit code %d, want %d: %s", v.Code, c.code, v.Sentence)
			}
			var got []string
			for _, f := range v.Findings {
				got = append(got, f.String())
			}
			if !alike(got, c.findings) {
				t.Errorf("findings\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.findings, "\n  "))
			}
		})
	}
}

func higher(r *compare.Row) { r.Better = 1 }

func direction(better int) func(*compare.Row) { return func(r *compare.Row) { r.Better = better } }

func left(n int) func(*compare.Row) { return func(r *compare.Row) { r.Left = n } }

func missing(r compare.Row, arm string) compare.Row {
	r.Missing = arm
	r.Effect = verdict.Effect{Ratio: math.NaN(), Hi: math.Inf(1), P: 1}
	return r
}

func limitsOf(t *testing.T, text string) Limits {
	t.Helper()
	ls, err := Parse("limits", text)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// alike compares lines with what they are or how they begin.
func alike(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	for i, w := range want {
		if begin, cut := strings.CutSuffix(w, "…"); got[i] != w && !(cut && strings.HasPrefix(got[i], begin)) {
			return false
		}
	}
	return true
}

// TestVerdicts checks what each verdict says and asks for.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		first, second    []compare.Row
		sentence, advice string
		accused          []string
	}{
		{rows(calm, steady), nil, "No regression in 3 figures of 2 benchmarks. Neither arm has Input segs/s, Input p99-ns, Exact folds/seg.", "Nothing is left to do.", []string{}},
		{rows(calm, slow), slow, "Regression in 1 of 4 figures of 2 benchmarks.", "Mend it or, if it is worth its price, raise its limit in a reviewed change that says why.", []string{}},
		{nil, nil, "Unusable: 1 thing is not as it must be; nothing has passed.", "Measure both arms whole, by the same matrix, or mend what is named above.", []string{}},
		{rows(calm, slow, one(timed("Input/scheme=slow", "p99-ns", 2, 1.9, 2.1, 0))), nil, "Cannot tell yet: one run accuses 2 of 5 figures of 2 benchmarks.",
			"Accused, run it again: measure these benchmarks once more in both arms, and give that run as the second.", []string{"Input/scheme=slow"}},
		{input("Input/s", 1, 0, 9, 1), nil, "Cannot tell: no regression is proven, and 1 finding leaves room for one.", "Measure again, longer or on a quieter machine.", []string{}},
		{rows(slow, one(missing(calm[0], "old")), calm[1:]), nil, "Unusable: 1 thing is not as it must be; nothing has passed.", "Measure both arms whole, by the same matrix, or mend what is named above.", []string{}},
	} {
		var second *compare.Comparison
		if c.second != nil {
			second = comparison(c.second...)
		}
		v := Judge(comparison(c.first...), second, limitsOf(t, testLimits))
		if v.Sentence != c.sentence || v.Advice != c.advice || !reflect.DeepEqual(v.Accused, c.accused) {
			t.Errorf("%q\n%q\n%q, want\n%q\n%q\n%q", v.Sentence, v.Advice, v.Accused, c.sentence, c.advice, c.accused)
		}
	}
}

// TestNotes checks that facts that only one arm tells are told, and nothing else of the facts: what must not differ is refused before.
func TestNotes(t *testing.T) {
	c := comparison(calm...)
	c.Differ = []compare.Difference{{Key: "cpu", Old: "a", New: compare.Unsaid, Level: compare.Warned}, {Key: "torture", Old: "x", New: "y", Level: compare.Said}}
	v := Judge(c, nil, limitsOf(t, testLimits))
	if len(v.Findings) != 1 || v.Code != Passed || v.Findings[0].String() != `note: `+c.Differ[0].String() {
		t.Errorf("code %d, %v", v.Code, v.Findings)
	}
}

// TestReached checks that the limit itself counts, of the estimate and of the interval.
func TestReached(t *testing.T) {
	limits := limitsOf(t, "Input ns/seg 25%")
	for r, want := range map[*compare.Row]Kind{
		new(timed("Input", "ns/seg", 1.25, 1.2, 1.3, 0)): Accused,
		new(timed("Input", "ns/seg", 1, 0.9, 1.25, 1)):   CannotTell,
	} {
		if v := Judge(comparison(*r), nil, limits); len(v.Findings) != 1 || v.Findings[0].Kind != want {
			t.Errorf("%v %v: %v, want %s", r.Effect.Ratio, r.Effect.Hi, v.Findings, want)
		}
	}
}

// TestLevel checks that each run is held to its own level: what looks at growing data have spent is in it.
func TestLevel(t *testing.T) {
	first, second := comparison(slow...), comparison(slow...)
	limits := limitsOf(t, testLimits)
	second.Alpha = 0.00001
	second.Rows[0].Effect.Lo = 0.9
	if v := Judge(first, second, limits); v.Code == Regressed {
		t.Error("the second run's own level is not looked at")
	}
	first.Alpha = 0.00001
	if v := Judge(first, nil, limits); len(v.Accused) > 0 {
		t.Error("the first run's own level is not looked at")
	}
}

func TestWrite(t *testing.T) {
	v := Judge(comparison(rows(slow, one(but(counted("Exact/a|b", "locks/seg", 1, 2), func(r *compare.Row) { r.Table = "pkg: x" })))...), nil, limitsOf(t, testLimits))
	for format, want := range map[string]string{
		"text": `regression: Exact/a|b (pkg: x): locks/seg 1 → 2, exact
accused: Input/scheme=slow: ns/seg +5.0% [+4.0%, +6.0%], adjusted p 0.0001, limit 2%, in one run
Regression in 1 of 3 figures of 2 benchmarks.
Mend it or, if it is worth its price, raise its limit in a reviewed change that says why.
`,
		"markdown": `**Regression in 1 of 3 figures of 2 benchmarks.** Mend it or, if it is worth its price, raise its limit in a reviewed change that says why.

| finding | benchmark | metric | |
|---|---|---|---|
| regression | Exact/a\|b pkg: x | locks/seg | 1 → 2, exact |
| accused | Input/scheme=slow | ns/seg | +5.0% [+4.0%, +6.0%], adjusted p 0.0001, limit 2%, in one run |
`,
	} {
		var b strings.Builder
		if err := v.Write(&b, format); err != nil || b.String() != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", format, err, &b, want)
		}
	}
	var b strings.Builder
	var again Verdict
	if err := v.Write(&b, "json"); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.String()), &again); err != nil || !reflect.DeepEqual(&again, v) {
		t.Errorf("json: %v, comes back as %+v, want %+v", err, again, *v)
	}
	if err := v.Write(&b, "nothere"); err == nil || !strings.Contains(err.Error(), "text, markdown, json") {
		t.Errorf("an unknown format is told as %v", err)
	}
}
