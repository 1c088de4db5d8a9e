package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/compare/file"
)

// TestExactNeedsTheTag: a plain build says how to make the other one, and writes nothing.
func TestExactNeedsTheTag(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := pcbbench(t, "exact", "-results", dir)
	if code != exitUsage || out != "" || !oneLine(errs, "make exact") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestExact builds the other one: two processes in different circumstances write the same results.
func TestExact(t *testing.T) {
	if testing.Short() || binary == "" {
		t.Skip("builds a binary")
	}
	count := filepath.Join(t.TempDir(), "pcbbench-count")
	if out, err := exec.Command("go", "build", "-tags", "count", "-o", count, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(env []string, args ...string) (code int, out, errs string) {
		cmd := exec.CommandContext(t.Context(), count, append([]string{"exact"}, args...)...)
		var o, e bytes.Buffer
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &o, &e
		_ = cmd.Run() // the exit code tells
		return cmd.ProcessState.ExitCode(), o.String(), e.String()
	}
	var texts [2]string
	for i, env := range [][]string{{"GOGC=off", "GOMAXPROCS=1"}, {"GOGC=1", "GOMAXPROCS=6"}} {
		dir := t.TempDir()
		code, out, errs := run(env, "-results", dir, "-schemes", "global,smr:smr=epoch", "-locks", "default,mcs", "-mixes", "churn,forward", "-conns", "100", "-laps", "1")
		if code != exitOK {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		table := strings.Join(strings.Fields(out), " ")
		for _, want := range []string{"locks/seg global smr:smr=epoch null churn conns=100 3.", " rmw/seg global smr:smr=epoch null churn conns=100 6.",
			" churn lock=mcs conns=100 ", " forward conns=100 "} {
			if !strings.Contains(table, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		paths, _ := filepath.Glob(filepath.Join(dir, "exact", "*.txt"))
		if len(paths) != 1 {
			t.Fatalf("results files %v, want one", paths)
		}
		f, err := file.Load(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Results) != 2*2+1 { // forward has no table
			t.Errorf("%d results", len(f.Results))
		}
		text, err := os.ReadFile(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text[bytes.Index(text, []byte("Benchmark")):])
	}
	if texts[0] != texts[1] {
		t.Errorf("one run wrote\n%s\nthe other\n%s", texts[0], texts[1])
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-laps", "0"}, "-laps must be at least 1"},
		{[]string{"-dispatch", "feedback"}, "measured time"},
		{[]string{"-mixes", "pcap"}, "capture"},
		{[]string{"-schemes", "nothere"}, "unknown scheme"},
		{[]string{"-results", "a=b"}, "benchstat"},
		{[]string{"more"}, `unexpected argument "more"`},
	} {
		if code, out, errs := run(nil, c.args...); code != exitUsage || out != "" || !oneLine(errs, c.says) {
			t.Errorf("%v: exit code %d, %q, %q", c.args, code, out, errs)
		}
	}
}
