package gate

import (
	"fmt"
	"math"

	"pcbbench/harness/compare"
)

// A Kind is what a finding says of a row. The worst come first.
type Kind string

// The kinds of findings, in the order in which they are listed.
const (
	Unusable     Kind = "unusable"      // the input does not say what it must
	Regression   Kind = "regression"    // seen twice, or exact
	Accused      Kind = "accused"       // seen once; a second run must show it again
	CannotTell   Kind = "cannot tell"   // there may be a regression
	NotConfirmed Kind = "not confirmed" // accused by the first run, and not by the second
	Within       Kind = "within limit"  // worse for certain, by less than counts
	Changed      Kind = "changed"       // exact, and nobody says which direction is better
	Improvement  Kind = "improvement"   // better by the least effect or more
	Noted        Kind = "note"          // about the runs, and no reason against them
)

var kinds = []Kind{Unusable, Regression, Accused, CannotTell, NotConfirmed, Within, Changed, Improvement, Noted}

// A Finding is one thing that the gate has to say, of a row unless Name is empty.
type Finding struct {
	Kind  Kind   `json:"kind"`
	Table string `json:"table"`
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Text  string `json:"text"`
}

// String is the finding as a line.
func (f Finding) String() string {
	switch {
	case f.Name == "":
		return fmt.Sprintf("%s: %s", f.Kind, f.Text)
	case f.Table == "":
		return fmt.Sprintf("%s: %s: %s %s", f.Kind, f.Name, f.Unit, f.Text)
	}
	return fmt.Sprintf("%s: %s (%s): %s %s", f.Kind, f.Name, f.Table, f.Unit, f.Text)
}

// measured is the text of a measured row.
func (r *row) measured() string {
	return fmt.Sprintf("%s, adjusted p %s, limit %s", r.effect(), adjusted(r.pAdj), r.limit)
}

// effect is the row's effect and its interval.
func (r *row) effect() string {
	e := r.Effect
	switch {
	case math.IsNaN(e.Ratio):
		return "has no ratio"
	case !r.bounded():
		return percent(e.Ratio) + " without an interval"
	}
	return fmt.Sprintf("%s [%s, %s]", percent(e.Ratio), percent(e.Lo), percent(e.Hi))
}

// percent is what a ratio is more than 1.
func percent(ratio float64) string { return fmt.Sprintf("%+.1f%%", 100*(ratio-1)) }

func adjusted(p float64) string {
	if p < 0.0001 {
		return "below 0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}

// bounded reports whether there is an interval at all.
func (r *row) bounded() bool {
	e := r.Effect
	return !math.IsInf(e.Hi, 1) && !math.IsNaN(e.Ratio) && !math.IsNaN(e.Lo) && !math.IsNaN(e.Hi)
}

// a row is a compare.Row that gates.
type row struct {
	*compare.Row
	limit Limit
	pAdj  float64 // over the rows that gate in its run and are not exact
	alpha float64
}

func (r *row) finding(k Kind, format string, args ...any) Finding {
	return Finding{Kind: k, Table: r.Table, Name: r.Name, Unit: r.Unit, Text: fmt.Sprintf(format, args...)}
}
