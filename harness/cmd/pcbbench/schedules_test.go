package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/schedule"
	"pcbbench/locks/oracle"
)

// TestSchedulesNeedTheTag: a plain build says how to make the other one.
func TestSchedulesNeedTheTag(t *testing.T) {
	code, out, errs := pcbbench(t, "schedules")
	if code != exitUsage || out != "" || !oneLine(errs, "make schedules") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
}

// TestSchedules builds the other one and explores a little: a row for each strategy, none failed. The same seed explores the same.
func TestSchedules(t *testing.T) {
	if testing.Short() || binary == "" {
		t.Skip("builds a binary")
	}
	sim := filepath.Join(t.TempDir(), "pcbbench-sim")
	if out, err := exec.Command("go", "build", "-tags", "sim", "-o", sim, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) (int, string) {
		cmd := exec.CommandContext(t.Context(), sim, append([]string{"schedules"}, args...)...)
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	some := []string{"-subjects", "locks/mtx,tables/connp:groups=2/two", "-n", "50", "-seed", "7", "-each"}
	code, out := run(some...)
	for _, want := range []string{"locks/mtx/three", "tables/connp:groups=2/two-acks", "exhaustive", "pct", "random"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want %q in\n%s", code, want, out)
		}
	}
	if code, out := run("-replay", "locks/mtx/three@3.1,9.2"); code != exitOK || !strings.Contains(out, "all promises kept") {
		t.Errorf("replay: exit code %d, %s", code, out)
	}
	for _, bad := range [][]string{{"-replay", "locks/mtx/three@x"}, {"-subjects", "nothing"}, {"-subjects", "locks/mutex"}, {"-strategy", "luck"}} {
		if code, out := run(bad...); code != exitUsage || strings.Count(out, "\n") != 1 {
			t.Errorf("%v: exit code %d, %s", bad, code, out)
		}
	}
}

// TestScheduleTable: groups add up, and failures tell how to replay them.
func TestScheduleTable(t *testing.T) {
	f := &schedule.Failure{Subject: "a/b/two", Found: "pct:3", Oracle: oracle.Exclusion, Err: oracle.Violated(oracle.Exclusion, "two at once"),
		Switch: []string{"b.go:7 < a.go:1"}, Schedule: schedule.Schedule{{Step: 4, Worker: 1}}}
	var table scheduleTable
	table.add(schedule.Report{Subject: "a/b/one", Strategy: "exhaustive", Schedules: 10, Points: 100, Distinct: 9, Exhausted: true}, false)
	table.add(schedule.Report{Subject: "a/b/two", Strategy: "exhaustive", Schedules: 1, Points: 20, Distinct: 1, Failure: f}, false)
	var out bytes.Buffer
	if err := table.print(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if got := strings.Join(strings.Fields(lines[1]), " "); got != "a/b 2 exhaustive 11 10 120 1/2 1" {
		t.Errorf("the row is %q", got)
	}
	out.Reset()
	printFailure(&out, table.failures[0])
	for _, want := range []string{"a/b/two: exclusion: two at once", "step 4: worker 1", "b.go:7", "found as pct:3", "-replay 'a/b/two@4.1'"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}
