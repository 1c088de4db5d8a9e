package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pcbbench/locks"
)

// TestLocks runs the smallest real measurement of all locks, with as many processors as there are and with one: what was measured, what was left out and
// what is known of the code stands in the file, and people get both tables.
func TestLocks(t *testing.T) {
	for _, procs := range []int{min(2, runtime.NumCPU()), 1} {
		dir := t.TempDir()
		code, out, errs := onProcs(t, procs, "locks", "-results", dir, "-measure", "2ms", "-processes", "1", "-workers", "4", "-reads", "0,50")
		if code != exitOK {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		seen, starved := map[string]bool{}, false
		for _, r := range results(t, filepath.Join(dir, "locks")) {
			seen[string(r.Name)] = true
			for _, unit := range []string{"locks/s", "over-sec", "wait-p99-sec", "jain", "full", "B/lock", "disturbed"} {
				if _, ok := r.Value(unit); !ok {
					t.Errorf("%s has no %s", r.Name, unit)
				}
			}
			_, ok := r.Value("sec/starve-p100")
			starved = starved || ok // a worker that never came again in 2 ms has no gap
		}
		if !starved {
			t.Errorf("%d processors: no lock has sec/starve-p100", procs)
		}
		paths, _ := filepath.Glob(filepath.Join(dir, "locks", "*", "*"))
		file := read(t, paths[0])
		for _, s := range locks.Specs() {
			k := "lock=" + s.Kind().Name + "/policy=" + s.Policy().String()
			measured := seen["Locks/"+k+"/workers=4/critical=100/think=200/lines=1/reads=50/pin=cpu"]
			left := "not measured: " + k + " workers=4: "
			if measured && s.Policy() == locks.Spin || measured == strings.Contains(file, "\n# "+left) || measured == strings.Contains(errs, left) || measured == strings.Contains(out, left[14:]) {
				t.Errorf("%d processors: %v: measured %v", procs, s, measured)
			}
		}
		for _, text := range []string{"== workers=4, critical=100, think=200, lines=1, reads=0, pin=cpu\n", "Throughput and waiting", "Fairness", "Not measured:\n", "\nTorture not run: "} {
			if !strings.Contains(out, text) {
				t.Errorf("%d processors: no %q in\n%s", procs, text, out)
			}
		}
		if !strings.Contains(file, "\ntorture: not run\n") || !strings.Contains(file, "\ngomaxprocs: ") {
			t.Errorf("facts are missing:\n%s", file)
		}
		if procs == 1 {
			continue
		}
		if code, again, errs := pcbbench(t, "summary", paths[0]); code != exitOK || !strings.HasPrefix(out, again) {
			t.Errorf("told again: exit code %d, %s\n%s", code, errs, again)
		}
		var stat, warn strings.Builder
		if err := benchstat(streams{out: &stat, err: &warn}, "-col", "/lock", "-row", "/reads", "-filter", "/policy:spin-park", paths[0]); err != nil || warn.Len() > 0 {
			t.Errorf("benchstat: %v, %s", err, &warn)
		}
		if !strings.Contains(stat.String(), "locks/s") || strings.Contains(stat.String(), "vary in") {
			t.Errorf("benchstat says\n%s", &stat)
		}
	}
}

// TestLocksRefusals: what cannot be measured ends with one line that names it, before anything is measured or written.
func TestLocksRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"more"}, `unexpected argument "more"`},
		{[]string{"-locks", "mttx"}, `unknown lock "mttx"`},
		{[]string{"-locks", "mcs:spin", "-workers", "1000"}, "1000 workers would spin"},
		{[]string{"-workers", "0"}, "at least 1"},
		{[]string{"-workers", "5000"}, "workers=5000"},
		{[]string{"-critical", "-1"}, "at least 0"},
		{[]string{"-critical", "2000000"}, "critical=2000000"},
		{[]string{"-think", "x"}, "whole number"},
		{[]string{"-lines", "65"}, "lines=65"},
		{[]string{"-reads", "101"}, "reads=101"},
		{[]string{"-locksn", "0"}, "at least 1"},
		{[]string{"-uneven", "0.5"}, "uneven=0.5"},
		{[]string{"-pin", "core"}, "unknown pin"},
		{[]string{"-rounds", "0"}, "-rounds must be at least 1"},
		{[]string{"-duration", "-1s"}, "-duration and -measure not negative"},
		{[]string{"-results", "a=b"}, "benchstat"},
	} {
		target := filepath.Join(dir, "results")
		if code, out, errs := pcbbench(t, append([]string{"locks", "-results", target}, c.args...)...); code != exitUsage || out != "" || !oneLine(errs, c.says, "pcbbench: ") {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want one line with %q", c.args, code, out, errs, c.says)
		}
		if _, err := os.Stat(target); err == nil {
			t.Fatalf("%q has begun to write results", c.args)
		}
	}
}
