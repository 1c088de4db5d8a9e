package compare

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

// Formats are the names that Writer knows.
var Formats = []string{"text", "csv", "json", "markdown"}

// Writer is what writes a Comparison in a format, nil if there is none of that name.
func Writer(format string) func(*Comparison, io.Writer) error {
	return map[string]func(*Comparison, io.Writer) error{
		"text": (*Comparison).WriteText, "csv": (*Comparison).WriteCSV, "json": (*Comparison).WriteJSON, "markdown": (*Comparison).WriteMarkdown,
	}[format]
}

// Verdict is a row's in a word: faster or slower for times and rates, better or worse for other units, more or less where nobody says which is
// better, and "~" where the arms are not told apart.
func (c *Comparison) Verdict(r *Row) string {
	ratio := r.Effect.Ratio
	switch {
	case r.Missing == "old":
		return "only in new"
	case r.Missing == "new":
		return "only in old"
	case r.Effect.N == 0:
		return "no samples"
	case !c.Significant(r):
		return "~"
	case ratio == 1 || math.IsNaN(ratio):
		return "differs"
	}
	better, worse := "better", "worse"
	if _, tidy := benchunit.Tidy(1, r.Unit); strings.Contains(tidy, "sec") || strings.HasSuffix(tidy, "/s") {
		better, worse = "faster", "slower"
	}
	switch {
	case r.Better == 0 && ratio > 1:
		return "more"
	case r.Better == 0:
		return "less"
	case (ratio > 1) == (r.Better > 0):
		return better
	}
	return worse
}

// A block is the rows of one table and unit, as people read them.
type block struct {
	table, unit string
	rows        []*Row     // that are in both arms
	lines       [][]string // cells of rows
	means       [][]string
	missing     []string // "only in old: " and which
}

// columns are the heads of a block's cells.
func (c *Comparison) columns(b *block) []string {
	n := "n"
	if c.Paired {
		n = "pairs in restarts"
	}
	return []string{b.unit, "old", "new", fmt.Sprintf("new over old [%v%% interval]", round(100*c.Confidence)), "p", n, ""}
}

// round drops what a float64 adds to a decimal fraction.
func round(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// blocks are c's rows for people: units and values with prefixes as benchstat has them, names without the words that all have.
func (c *Comparison) blocks(common []string) (list []*block) {
	for i := range c.Rows {
		r := &c.Rows[i]
		if i == 0 || r.Table != c.Rows[i-1].Table || r.Unit != c.Rows[i-1].Unit {
			_, tidy := benchunit.Tidy(1, r.Unit)
			list = append(list, &block{table: r.Table, unit: tidy, means: c.means(r.Table, r.Unit)})
		}
		b := list[len(list)-1]
		cells := c.cells(r, common)
		if r.Missing != "" {
			b.missing = append(b.missing, c.Verdict(r)+": "+cells[0])
			continue
		}
		b.rows = append(b.rows, r)
		b.lines = append(b.lines, cells)
	}
	return list
}

func (c *Comparison) means(table, unit string) (lines [][]string) {
	for _, g := range c.Geomeans {
		if g.Table == table && g.Unit == unit {
			lines = append(lines, []string{strings.TrimSpace("geomean " + g.Group), "", "", percentage(g.Ratio), "", fmt.Sprintf("%d rows", g.Rows), ""})
		}
	}
	return lines
}

// common are the words that the names of all rows have, where there are several.
func (c *Comparison) common() (words []string) {
	words = strings.Fields(c.Rows[0].Name)
	several := false
	for _, r := range c.Rows {
		fields := strings.Fields(r.Name)
		words = slices.DeleteFunc(words, func(w string) bool { return !slices.Contains(fields, w) })
		several = several || r.Name != c.Rows[0].Name
	}
	if !several {
		return nil
	}
	return words
}

// cells are what stands on a row's line.
func (c *Comparison) cells(r *Row, common []string) []string {
	name := slices.DeleteFunc(strings.Fields(r.Name), func(w string) bool { return slices.Contains(common, w) })
	old, new := c.summary(r, r.Old), c.summary(r, r.New)
	_, tidy := benchunit.Tidy(1, r.Unit)
	scale := benchunit.CommonScale(centers(old, new), benchunit.ClassOf(tidy))
	return []string{strings.Join(name, " "), spell(old, scale, r.Exact), spell(new, scale, r.Exact), r.effect(), r.probability(), c.number(r), c.Verdict(r)}
}

// summary is an arm's, nil if it has no sample.
func (c *Comparison) summary(r *Row, samples []float64) *benchmath.Summary {
	if len(samples) == 0 {
		return nil
	}
	var tidied []float64
	for _, v := range samples {
		t, _ := benchunit.Tidy(v, r.Unit)
		tidied = append(tidied, t)
	}
	th := benchmath.DefaultThresholds
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(tidied, &th), c.Confidence)
	return &s
}

func centers(sums ...*benchmath.Summary) (list []float64) {
	for _, s := range sums {
		if s != nil {
			list = append(list, s.Center)
		}
	}
	return list
}

func spell(s *benchmath.Summary, scale benchunit.Scaler, exact bool) string {
	switch {
	case s == nil:
		return "-"
	case exact:
		return benchunit.NoOpScaler.Format(s.Center)
	}
	return scale.Format(s.Center) + " ± " + s.PctRangeString()
}

// effect is r's with its interval.
func (r *Row) effect() string {
	e := r.Effect
	switch {
	case e.N == 0:
		return ""
	case r.Exact:
		return percentage(e.Ratio)
	case !r.bounded():
		return percentage(e.Ratio) + " " + noInterval
	}
	return fmt.Sprintf("%s [%s, %s]", percentage(e.Ratio), percentage(e.Lo), percentage(e.Hi))
}

// bounded reports whether there is an interval.
func (r *Row) bounded() bool { return r.Effect.Lo > 0 && !math.IsInf(r.Effect.Hi, 1) }

// noInterval stands where there were too few samples for one.
const noInterval = "[none]"

// percentage is what a ratio is more than 1.
func percentage(ratio float64) string {
	if math.IsNaN(ratio) {
		return "?"
	}
	return strings.Replace(fmt.Sprintf("%+.2f%%", 100*(ratio-1)), "+Inf", "+∞", 1)
}

func (r *Row) probability() string {
	switch {
	case r.Effect.N == 0:
		return ""
	case r.Exact && r.varies():
		return "varies"
	case r.Exact:
		return "exact"
	case r.PAdj < 0.001:
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", r.PAdj)
}

func (c *Comparison) number(r *Row) string {
	switch {
	case c.Paired && r.Effect.Groups > 0:
		return fmt.Sprintf("%d in %d", r.Effect.N, r.Effect.Groups)
	case len(r.Old) == len(r.New):
		return fmt.Sprint(len(r.Old))
	}
	return fmt.Sprintf("%d+%d", len(r.Old), len(r.New))
}

// warnings are all sentences that a reader must know.
func (c *Comparison) warnings() (list []string) {
	for _, d := range c.Differ {
		switch d.Level {
		case Refused:
			list = append(list, d.String()+": such results do not compare.")
		case Warned:
			list = append(list, d.String()+".")
		}
	}
	return append(list, c.Warnings...)
}

// notes say how the verdicts came about and what was left out.
func (c *Comparison) notes() (list []string) {
	differ := 0
	for i := range c.Rows {
		if c.Significant(&c.Rows[i]) {
			differ++
		}
	}
	list = append(list, fmt.Sprintf("%d of %d rows differ: p < %v after Holm's correction (rows tested: %d), or exact values that are not the same.", differ, len(c.Rows), c.Alpha, c.Tested))
	if c.Looks != "" {
		list = append(list, fmt.Sprintf("This is look %s at the growing data; each look has its share of the significance level.", c.Looks))
	}
	if n := c.Left(); n > 0 && c.Paired {
		list = append(list, fmt.Sprintf("%d values were left out: disturbed, or without a partner on CPUs that lay alike.", n))
	} else if n > 0 {
		list = append(list, fmt.Sprintf("%d values were left out as disturbed.", n))
	}
	if slices.ContainsFunc(c.Rows, func(r Row) bool { return strings.HasSuffix(r.effect(), noInterval) }) {
		list = append(list, noInterval+": too few samples for an interval.")
	}
	return list
}
