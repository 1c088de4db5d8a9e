package main

import (
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/compare/file"
	"pcbbench/harness/reclaim"
)

// TestReclaim runs the smallest real measurement of reclamation, with as many processors as there are and with one: of a kind that protects sections, of one that
// protects blocks, and of the collector.
func TestReclaim(t *testing.T) {
	missing := regexp.MustCompile(`(?m)^  (gus|refcount) .*-$`)
	for _, procs := range []int{min(2, runtime.NumCPU()), 1} {
		dir := t.TempDir()
		code, out, errs := onProcs(t, procs, "reclaim", "-results", dir, "-measure", "2ms", "-processes", "1", "-rounds", "1", "-smr", "gus,refcount,gc")
		if code != exitOK {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		seen := map[string]bool{}
		for _, r := range results(t, filepath.Join(dir, "reclaim")) {
			seen[string(r.Name)] = true
		}
		cases, err := reclaimCases("gus,refcount,gc", procs)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if !seen[c.Name()] {
				t.Errorf("%d processors: no result for %s", procs, c.Name())
			}
		}
		if len(seen) != len(cases) {
			t.Errorf("%d processors: %d results, want %d", procs, len(seen), len(cases))
		}
		if told := strings.Contains(errs, reclaim.OneCPU); told != (procs == 1) {
			t.Errorf("%d processors: it is told that there is one: %v", procs, told)
		}
		// Readers, grace periods, writers, backlog and bounds have a row of each kind; of the collector there is no grace period to be told.
		for kind, rows := range map[string]int{"gus": 5, "refcount": 5, "gc": 5, "hazard": 0} {
			if n := strings.Count(out, "\n  "+kind+" "); n != rows {
				t.Errorf("%d processors: %d rows of %s, want %d:\n%s", procs, n, kind, rows, out)
			}
		}
		// Only of the collector there may be nothing to tell: it has no grace periods, and no turn in a short sample.
		if strings.Contains(out, "NaN") || missing.MatchString(out) {
			t.Errorf("figures are missing:\n%s", out)
		}
	}
}

// TestReclaimQuick: what is given stands beside -quick, and each sample says whether it was disturbed.
func TestReclaimQuick(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := onProcs(t, 1, "reclaim", "-results", dir, "-quick", "-rounds", "2", "-measure", "2ms", "-smr", "gc")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	cases, err := reclaimCases("gc", 1)
	if err != nil {
		t.Fatal(err)
	}
	list := results(t, filepath.Join(dir, "reclaim"))
	if want := 2 * len(cases); len(list) != want {
		t.Errorf("%d results, want %d", len(list), want)
	}
	disturbed := 0
	for _, r := range list {
		bad, ok := r.Value("disturbed")
		if !ok {
			t.Errorf("%s does not say whether it was disturbed", r.Name)
		}
		disturbed += int(bad)
	}
	if told := strings.Contains(out, " samples were disturbed"); told != (disturbed > 0) {
		t.Errorf("%d disturbed, told: %v\n%s", disturbed, told, out)
	}
}

// TestReclaimMedian: disturbed samples count where there are no others.
func TestReclaimMedian(t *testing.T) {
	c := reclaim.Case{SMR: "gus", Do: reclaim.Read, Lookups: 1, Readers: 1, Pin: "none"}
	sample := func(v float64, disturbed bool) *file.Result {
		return &file.Result{Result: &benchfmt.Result{Name: benchfmt.Name(c.Name()), Values: []benchfmt.Value{{Value: v, Unit: "ns/section"}}}, Disturbed: disturbed}
	}
	rows := reclaimTables{f: &file.File{Results: []*file.Result{sample(9, true), sample(3, false), sample(5, true)}}}
	if got := rows.median(c, "ns/section"); got != 3 {
		t.Errorf("got %v", got)
	}
	rows.f.Results[1].Disturbed = true
	if got := rows.median(c, "ns/section"); got != 5 || rows.disturbed() != 3 {
		t.Errorf("all disturbed: got %v", got)
	}
}
