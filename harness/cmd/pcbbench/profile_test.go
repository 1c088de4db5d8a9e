package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/compare/file"
	"pcbbench/locks/witness"
)

// onlyFile is the results file in folder.
func onlyFile(t *testing.T, folder string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v: want one results file in %s", paths, err, folder)
	}
	return paths[0]
}

// here runs a command in this process, which has the tags of this build.
func here(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, streams{nil, &out, &errs})
	return code, out.String(), errs.String()
}

// TestProfileCommands takes profiles, or is told by what build to take them.
func TestProfileCommands(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		says []string // on standard output
		line string   // of the results file
	}{
		{[]string{"profile", "-schemes", "global,smr", "-mixes", "churn", "-conns", "64", "-top", "0"}, []string{"wait_total", "cnt_lock", "(tcbinfo)", "(SMR section)", "contended class"},
			"BenchmarkProfile/scheme=global/"},
		{[]string{"table1", "-conns", "6", "-workers", "2"}, []string{"2 workers: ", "2006", "ours", "L(128)", "500 ns of work"}, "BenchmarkProfile/scheme=connp:groups=128/"},
	} {
		args := append(c.args, "-measure", "20ms", "-rounds", "1", "-results", dir)
		code, out, errs := here(t, args...)
		if !witness.Profiling {
			if code != exitUsage || !strings.Contains(errs, "needs a build with the tag profile: make profile") {
				t.Errorf("%q: exit code %d, %s", args, code, errs)
			}
			continue
		}
		if code != exitOK {
			t.Fatalf("%q: exit code %d, %s", args, code, errs)
		}
		for _, want := range c.says {
			if !strings.Contains(out, want) {
				t.Errorf("%q: no %q in\n%s", args, want, out)
			}
		}
		path := onlyFile(t, filepath.Join(dir, c.args[0]))
		f, err := file.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Results[0].Run.Facts["profiled"] != "locks" || !strings.Contains(string(text), "\n"+c.line) || !strings.Contains(string(text), "# An instrumented build: ") {
			t.Errorf("%q:\n%s", args, text)
		}
	}
	for _, args := range [][]string{{"profile", "-sort", "nothere"}, {"profile", "-rounds", "0"}, {"table1", "-measure", "0s"}, {"table1", "-work", "0,500"}} {
		if code, _, errs := here(t, args...); code != exitUsage {
			t.Errorf("%q: exit code %d, %s", args, code, errs)
		}
	}
}

// TestGoProfiles has two processes write their parts, the workers' labels in them; the results compare with no others'.
func TestGoProfiles(t *testing.T) {
	if witness.Profiling {
		t.Skip("the same in every build")
	}
	dir := t.TempDir()
	cpu, block := filepath.Join(dir, "cpu"), filepath.Join(dir, "block")
	args := []string{"bench", "-schemes", "refcount", "-mixes", "churn", "-conns", "64", "-work", "500", "-workers", "2", "-pin", "none",
		"-processes", "2", "-rounds", "1", "-measure", "300ms", "-results", dir, "-cpuprofile", cpu, "-blockprofile", block}
	code, _, errs := pcbbench(t, args...)
	if code != exitOK && !strings.Contains(errs, "benchstat") {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	if !strings.Contains(errs, cpu+".1 "+cpu+".2\n") || !strings.Contains(errs, block+".1 "+block+".2\n") {
		t.Errorf("nobody is told where the profiles are: %s", errs)
	}
	for _, part := range []string{cpu + ".1", cpu + ".2"} {
		if text := unpacked(t, part); !bytes.Contains(text, []byte("refcount")) || !bytes.Contains(text, []byte("churn")) {
			t.Errorf("%s has no labels", part)
		}
	}
	if text := unpacked(t, block+".1"); !bytes.Contains(text, []byte("contentions")) {
		t.Errorf("%s.1 is no profile of waits", block)
	}
	f, err := file.Load(onlyFile(t, filepath.Join(dir, "profile")))
	if err != nil || f.Results[0].Run.Facts["profiled"] != "cpu,block" {
		t.Errorf("%v; profiled: %q", err, f.Results[0].Run.Facts["profiled"])
	}
}

// unpacked is the text of a profile, strings of its table among it.
func unpacked(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
