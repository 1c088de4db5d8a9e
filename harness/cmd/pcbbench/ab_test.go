package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/gate"
)

// small is the flags of a session that takes a second.
func small(dir string, more ...string) []string {
	return append(more, "-results", dir, "-schemes", "global", "-mixes", "churn", "-conns", "10", "-workers", "1", "-measure", "10ms", "-looks", "1", "-budget", "1ms")
}

// TestAB compares this checkout with itself, from building to the table.
func TestAB(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := pcbbench(t, append(small(dir, "ab"), ".", ".")...)
	if exec.Command("git", "rev-parse", "HEAD").Run() != nil { // an archive of the source
		if code != exitUsage || !oneLine(errs, "not in a git repository") {
			t.Errorf("exit %d, %s", code, errs)
		}
		return
	}
	if code != exitOK || !strings.Contains(out, "new over old") || !strings.Contains(out, "Undecided: ") {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.txt"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v", paths, err)
	}
	f, err := file.Load(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	facts := f.Runs[0].Facts
	for _, key := range []string{"baseline-commit", "experiment-commit", "experiment-commit-time", "runstamp", "alpha", "looks", "torture"} {
		if facts[key] == "" && f.Results[0].GetConfig(key) == "" {
			t.Errorf("the file does not say %s: %v", key, facts)
		}
	}
	if len(f.Results) != 8 {
		t.Errorf("%d results of 4 rounds", len(f.Results))
	}
	code, again, errs := pcbbench(t, "compare", paths[0])
	if code != exitOK || !strings.HasPrefix(out, again) {
		t.Errorf("pcbbench compare of the file, exit %d\n%s\n%s", code, again, errs)
	}
}

func TestABRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"ab"}, "base revision is missing"},
		{[]string{"ab", "a", "b", "c"}, `unexpected argument "c"`},
		{small(dir, "ab", "-looks", "11")[:3], "base revision is missing"},
		{append(small(dir, "ab"), "-looks", "11", "HEAD"), "-looks 1 to 10"},
		{append(small(dir, "ab"), "-alpha", "1", "HEAD"), "-alpha and -resolution must lie between 0 and 1"},
		{append(small(dir, "ab"), "-resolution", "NaN", "HEAD"), "-alpha and -resolution must lie between 0 and 1"},
		{append(small(dir, "ab"), "-schemes", "nonesuch", "HEAD"), `unknown scheme "nonesuch"`},
		{append(small(dir, "ab"), "-measure", "1us", "HEAD"), "-measure at least 1ms"},
		{[]string{"ab", "-results", "a=b", "HEAD"}, "takes a path with = for a label"},
		{[]string{"aa", "-alike", "1"}, "-alike must be 2 to 8"},
		{[]string{"aa", "-duration", "1s"}, "-duration at least a minute"},
		{[]string{"aa", "-plants", "0"}, "want a number above 0"},
		{[]string{"aa", "-schemes", "smr,global"}, "2 experiments; a self-test is of one"},
		{[]string{"aa", "HEAD"}, `unexpected argument "HEAD"`},
	} {
		if code, _, errs := pcbbench(t, c.args...); code != exitUsage || !oneLine(errs, c.want) {
			t.Errorf("%v: exit %d, %s; want %q", c.args, code, errs, c.want)
		}
	}
	if exec.Command("git", "rev-parse", "HEAD").Run() != nil {
		return
	}
	if code, _, errs := pcbbench(t, append(small(dir, "ab"), "no-such-revision")...); code != exitUsage || !strings.Contains(errs, `"no-such-revision" names no commit`) {
		t.Errorf("exit %d, %s", code, errs)
	}
}

// TestGateBase measures and counts this checkout twice. In so short a time nothing can be excluded, so that it cannot tell; counts are the same.
func TestGateBase(t *testing.T) {
	if exec.Command("git", "rev-parse", "HEAD").Run() != nil || testing.Short() {
		t.Skip("no git repository, or -short: three builds and two counts of everything take ten seconds")
	}
	dir := t.TempDir()
	code, out, errs := pcbbench(t, append(small(dir, "gate"), "-base", ".", "-head", ".")...)
	if code != gate.Undetermined || !strings.Contains(out, "Cannot tell") || strings.Contains(out, "locks/seg") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
	if paths, err := filepath.Glob(filepath.Join(dir, "*", "*.txt")); err != nil || len(paths) != 1 {
		t.Errorf("results %v, %v", paths, err)
	}
}

func TestGateBaseRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"gate"}, "old results file is missing, or -base"},
		{[]string{"gate", "-base", "HEAD", "file.txt"}, "takes no results file"},
		{[]string{"gate", "-base", "HEAD", "-again", "file.txt"}, "-again is for files"},
		{[]string{"gate", "-budget", "1s", "file.txt"}, "-budget without -base"},
	} {
		if code, _, errs := pcbbench(t, c.args...); code != exitUsage || !oneLine(errs, c.want) {
			t.Errorf("%v: exit %d, %s; want %q", c.args, code, errs, c.want)
		}
	}
}
