package lockbench

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// A Record is one sample as a results file has it.
type Record struct {
	Name      string // as Case.Name has it
	Values    map[string]float64
	Disturbed bool
}

// legend is what a reader must know before the tables.
const legend = `Workers think, take the lock, work, let go. Locks stand in the order of their throughput; each figure is the median of the samples that nothing disturbed.
  locks/s   sections a second, all workers together            over       CPU time a section beyond the same load with no lock: taking it, waiting, moving its lines
  hand-off  from one worker's letting go to the next's being   wait       from arriving at the lock to being in: half the sections wait no longer than p50, all but one
            in, where that one waited                                     in a hundred no longer than p99
  jain      1: all workers had as many sections; 1/workers: one had all. In the long run, in windows of 64 and 8 sections a worker, in milliseconds, and by time held
  streak    how long one worker kept the lock to itself        starve     how long others had it between two turns of one worker (p90: 90% of sections, or of
            such time, were in none longer, where lengths are rounded down to powers of two)
  full      share of the time that all workers were under way, be it by turns where CPUs are fewer: below 0.8 (*) there was less contention than workers
Throughput, over, jain, streak and starve are measured without time stamps; hand-off, wait, the other indices and full with them, at some tens of ns a section.
`

// A column is a metric with its heading.
type column struct {
	head, unit string
	show       func(float64) string
}

// tables are what stands under each load.
var tables = []struct {
	title   string
	columns []column
}{
	{"Throughput and waiting", []column{{"locks/s", "locks/s", rate}, {"over", "over-ns", duration}, {"hand-off p50", "handoff-p50-ns", duration}, {"p99", "handoff-p99-ns", duration},
		{"wait p50", "wait-p50-ns", duration}, {"p99", "wait-p99-ns", duration}, {"p99.9", "wait-p99.9-ns", duration}, {"max", "wait-max-ns", duration},
		{"contended", "contended", index}, {"retries/read", "retries/read", index}, {"bytes", "B/lock", whole}}},
	{"Fairness", []column{{"jain", "jain", index}, {"64/worker", "jain-64w", index}, {"8/worker", "jain-8w", index}, {"1 ms", "jain-1ms", index}, {"held", "jain-hold", index},
		{"streak p90", "ns/streak-p90", duration}, {"max", "ns/streak-p100", duration}, {"starve p90", "ns/starve-p90", duration}, {"max", "ns/starve-p100", duration},
		{"full", "full", share}}},
}

// A standing is one lock under one load.
type standing struct {
	lock, load string
	calm, all  map[string][]float64 // values of undisturbed samples, and of all
}

// Report writes the tables that people read: for each load one of throughput and one of fairness.
func Report(w io.Writer, records []Record) error {
	var b strings.Builder
	b.WriteString(legend)
	list := standings(records)
	for _, load := range loadsOf(list) {
		here := slices.DeleteFunc(slices.Clone(list), func(s *standing) bool { return s.load != load })
		slices.SortStableFunc(here, func(x, y *standing) int { return cmp.Compare(y.median("locks/s"), x.median("locks/s")) })
		fmt.Fprintf(&b, "\n== %s\n", strings.ReplaceAll(load, "/", ", "))
		for _, t := range tables {
			b.WriteString("\n")
			if err := write(&b, t.title, present(t.columns, here), here); err != nil {
				return err
			}
		}
	}
	if n := disturbed(records); n > 0 {
		fmt.Fprintf(&b, "\n%d of %d samples were disturbed, by others on these CPUs or by the host. Rows marked ~ have no other.\n", n, len(records))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// standings are those of records, in the order in which they appear.
func standings(records []Record) (list []*standing) {
	known := map[string]*standing{}
	for _, r := range records {
		s := known[r.Name]
		if s == nil {
			s = &standing{calm: map[string][]float64{}, all: map[string][]float64{}}
			s.lock, s.load = split(r.Name)
			known[r.Name] = s
			list = append(list, s)
		}
		for unit, v := range r.Values {
			s.all[unit] = append(s.all[unit], v)
			if !r.Disturbed {
				s.calm[unit] = append(s.calm[unit], v)
			}
		}
	}
	return list
}

// split takes a name apart: the lock with its policy, and the load.
func split(name string) (lock, load string) {
	parts := strings.SplitN(name, "/", 4)
	if len(parts) < 4 {
		return name, ""
	}
	return strings.TrimPrefix(parts[1], "lock=") + " " + strings.TrimPrefix(parts[2], "policy="), parts[3]
}

// loadsOf are the loads of list, fewest workers first.
func loadsOf(list []*standing) (loads []string) {
	for _, s := range list {
		if !slices.Contains(loads, s.load) {
			loads = append(loads, s.load)
		}
	}
	slices.SortStableFunc(loads, func(x, y string) int { return cmp.Compare(workersOf(x), workersOf(y)) })
	return loads
}

func workersOf(load string) (n int) {
	_, _ = fmt.Sscanf(load, "workers=%d", &n) // 0 for what is no load of ours
	return n
}

// median is that of the undisturbed samples, or of all if there are none; NaN without any.
func (s *standing) median(unit string) float64 {
	values := s.calm[unit]
	if len(s.calm) == 0 {
		values = s.all[unit]
	}
	if len(values) == 0 {
		return math.NaN()
	}
	values = slices.Sorted(slices.Values(values))
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// present are the columns that some lock has a value for.
func present(columns []column, list []*standing) (some []column) {
	for _, c := range columns {
		if slices.ContainsFunc(list, func(s *standing) bool { return len(s.all[c.unit]) > 0 }) {
			some = append(some, c)
		}
	}
	return some
}

// write writes a table, its figures flush right.
func write(w io.Writer, title string, columns []column, list []*standing) error {
	width := len(title)
	for _, s := range list {
		width = max(width, len(s.lock)+2)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "%-*s\t", width, title)
	for _, c := range columns {
		fmt.Fprintf(tw, "%s\t", c.head)
	}
	for _, s := range list {
		name := s.lock
		if len(s.calm) == 0 {
			name += " ~"
		}
		fmt.Fprintf(tw, "\n%-*s\t", width, name)
		for _, c := range columns {
			text := ""
			if v := s.median(c.unit); !math.IsNaN(v) {
				text = c.show(v)
			}
			fmt.Fprintf(tw, "%s\t", text)
		}
	}
	fmt.Fprintln(tw)
	return tw.Flush()
}

func disturbed(records []Record) (n int) {
	for _, r := range records {
		if r.Disturbed {
			n++
		}
	}
	return n
}

// rate shows so many a second.
func rate(v float64) string {
	switch {
	case v >= 999_500:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 999.5:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}

// duration shows ns.
func duration(v float64) string {
	switch {
	case v >= 999_500:
		return fmt.Sprintf("%.3gms", v/1e6)
	case v >= 999.5:
		return fmt.Sprintf("%.3gµs", v/1e3)
	}
	return fmt.Sprintf("%.0fns", v)
}

func index(v float64) string { return fmt.Sprintf("%.3f", v) }

func whole(v float64) string { return fmt.Sprintf("%.0f", v) }

// share marks what is too low.
func share(v float64) string {
	if v < lowFull {
		return fmt.Sprintf("%.2f*", v)
	}
	return fmt.Sprintf("%.2f ", v)
}
