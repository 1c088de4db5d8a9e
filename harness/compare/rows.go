package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/verdict"
)

// Options say what is compared, and how. The zero value is all defaults.
type Options struct {
	Row        string   // projection, as benchstat's -row: what names a row; "" is the whole name, ordered by DefaultRow
	Table      string   // projection: what tells tables apart, the unit aside; "" is pkg
	Filter     string   // as benchstat's -filter; "" is all
	Units      []string // as they stand in the file; none are DefaultUnits or, where no result has one of these, all
	Alpha      float64  // level of significance of all rows together; 0 is what a file of pairs says, or DefaultAlpha
	Confidence float64  // of intervals; 0 is what goes with the level that a file of pairs says, or DefaultConfidence
}

// Defaults of Options.
const (
	DefaultRow = "/mix@alpha /workers@num /work@num /scheme@alpha /lock@alpha /conns@num /batch@num /dispatch@alpha /affinity@alpha /pin@alpha /roles@alpha /arrivals@alpha /load@num /rate@num .fullname"

	DefaultAlpha      = 0.01
	DefaultConfidence = 0.95
)

// DefaultUnits are what a segment costs, and what its latency is.
var DefaultUnits = []string{"ns/seg", "p99-ns", "lat-p99-ns"}

// A Row is one metric of one benchmark in both arms.
type Row struct {
	Table, Name, Unit string         // Table and Name are keys as "key=value"; Unit as it stands in the file
	Old, New          []float64      // undisturbed samples in the file's order, of pairs in the order of their numbers
	Left              int            // samples of both arms that were left out: disturbed or, of pairs, without a partner of the same class
	Exact             bool           // the unit is exact: Effect.P is 0 if each arm has one value and they differ, else 1
	Better            int            // -1 lower, +1 higher, 0 not said
	Effect            verdict.Effect // new over old
	PAdj              float64        // Effect.P, corrected by Holm's method for the number of rows that are tested
	Missing           string         // the arm that has no such row, "old" or "new"; else ""
}

// tested reports whether r is one of the rows that the correction counts.
func (r *Row) tested() bool { return r.Missing == "" && !r.Exact && r.Effect.N > 0 }

// A Comparison is all of two arms. Rows are in the order of tables, units and row keys; each row of either arm is there.
type Comparison struct {
	Old, New          string // what the arms are called
	Rows              []Row
	Alpha, Confidence float64
	Paired            bool   // by DiffPaired
	Looks             string // of pairs: which look at the growing data this is, as "3 of 4"; "" if nobody says
	Tested            int    // rows that Holm's correction counts
	Differ            []Difference
	Geomeans          []Geomean
	Warnings          []string // what a reader must know, Differ aside; one sentence each
}

// Significant reports whether r's arms differ.
func (c *Comparison) Significant(r *Row) bool {
	return r.Missing == "" && (r.Exact && r.Effect.P == 0 || r.tested() && r.PAdj < c.Alpha)
}

// Left is how many samples were left out in all rows.
func (c *Comparison) Left() (n int) {
	for i := range c.Rows {
		n += c.Rows[i].Left
	}
	return n
}

// Diff compares two files. An error says in one sentence why there is nothing to compare, or what o asks for in vain.
func Diff(old, new *file.File, o Options) (*Comparison, error) {
	c := &Comparison{Old: old.Path, New: new.Path, Differ: differences(old.Runs, new.Runs)}
	for _, f := range []*file.File{old, new} {
		c.warnOfEnd(f)
		if armsOf(f) > 1 {
			return nil, fmt.Errorf("%s holds both arms of a comparison (pcbbench ab): compare it alone", f.Path)
		}
	}
	col, err := newCollector(o, old, new)
	if err != nil {
		return nil, err
	}
	for arm, f := range []*file.File{old, new} {
		for _, r := range f.Results {
			if err := col.add(arm, r); err != nil {
				return nil, err
			}
		}
		if !col.seen[arm] {
			return nil, fmt.Errorf("%s has no result of unit %s that the filter lets through", f.Path, strings.Join(col.units, " or "))
		}
	}
	c.Alpha = cmp.Or(o.Alpha, DefaultAlpha)
	return c, c.finish(o, col, (*cell).unpaired)
}

// warnOfEnd says which runs of f did not come to their end.
func (c *Comparison) warnOfEnd(f *file.File) {
	for _, r := range f.Runs {
		if !r.Ended {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s:%d: the run that begins here did not come to its end: it was interrupted, or the file is cut off.", f.Path, r.Line))
		}
	}
}

// armsOf is how many toolchains f's results name.
func armsOf(f *file.File) int {
	var seen []string
	for _, r := range f.Results {
		if t := r.Toolchain(); !slices.Contains(seen, t) {
			seen = append(seen, t)
		}
	}
	return len(seen)
}

// finish makes the rows of what was collected; compare finds the samples that count, and the effect in them.
func (c *Comparison) finish(o Options, col *collector, compare func(*cell, float64) (Row, error)) error {
	c.Confidence = cmp.Or(o.Confidence, c.Confidence, DefaultConfidence)
	if !(c.Alpha > 0 && c.Alpha < 1) || !(c.Confidence > 0 && c.Confidence < 1) {
		return fmt.Errorf("alpha %v, confidence %v; want both between 0 and 1", c.Alpha, c.Confidence)
	}
	both := false
	for _, cell := range col.sorted() {
		row, err := compare(cell, c.Confidence)
		if err != nil {
			return err
		}
		row.Table, row.Name, row.Unit, row.Better = keyText(cell.table), keyText(cell.row), cell.unit, col.meta.GetBetter(cell.unit)
		both = both || row.Missing == ""
		c.warn(cell, &row)
		c.Rows = append(c.Rows, row)
	}
	if !both {
		return fmt.Errorf("no benchmark is in both arms: %s has only such as %s, %s has not", c.Old, c.Rows[0].Name, c.New)
	}
	c.correct()
	c.warnOfPlacement(col)
	c.geomeans()
	return nil
}

// correct fills in PAdj.
func (c *Comparison) correct() {
	var p []float64
	for i := range c.Rows {
		if c.Rows[i].tested() {
			p = append(p, c.Rows[i].Effect.P)
		}
	}
	c.Tested = len(p)
	adjusted := verdict.Holm(p)
	for i := range c.Rows {
		r := &c.Rows[i]
		if r.PAdj = r.Effect.P; r.tested() {
			r.PAdj, adjusted = adjusted[0], adjusted[1:]
		}
	}
}

// warn says what is odd about a row.
func (c *Comparison) warn(cell *cell, r *Row) {
	say := func(format string, args ...any) {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s, %s: ", r.Name, r.Unit)+fmt.Sprintf(format, args...)+".")
	}
	old, new := &cell.arms[0], &cell.arms[1]
	if r.Missing == "" && old.residue != new.residue {
		say("%s is compared with %s", old.samples[0].Name, new.samples[0].Name)
	}
	switch {
	case r.Missing != "":
	case len(r.Old) == 0 || len(r.New) == 0:
		say("of %d and %d samples %d and %d are left", len(old.samples), len(new.samples), len(r.Old), len(r.New))
	case r.Exact && r.varies():
		say("values of one arm differ where they should be exact, which tells nothing of the other arm")
	case math.IsNaN(r.Effect.Ratio):
		say("there is no ratio to a value of 0")
	}
}
