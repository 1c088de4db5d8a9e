package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/compare/history"
	"pcbbench/harness/machine"
)

// past puts 12 runs into results/<slug>, the last 6 of which take a fifth longer, and returns the results folder and the files.
func past(t *testing.T, slug string) (results string, paths []string) {
	t.Helper()
	results = t.TempDir()
	for i := range 12 {
		ns := 500.0 + float64(i)
		if i >= 6 {
			ns *= 1.2
		}
		var b strings.Builder
		for _, kv := range machine.Gather().Stable() {
			fmt.Fprintf(&b, "%s: %s\n", kv.Key, kv.Value)
		}
		fmt.Fprintf(&b, "date: 2026-11-%02dT12:00:00Z\ncommit: %08x%032x\ndirty: no\ntorture: passed\nUnit ns/seg better=lower\n", i+1, 0xabc00000+i, 0)
		for k := range 3 {
			fmt.Fprintf(&b, "BenchmarkInput/scheme=smr/mix=rpc 1 %v ns/seg 0 disturbed\n", ns+float64(k))
		}
		paths = append(paths, filepath.Join(results, slug, fmt.Sprintf("202611%02dT120000-%012x.txt", i+1, i)))
		write(t, paths[i], b.String())
	}
	return results, paths
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestHistory follows a change through all formats, and a machine that is not this one.
func TestHistory(t *testing.T) {
	results, paths := past(t, machine.Gather().Slug())
	write(t, filepath.Join(results, "torture", "a.txt"), "torture: passed\n")
	code, out, errs := pcbbench(t, "history", "-results", results, "-row", "/scheme")
	if code != exitOK || errs != "" {
		t.Errorf("exit code %d, %q", code, errs)
	}
	for _, want := range []string{"12 runs of 12 files", "\nsmr  ", "worse: +21.4%", "last good abc000050000, first bad abc000060000", "1 change in 1 series: 1 worse, 0 better"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if code, out, _ := pcbbench(t, "history", "-results", results, "-format", "csv"); code != exitOK || strings.Count(out, "\n") != 13 || strings.Count(out, ",worse,") != 1 {
		t.Errorf("CSV: exit code %d\n%s", code, out)
	}
	code, out, _ = pcbbench(t, "history", "-results", results, "-format", "json")
	var h history.History
	if err := json.Unmarshal([]byte(out), &h); code != exitOK || err != nil || len(h.Series[0].Changes) != 1 || h.Series[0].Changes[0].At != 6 {
		t.Errorf("JSON: exit code %d, %v\n%s", code, err, out)
	}
	write(t, paths[3], "BenchmarkInput/scheme=smr")
	if code, out, errs := pcbbench(t, "history", "-results", results); code != exitUsage || out != "" || !oneLine(errs, paths[3]+":1: ") {
		t.Errorf("a broken file: exit code %d, %q, %q", code, out, errs)
	}
	bad := filepath.Base(paths[3])
	if code, out, _ := pcbbench(t, "history", "-results", results, "-skip-bad", bad); code != exitOK || !strings.Contains(out, "Left out as asked: "+bad) {
		t.Errorf("without it: exit code %d\n%s", code, out)
	}
	for _, other := range []string{"one", "two"} {
		write(t, filepath.Join(results, other, "a.txt"), "")
	}
	if code, _, errs := pcbbench(t, "history", "-results", results, "-machine", "three"); code != exitUsage || !oneLine(errs, `"three"`, "one, two") {
		t.Errorf("an unknown machine: exit code %d, %q", code, errs)
	}
}

// TestBaseline makes a baseline of a good file, and none of others.
func TestBaseline(t *testing.T) {
	slug := machine.Gather().Slug()
	results, paths := past(t, slug)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{paths[0]}, "-why"},
		{[]string{"-why", "x"}, "results file is missing"},
		{[]string{"-why", "x", filepath.Join(results, "none.txt")}, "none.txt"},
	} {
		if code, out, errs := pcbbench(t, append([]string{"baseline", "-results", results}, c.args...)...); code != exitUsage || out != "" || !oneLine(errs, c.says) {
			t.Errorf("%q: exit code %d, %q, %q", c.args, code, out, errs)
		}
	}
	code, out, errs := pcbbench(t, "baseline", "-results", results, "-why", "a start", paths[0])
	if code != exitOK || errs != "" || !oneLine(out, paths[0], "before: none") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
	if path, err := history.Baseline(results, slug); err != nil || path != paths[0] {
		t.Errorf("the baseline is %q, %v", path, err)
	}
	write(t, paths[1], strings.Replace(read(t, paths[1]), "\nthreads: ", "\nthreads: 1", 1))
	if code, _, errs := pcbbench(t, "baseline", "-results", results, "-why", "x", paths[1]); code != exitUsage || !oneLine(errs, paths[1]+":1: ", "another machine", "threads") {
		t.Errorf("another machine's file: exit code %d, %q", code, errs)
	}
}

// TestExport writes each format, several files to CSV, and refuses the rest.
func TestExport(t *testing.T) {
	_, paths := past(t, "machine")
	for format, want := range map[string]string{"gab-smaller": `"value": 501`, "bmf": `"ns-seg": {`, "csv": ",501\n"} {
		if code, out, errs := pcbbench(t, "export", "-format", format, paths[0]); code != exitOK || errs != "" || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, %q\n%s", format, code, errs, out)
		}
	}
	if code, out, errs := pcbbench(t, append([]string{"export", "-format", "csv"}, paths...)...); code != exitOK || errs != "" || strings.Count(out, "\n") != 13 {
		t.Errorf("all files: exit code %d, %q\n%s", code, errs, out)
	}
	write(t, paths[1], read(t, paths[1])+"BenchmarkOther 1 5 ns/seg 0 disturbed\n")
	if code, _, errs := pcbbench(t, "export", "-format", "csv", paths[0], paths[1]); code != exitOK || !oneLine(errs, "1 metrics are left out", "Other ns/seg") {
		t.Errorf("a metric of one file: exit code %d, %q", code, errs)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{paths[0]}, "say -format"},
		{[]string{"-format", "csv"}, "results file is missing"},
		{[]string{"-nothere", "a", "b"}, "-nothere"},
		{[]string{"-format", "xml", paths[0]}, `"xml"`},
		{[]string{"-format", "gab-bigger", paths[0]}, "no metric"},
		{[]string{"-format", "bmf", paths[0], paths[1]}, "2 commits"},
	} {
		if code, out, errs := pcbbench(t, append([]string{"export"}, c.args...)...); code != exitUsage || out != "" || !oneLine(errs, c.says) {
			t.Errorf("%q: exit code %d, %q, %q", c.args, code, out, errs)
		}
	}
}
