package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"pcbbench/harness/handoff"
	"pcbbench/workloads"
)

// onProcs runs pcbbench on so many processors.
func onProcs(t *testing.T, procs int, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := prepare(t, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // its state is looked at
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestRoles benches dispatch models with every set of roles, by so many workers that each CPU has several, and on one processor.
func TestRoles(t *testing.T) {
	var roles []string
	for _, r := range workloads.RoleSets {
		roles = append(roles, r.Name)
	}
	for _, c := range []struct {
		procs, workers int
		roles          string
	}{{min(2, runtime.NumCPU()), 2, strings.Join(roles, ",")}, {min(2, runtime.NumCPU()), 8, "split"}, {1, 2, "netisr,split"}} {
		dir := t.TempDir()
		code, out, errs := onProcs(t, c.procs, "bench", "-results", dir, "-measure", "50ms", "-processes", "1", "-rounds", "1", "-schemes", "global",
			"-mixes", "churn", "-conns", "500", "-workers", strconv.Itoa(c.workers), "-work", "0", "-dispatch", "netisr2:policy=source,hybrid", "-roles", c.roles)
		if code != exitOK {
			t.Fatalf("%+v: exit code %d\n%s%s", c, code, out, errs)
		}
		seen := map[string]bool{}
		for _, r := range results(t, dir) {
			seen[string(r.Name)] = true
		}
		for _, dispatch := range []string{"netisr2:policy=source", "hybrid"} {
			for role := range strings.SplitSeq(c.roles, ",") {
				name := "Input/scheme=global/lock=default/dispatch=" + dispatch + "/mix=churn/conns=500/batch=32/workers=" + strconv.Itoa(c.workers) +
					"/affinity=rss/pin=cpu/work=0"
				if role != "all" {
					name += "/roles=" + role
				}
				if !seen[name] {
					t.Errorf("%+v: no result for %s in %v", c, name, seen)
				}
			}
		}
	}
}

// TestNetstat prints a table for each experiment.
func TestNetstat(t *testing.T) {
	code, out, errs := pcbbench(t, "netstat", "-measure", "20ms", "-dispatch", "deferred:qlimit=99,hybrid", "-roles", "all,split", "-workers", "2", "-pin", "none")
	if code != exitOK || errs != "" {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	for text, n := range map[string]int{"Configuration:\n": 4, "Protocols:\n": 4, "Workstreams:\n": 4, "dispatch=hybrid/": 2, "/roles=split\n": 2, " deferred:qlimit=99 ": 2,
		"ip           0     99   flow  default": 2, "\n   1    -   ip": 2} {
		if got := strings.Count(out, text); got != n {
			t.Errorf("%q is there %d times, want %d:\n%s", text, got, n, out)
		}
	}
}

// TestHandoff runs the smallest real measurement of hand-offs, with as many processors as there are and with one.
func TestHandoff(t *testing.T) {
	for _, procs := range []int{min(2, runtime.NumCPU()), 1} {
		dir := t.TempDir()
		code, out, errs := onProcs(t, procs, "handoff", "-results", dir, "-measure", "2ms", "-processes", "1", "-rounds", "1")
		if code != exitOK {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		seen := map[string]bool{}
		for _, r := range results(t, dir) {
			seen[string(r.Name)] = true
		}
		cases := handoff.Cases(procs)
		for _, c := range cases {
			if !seen[c.Name()] {
				t.Errorf("%d processors: no result for %s", procs, c.Name())
			}
		}
		if len(seen) != len(cases) {
			t.Errorf("%d processors: %d results, want %d", procs, len(seen), len(cases))
		}
		paths, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
		file, _ := os.ReadFile(paths[0])
		for where, text := range map[string]string{"stderr": errs, "the file": string(file)} {
			if told := strings.Contains(text, handoff.OneCPU); told != (procs == 1) {
				t.Errorf("%d processors: %s tells that some settings are left out: %v", procs, where, told)
			}
		}
		for _, w := range handoff.Ways {
			if !strings.Contains(out, w.Name) {
				t.Errorf("the table lacks %s:\n%s", w.Name, out)
			}
		}
	}
}
