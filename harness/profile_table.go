package harness

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"pcbbench/locks/witness"
)

// A column is one of LOCK_PROFILING(9), in its order. Times are shown in µs.
type column struct {
	name string
	of   func(t *witness.Times) float64
	unit string // how fmt shows it
}

var columns = []column{
	{"max", func(t *witness.Times) float64 { return us(t.MaxHeld) }, "%.3f"},
	{"wait_max", func(t *witness.Times) float64 { return us(t.MaxWait) }, "%.3f"},
	{"total", func(t *witness.Times) float64 { return us(t.Held) }, "%.0f"},
	{"wait_total", func(t *witness.Times) float64 { return us(t.Wait) }, "%.0f"},
	{"count", func(t *witness.Times) float64 { return float64(t.Count) }, "%.0f"},
	{"avg", func(t *witness.Times) float64 { return us(t.Held) / float64(max(1, t.Count)) }, "%.3f"},
	{"wait_avg", func(t *witness.Times) float64 { return us(t.Wait) / float64(max(1, t.Count)) }, "%.3f"},
	{"cnt_hold", func(t *witness.Times) float64 { return float64(t.Blocked) }, "%.0f"},
	{"cnt_lock", func(t *witness.Times) float64 { return float64(t.Waited) }, "%.0f"},
}

func us(ns int64) float64 { return float64(ns) / 1000 }

// defaultColumn is what a table is sorted by unless told otherwise: who waited most.
const defaultColumn = "wait_total"

// ProfileColumns are the names that a table may be sorted by.
func ProfileColumns() (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// calm are the samples that nothing disturbed.
func (p *Profiled) calm() []LockProfile {
	return slices.DeleteFunc(slices.Clone(p.Samples), func(lp LockProfile) bool { return lp.Disturbed != "" })
}

// sum is what was recorded in all samples.
func (p *Profiled) sum() (sites []witness.Site) {
	for i := range p.Samples {
		for _, s := range p.Samples[i].Sites {
			same := slices.IndexFunc(sites, func(o witness.Site) bool { return o.Name == s.Name && o.Class == s.Class && o.Act == s.Act })
			if same < 0 {
				sites = append(sites, s)
			} else {
				sites[same].Add(s.Times)
			}
		}
	}
	return sites
}

// Write writes the table of the sites, largest first, as many as top if that is not 0, and that of the classes.
func (p *Profiled) Write(w io.Writer, sort string, top int) error {
	i := slices.IndexFunc(columns, func(c column) bool { return c.name == cmp.Or(sort, defaultColumn) })
	if i < 0 {
		return fmt.Errorf("unknown column %q; known: %s", sort, strings.Join(ProfileColumns(), ", "))
	}
	by, sites := columns[i].of, p.sum()
	classes := Classes(sites)
	slices.SortStableFunc(sites, func(a, b witness.Site) int { return cmp.Compare(by(&b.Times), by(&a.Times)) })
	slices.SortStableFunc(classes, func(a, b Class) int { return cmp.Compare(by(&b.Times), by(&a.Times)) })
	left := 0
	if top > 0 && top < len(sites) {
		left, sites = len(sites)-top, sites[:top]
	}
	fmt.Fprintln(w, p.Name)
	if calm := p.calm(); len(calm) < len(p.Samples) {
		fmt.Fprintf(w, "(%d of %d samples were disturbed; all are summed up)\n", len(p.Samples)-len(calm), len(p.Samples))
	}
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(ProfileColumns(), "\t")+"\t name")
	for i := range sites {
		fmt.Fprintln(t, cellsOf(&sites[i].Times)+" "+describeSite(&sites[i]))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(w, "(and %d more sites)\n", left)
	}
	t = tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(ProfileColumns(), "\t")+"\tcontended\t class")
	for i := range classes {
		c := &classes[i]
		fmt.Fprintf(t, "%s%.2f%%\t %s\n", cellsOf(&c.Times), 100*c.Contended(), c.Name)
	}
	return t.Flush()
}

func cellsOf(t *witness.Times) string {
	var b strings.Builder
	for _, c := range columns {
		fmt.Fprintf(&b, c.unit+"\t", c.of(t))
	}
	return b.String()
}

// describeSite is file:line of the innermost calls, and how the lock was taken there if not exclusively.
func describeSite(s *witness.Site) string {
	text := s.Name + " (" + cmp.Or(s.Class, sections)
	switch s.Act {
	case witness.RLocked:
		text += ", shared"
	case witness.Upgraded:
		text += ", upgraded"
	case witness.Downgraded:
		text += ", downgraded"
	}
	return text + ")"
}
