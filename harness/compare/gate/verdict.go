package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Exit codes of verdicts. Of several that apply the first counts, in the order 2, 1, 3.
const (
	Passed       = 0
	Regressed    = 1
	NotUsable    = 2
	Undetermined = 3
)

// A Verdict is what Judge comes to.
type Verdict struct {
	Code     int       `json:"code"`
	Sentence string    `json:"sentence"` // what was found
	Advice   string    `json:"advice"`   // what to do
	Findings []Finding `json:"findings"` // the worst first
	Accused  []string  `json:"accused"`  // full names of the benchmarks that a second run must measure, if the verdict waits for one
}

func (v *Verdict) add(f Finding) { v.Findings = append(v.Findings, f) }

// conclude puts the findings in order and words the verdict over rows.
func (v *Verdict) conclude(rows []*row, limits Limits) *Verdict {
	if len(rows) == 0 {
		v.add(Finding{Kind: Unusable, Text: fmt.Sprintf("no result has a metric that gates: there are limits for %s", limits.names())})
	}
	slices.SortStableFunc(v.Findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind))
	})
	n := map[Kind]int{}
	for _, f := range v.Findings {
		n[f.Kind]++
	}
	switch {
	case n[Unusable] > 0:
		v.say(NotUsable, fmt.Sprintf("Unusable: %s; nothing has passed.", count(n[Unusable], "thing is not as it must be", "things are not as they must be")),
			"Measure both arms whole, by the same matrix, or mend what is named above.")
	case n[Regression] > 0:
		v.say(Regressed, fmt.Sprintf("Regression in %d of %s.", n[Regression], figures(rows)),
			"Mend it or, if it is worth its price, raise its limit in a reviewed change that says why.")
	case n[Accused] > 0:
		v.Accused = v.names(Accused)
		v.say(Undetermined, fmt.Sprintf("Cannot tell yet: one run accuses %d of %s.", n[Accused], figures(rows)),
			"Accused, run it again: measure these benchmarks once more in both arms, and give that run as the second.")
	case n[CannotTell] > 0:
		v.say(Undetermined, fmt.Sprintf("Cannot tell: no regression is proven, and %s room for one.", count(n[CannotTell], "finding leaves", "findings leave")),
			"Measure again, longer or on a quieter machine.")
	default:
		v.say(Passed, fmt.Sprintf("No regression in %s.%s", figures(rows), limits.unasked(rows)), "Nothing is left to do.")
	}
	return v
}

func (v *Verdict) say(code int, sentence, advice string) {
	v.Code, v.Sentence, v.Advice = code, sentence, advice
}

// names are the rows of the findings of kind k, each benchmark once.
func (v *Verdict) names(k Kind) (names []string) {
	for _, f := range v.Findings {
		if f.Kind == k && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// figures says how much was judged.
func figures(rows []*row) string {
	names := map[string]bool{}
	for _, r := range rows {
		names[r.Name] = true
	}
	return fmt.Sprintf("%s of %s", count(len(rows), "figure", "figures"), count(len(names), "benchmark", "benchmarks"))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// names lists the benchmarks that have limits.
func (ls Limits) names() string {
	var names []string
	for _, l := range ls {
		if !slices.Contains(names, l.Benchmark) {
			names = append(names, l.Benchmark)
		}
	}
	return strings.Join(names, ", ")
}

// unasked names the limits that held nothing, so that nobody takes them for passed.
func (ls Limits) unasked(rows []*row) string {
	var idle []string
	for _, l := range ls {
		if !slices.ContainsFunc(rows, func(r *row) bool { return r.limit == l }) {
			idle = append(idle, l.Benchmark+" "+l.Unit)
		}
	}
	if len(idle) == 0 {
		return ""
	}
	return fmt.Sprintf(" Neither arm has %s.", strings.Join(idle, ", "))
}
