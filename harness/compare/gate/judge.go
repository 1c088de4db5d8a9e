// Package gate decides whether a change may pass: whether a comparison shows a regression, shows that there is none, or shows neither.
//
// A regression is a row that is worse by its limit or more, that is told apart at the comparison's level after Holm's correction over all rows that gate, and that
// is both again in a second run of the accused rows alone. Counts that are exact need neither: any change for the worse is one. The gate fails
// closed: what is missing, contradicts itself or is too uncertain to exclude a regression does not pass. Geometric means do not gate.
package gate

import (
	"slices"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/verdict"
)

// Judge holds first to limits, and what that accuses to second. second is nil while there has been no second run; it may have more rows than the
// accused ones, which are not looked at.
func Judge(first, second *compare.Comparison, limits Limits) *Verdict {
	v := &Verdict{Findings: []Finding{}, Accused: []string{}}
	rows := gating(first, limits)
	v.complete(first, limits)
	for _, d := range first.Differ {
		if d.Level == compare.Warned {
			v.add(Finding{Kind: Noted, Text: d.String()})
		}
	}
	classes := classesOf(first)
	var accused []*row
	for _, r := range rows {
		switch {
		case v.refused(r):
		case r.limit.Exact:
			v.exact(r)
		case classes.differ(r):
			v.add(r.finding(CannotTell, "cannot be compared: most samples of the arms were taken with the CPUs in different places (%s)", ClassUnit))
		case r.regressed():
			accused = append(accused, r)
		default:
			v.measured(r)
		}
	}
	v.disturbed("first", rows)
	v.again(accused, second)
	return v.conclude(rows, limits)
}

// gating are the rows of c that have a limit, with p adjusted for their number.
func gating(c *compare.Comparison, limits Limits) (rows []*row) {
	for i := range c.Rows {
		if l := limits.find(base(c.Rows[i].Name), c.Rows[i].Unit); l != nil {
			rows = append(rows, &row{Row: &c.Rows[i], limit: *l, alpha: c.Alpha})
		}
	}
	adjust(rows)
	return rows
}

// adjust is Holm's correction over those of rows that are tested.
func adjust(rows []*row) {
	var family []*row
	var p []float64
	for _, r := range rows {
		if !r.limit.Exact {
			family, p = append(family, r), append(p, r.Effect.P)
		}
	}
	for i, adj := range verdict.Holm(p) {
		family[i].pAdj = adj
	}
}

// significant reports whether the arms were told apart.
func (r *row) significant() bool { return r.pAdj < r.alpha }

// worse is by which share a ratio is to the bad.
func (r *row) worse(ratio float64) float64 {
	if r.Better > 0 {
		return 1 - ratio
	}
	return ratio - 1
}

// worst is the bound of the interval that is more to the bad.
func (r *row) worst() float64 { return max(r.worse(r.Effect.Lo), r.worse(r.Effect.Hi)) }

// regressed reports whether the row is worse by its limit or more, for certain.
func (r *row) regressed() bool { return r.significant() && r.worse(r.Effect.Ratio) >= r.limit.Least }

// uncertain reports whether there may be a regression as large as the limit. Without an interval there may.
func (r *row) uncertain() bool { return !r.bounded() || r.worst() >= r.limit.Least }

// measured files a row that is not accused.
func (v *Verdict) measured(r *row) {
	worse := r.worse(r.Effect.Ratio)
	switch {
	case r.uncertain():
		v.add(r.finding(CannotTell, "%s: a regression of %s is not excluded", r.effect(), r.limit))
	case r.significant() && worse > 0:
		v.add(r.finding(Within, "%s", r.measured()))
	case r.significant() && -worse >= r.limit.Least:
		v.add(r.finding(Improvement, "%s", r.measured()))
	}
}

// again holds the accused to the second run.
func (v *Verdict) again(accused []*row, second *compare.Comparison) {
	if second == nil {
		for _, r := range accused {
			v.add(r.finding(Accused, "%s, in one run", r.measured()))
		}
		return
	}
	var firsts, seconds []*row
	for _, r := range accused {
		i := slices.IndexFunc(second.Rows, func(s compare.Row) bool { return s.Table == r.Table && s.Name == r.Name && s.Unit == r.Unit })
		if i < 0 {
			v.add(r.finding(Unusable, "%s, and the second run does not have it", r.measured()))
			continue
		}
		firsts = append(firsts, r)
		seconds = append(seconds, &row{Row: &second.Rows[i], limit: r.limit, alpha: second.Alpha})
	}
	adjust(seconds)
	classes := classesOf(second)
	for i, s := range seconds {
		v.confirm(firsts[i], s, classes)
	}
	v.disturbed("second", seconds)
}

// confirm files an accused row by what the second run says of it.
func (v *Verdict) confirm(r, s *row, classes classes) {
	switch {
	case v.refused(s):
	case classes.differ(s):
		v.add(r.finding(CannotTell, "%s; most samples of the second run's arms were taken with the CPUs in different places (%s)", r.measured(), ClassUnit))
	case s.regressed():
		v.add(r.finding(Regression, "%s, seen again in the second run (%s)", r.measured(), s.effect()))
	case s.uncertain():
		v.add(r.finding(CannotTell, "%s; the second run neither shows nor excludes it (%s)", r.measured(), s.effect()))
	default:
		v.add(r.finding(NotConfirmed, "%s in the first run; the second excludes it (%s)", r.measured(), s.effect()))
	}
}
