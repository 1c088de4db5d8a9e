package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/machine"
	"pcbbench/harness/reclaim"
	"pcbbench/locks/smr"
)

// reclaimCmd measures what safe memory reclamation costs, and prints tables.
func reclaimCmd(ctx context.Context, args []string, std streams) error {
	o := harness.Options{Seed: 1, Folder: "reclaim"}
	fs := newFlagSet("reclaim")
	fs.DurationVar(&o.Measure, "measure", 50*time.Millisecond, "measured time of a sample; under a reader that stalls, twice as long as that does if that is more")
	fs.IntVar(&o.Processes, "processes", 5, "fresh processes over which the samples are spread")
	fs.IntVar(&o.Rounds, "rounds", 2, "samples of each setting a process")
	fs.StringVar(&o.Dir, "results", "results", "results folder")
	kinds := fs.String("smr", "all", "comma-separated kinds of reclamation, see list")
	quick := fs.Bool("quick", false, "a first table in some seconds: -processes 1 -rounds 1 -measure 20ms, where these are not given")
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if *quick {
		if !isSet(fs, "measure") {
			o.Measure = 20 * time.Millisecond
		}
		if !isSet(fs, "processes") {
			o.Processes = 1
		}
		if !isSet(fs, "rounds") {
			o.Rounds = 1
		}
	}
	if o.Processes < 1 || o.Rounds < 1 || o.Measure <= 0 {
		return errUsage{errors.New("-processes and -rounds must be at least 1, -measure more than 0")}
	}
	if err := resultsFolder(o.Dir); err != nil {
		return err
	}
	n := cpus(machine.Gather().Topology)
	if n == 1 {
		o.Notes = reclaim.OneCPU
	}
	var err error
	if o.Reclaims, err = reclaimCases(*kinds, n); err != nil {
		return errUsage{err}
	}
	return measure(ctx, std, o, func(std streams, path string) error { return reportReclaim(std, path, o.Reclaims) })
}

// reclaimCases are those of the kinds that are named.
func reclaimCases(kinds string, cpus int) ([]reclaim.Case, error) {
	cases := reclaim.Cases(cpus)
	if kinds == "all" {
		return cases, nil
	}
	names := strings.Split(kinds, ",")
	for _, name := range names {
		if _, err := smr.Find(name); err != nil {
			return nil, fmt.Errorf("-smr: %w", err)
		}
	}
	return slices.DeleteFunc(cases, func(c reclaim.Case) bool { return !slices.Contains(names, c.SMR) }), nil
}

// reportReclaim prints tables of medians, kinds as rows: of the samples that nothing disturbed, or of all where there are no others.
func reportReclaim(std streams, path string, cases []reclaim.Case) error {
	f, err := file.Load(path)
	if err != nil {
		return err
	}
	t := reclaimTables{w: tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0), f: f, cases: cases}
	t.readers()
	t.grace()
	t.writers()
	t.backlog()
	t.kinds()
	if err := t.w.Flush(); err != nil {
		return err
	}
	if n := t.disturbed(); n > 0 {
		fmt.Fprintf(std.out, "%d of %d samples were disturbed, by others on these CPUs or by the host, and count only where there are no others.\n", n, len(f.Results))
	}
	return proven(std.out, f)
}

type reclaimTables struct {
	w     *tabwriter.Writer
	f     *file.File
	cases []reclaim.Case
}

// table prints a title and a line for each kind with what cell says of it and of each of those settings of do that kinds differ by.
func (t *reclaimTables) table(title, do string, cell func(reclaim.Case) string) {
	var settings []reclaim.Case
	for _, c := range t.cases {
		c.SMR = ""
		if c.Do == do && !slices.Contains(settings, c) {
			settings = append(settings, c)
		}
	}
	fmt.Fprintln(t.w, title)
	head := "  smr"
	for _, c := range settings {
		head += "\t" + setting(c)
	}
	fmt.Fprintln(t.w, head)
	for _, k := range t.measured() {
		line := "  " + k.Name
		for _, c := range settings {
			c.SMR = k.Name
			text := "-"
			if slices.Contains(t.cases, c) {
				text = cell(c)
			}
			line += "\t" + text
		}
		fmt.Fprintln(t.w, line)
	}
	fmt.Fprintln(t.w)
}

// measured are the kinds that cases are of.
func (t *reclaimTables) measured() []smr.Kind {
	return slices.DeleteFunc(slices.Clone(smr.Kinds), func(k smr.Kind) bool {
		return !slices.ContainsFunc(t.cases, func(c reclaim.Case) bool { return c.SMR == k.Name })
	})
}

// setting is what is above a column.
func setting(c reclaim.Case) string {
	s := fmt.Sprintf("lookups=%d readers=%d", c.Lookups, c.Readers)
	if c.Do == reclaim.Update {
		s = fmt.Sprintf("readers=%d stall=%v", c.Readers, c.Stall)
	}
	return s
}

func (t *reclaimTables) readers() {
	t.table("Readers: ns a section (ns a block on its way)", reclaim.Read, func(c reclaim.Case) string {
		return t.figure(c, "ns/section", "%.1f") + " (" + t.figure(c, "ns/hop", "%.2f") + ")"
	})
}

func (t *reclaimTables) grace() {
	t.table("Grace periods, µs from unlinking a block to its being free: p50, p90, p99, longest", reclaim.Grace, func(c reclaim.Case) string {
		var text []string
		for _, unit := range []string{"grace-p50-ns", "grace-p90-ns", "grace-p99-ns", "grace-max-ns"} {
			text = append(text, t.scaled(c, unit, 1e-3, "%.1f"))
		}
		return strings.Join(text, ", ")
	})
}

func (t *reclaimTables) writers() {
	t.table("Writers: ns a block replaced, retired, and got back; readers beside it: ns a section", reclaim.Update, func(c reclaim.Case) string {
		return t.figure(c, "ns/retire", "%.0f") + "; " + t.figure(c, "ns/section", "%.0f")
	})
}

// bars draw how much of the most there is.
var bars = []rune("▁▂▃▄▅▆▇█")

func (t *reclaimTables) backlog() {
	t.table("Retired and not free, a million blocks a second replaced: the most (kB), its course over time; gc: the heap (the most of 8 looks), the collector's share of the CPU time", reclaim.Update,
		func(c reclaim.Case) string {
			if peak := t.median(c, "backlog-peak"); !math.IsNaN(peak) {
				return t.figure(c, "backlog-peak", "%.0f") + " (" + t.scaled(c, "backlog-bytes", 1e-3, "%.0f") + ") " + t.course(c, peak)
			}
			return t.scaled(c, "heap-bytes", 1e-3, "(%.0f)") + " " + t.scaled(c, "gc-cpu", 100, "%.0f%%")
		})
}

func (t *reclaimTables) course(c reclaim.Case, peak float64) (s string) {
	for i := range reclaim.Slices {
		n := t.median(c, fmt.Sprint("backlog-t", i+1))
		if math.IsNaN(n) {
			return ""
		}
		s += string(bars[min(len(bars)-1, int(float64(len(bars))*n/max(peak, 1)))])
	}
	return s
}

// kinds says of each what its reader pays and what bound there is; where it can be counted, with the number.
func (t *reclaimTables) kinds() {
	fmt.Fprintln(t.w, "Bound of what is retired and not free")
	for _, k := range t.measured() {
		bound := k.Bound
		for _, c := range t.cases {
			if n := t.median(c, "backlog-bound"); c.SMR == k.Name && !math.IsNaN(n) {
				bound = fmt.Sprintf("%.0f here; %s", n, bound)
				break
			}
		}
		fmt.Fprintf(t.w, "  %s\t%s\n", k.Name, bound)
	}
	fmt.Fprintln(t.w)
}

func (t *reclaimTables) figure(c reclaim.Case, unit, format string) string {
	return t.scaled(c, unit, 1, format)
}

// scaled is "-" where there is no figure, as in a run that was ended early.
func (t *reclaimTables) scaled(c reclaim.Case, unit string, by float64, format string) string {
	v := t.median(c, unit)
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf(format, v*by)
}

// disturbed is how many samples were.
func (t *reclaimTables) disturbed() (n int) {
	for _, r := range t.f.Results {
		if r.Disturbed {
			n++
		}
	}
	return n
}

// median is that of a case's undisturbed samples, or of all if all were disturbed; NaN if there is none.
func (t *reclaimTables) median(c reclaim.Case, unit string) float64 {
	var calm, vs []float64
	for _, r := range t.f.Results {
		if string(r.Name) != c.Name() {
			continue
		}
		for _, val := range r.Values {
			if v, u := file.Written(val); u == unit {
				vs = append(vs, v)
				if !r.Disturbed {
					calm = append(calm, v)
				}
			}
		}
	}
	if len(calm) > 0 {
		vs = calm
	}
	if len(vs) == 0 {
		return math.NaN()
	}
	slices.Sort(vs)
	return (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2
}
