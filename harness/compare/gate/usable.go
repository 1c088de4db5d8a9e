package gate

import (
	"fmt"
	"slices"

	"pcbbench/harness/compare"
)

// maxLeft is the share of samples that may have been left out before the machine counts as unfit.
const maxLeft = 0.3

// complete looks for units that every row of their benchmark must have and that one lacks in both arms, where it would not be missed.
func (v *Verdict) complete(c *compare.Comparison, limits Limits) {
	type name struct{ table, name string }
	units := map[name][]string{}
	var names []name
	for _, r := range c.Rows {
		n := name{r.Table, r.Name}
		if units[n] == nil {
			names = append(names, n)
		}
		units[n] = append(units[n], r.Unit)
	}
	for _, n := range names {
		for _, l := range limits {
			if l.Benchmark == base(n.name) && !l.Optional && !slices.Contains(units[n], l.Unit) {
				v.add(Finding{Kind: Unusable, Table: n.table, Name: n.name, Unit: l.Unit, Text: "is in neither arm, and must not be missing"})
			}
		}
	}
}

// refused files a row that cannot be judged, and reports whether it is one.
func (v *Verdict) refused(r *row) bool {
	kind, why := Unusable, ""
	switch {
	case r.Missing != "":
		why = fmt.Sprintf("is missing from the %s arm", r.Missing)
	case len(r.Old) == 0 || len(r.New) == 0:
		kind, why = CannotTell, "has no undisturbed sample in one of the arms"
	case r.Exact && !r.limit.Exact:
		why = fmt.Sprintf("is exact by its results, and its limit is %s", r.limit)
	case !r.Exact && r.limit.Exact:
		why = "has the limit exact, and its results do not declare it assume=exact"
	case r.Exact && (varies(r.Old) || varies(r.New)):
		kind, why = CannotTell, "should be exact, and varies from sample to sample of one arm"
	case !r.Exact && r.Better == 0:
		why = "has a limit, and its results do not say which direction is better"
	default:
		return false
	}
	v.add(r.finding(kind, "%s", why))
	return true
}

func varies(v []float64) bool { return slices.Min(v) != slices.Max(v) }

// disturbed looks at how many samples of a run were left out.
func (v *Verdict) disturbed(run string, rows []*row) {
	var left, all int
	for _, r := range rows {
		if !r.limit.Exact {
			left += r.Left
			all += r.Left + len(r.Old) + len(r.New)
		}
	}
	if share := float64(left) / float64(all); share > maxLeft {
		v.add(Finding{Kind: CannotTell, Text: fmt.Sprintf("%.0f%% of the %s run's samples were disturbed and left out, more than %.0f%%: the machine was not fit to measure on",
			100*share, run, 100*maxLeft)})
	}
}
