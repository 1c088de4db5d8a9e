package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness"
)

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"nothere"}, {"help"}, {"-h"}, {"--help"}} {
		code, out, errs := pcbbench(t, args...)
		usage, other, want := out, errs, exitOK
		if len(args) == 0 || args[0] == "nothere" {
			usage, other, want = errs, out, exitUsage
		}
		if code != want || other != "" {
			t.Errorf("%v: exit code %d, want %d; beside the usage it says %q", args, code, want, other)
		}
		for _, c := range commands() {
			if !strings.Contains(usage, c.name) {
				t.Errorf("%v: the usage does not name %s", args, c.name)
			}
		}
	}
	if _, _, errs := pcbbench(t, "nothere"); !strings.Contains(errs, `unknown command "nothere"`) {
		t.Errorf("an unknown command is told as %q", errs)
	}
}

// TestHelpListsFlags compares bench -h with the flags that there are.
func TestHelpListsFlags(t *testing.T) {
	code, out, errs := pcbbench(t, "bench", "-h")
	if code != exitOK || errs != "" {
		t.Errorf("exit code %d, %q on stderr", code, errs)
	}
	fs := newFlagSet("bench")
	matrixFlags(fs, new(harness.Matrix))
	names := []string{"quick", "budget", "arrivals", "loads", "rates", "measure", "processes", "rounds", "seed", "results"}
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	for _, name := range names {
		if !strings.Contains(out, "\n  -"+name+" ") && !strings.Contains(out, "\n  -"+name+"\n") {
			t.Errorf("bench -h does not list -%s", name)
		}
	}
	for _, name := range []string{"sweep", "netstat"} { // they have other defaults
		if _, out, _ := pcbbench(t, name, "-h"); !strings.Contains(out, "or all (default all)") {
			t.Errorf("%s -h does not say that it takes every dispatch model:\n%s", name, out)
		}
	}
	for _, c := range commands() {
		if code, out, _ := pcbbench(t, c.name, "-h"); code != exitOK || !strings.HasPrefix(out, "usage: pcbbench "+c.name) {
			t.Errorf("%s -h: exit code %d, %q", c.name, code, out)
		}
	}
}

// TestRefusals checks that what cannot be measured ends with one line that names it, before anything is measured or written.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	empty, text := filepath.Join(dir, "empty"), filepath.Join(dir, "text")
	for path, content := range map[string]string{empty: "", text: "BenchmarkInput is no capture\n"} {
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"-nothere"}, []string{"-nothere", "pcbbench bench -h"}},
		{[]string{"-workers"}, []string{"-workers", "pcbbench bench -h"}},
		{[]string{"stray"}, []string{`unexpected argument "stray"`}},
		{[]string{"-schemes", "nothere"}, []string{`unknown scheme "nothere"`, "refcount"}},
		{[]string{"-schemes", ""}, []string{"-schemes", "empty name"}},
		{[]string{"-dispatch", "direct,,hybrid"}, []string{"-dispatch", "empty name"}},
		{[]string{"-roles", ""}, []string{"-roles", "empty name"}},
		{[]string{"-mixes", "nothere"}, []string{`unknown mix "nothere"`, "churn"}},
		{[]string{"-locks", "nothere"}, []string{`unknown lock "nothere"`, "mcs"}},
		{[]string{"-dispatch", "nothere"}, []string{`unknown dispatch model "nothere"`, "direct"}},
		{[]string{"-dispatch", "hybrid:policy=nothere"}, []string{"dispatch hybrid", `policy="nothere"`, "source, flow, cpu"}},
		{[]string{"-dispatch", "hybrid:nothere=1"}, []string{"dispatch hybrid", `unknown option "nothere"`, "policy, qlimit"}},
		{[]string{"-dispatch", "netisr2,deferred:qlimit=10241"}, []string{"dispatch deferred", `qlimit="10241"`, "1 to 10240"}},
		{[]string{"-roles", "nothere"}, []string{`unknown roles "nothere"`, "all, netisr, user, split"}},
		{[]string{"-pin", "nothere"}, []string{`unknown pin "nothere"`, "none"}},
		{[]string{"-affinity", "nothere"}, []string{`unknown affinity "nothere"`, "spray"}},
		{[]string{"-workers", "0"}, []string{`"0"`, "-workers", "at least 1"}},
		{[]string{"-workers", "1,x"}, []string{"-workers", `"x"`}},
		{[]string{"-ifs", "abc"}, []string{"-ifs", "whole number"}},
		{[]string{"-batch", "0"}, []string{"-batch", "at least 1"}},
		{[]string{"-conns", "5"}, []string{"conns=5", "10"}},
		{[]string{"-conns", "100000", "-peers", "1"}, []string{"conns=100000", "1 peers", "give 64512"}},
		{[]string{"-work", "-1"}, []string{"work=-1"}},
		{[]string{"-v6", "2"}, []string{"v6=2", "0 to 1"}},
		{[]string{"-v6", "NaN"}, []string{"v6=NaN"}},
		{[]string{"-skew", "-1", "-mixes", "rpc"}, []string{"skew=-1"}},
		{[]string{"-processes", "0"}, []string{"-processes"}},
		{[]string{"-rounds", "0"}, []string{"-rounds"}},
		{[]string{"-measure", "-1s"}, []string{"-measure"}},
		{[]string{"-schemes", "unsync", "-workers", "2"}, []string{"unsync", "1 worker", "-force"}},
		{[]string{"-schemes", "null", "-locks", "mcs"}, []string{"null", "no table lock"}},
		{[]string{"-mixes", "pcap"}, []string{"pcap", "capture"}},
		{[]string{"-trace", dir}, []string{dir}},
		{[]string{"-trace", filepath.Join(dir, "missing")}, []string{"missing"}},
		{[]string{"-trace", empty}, []string{empty}},
		{[]string{"-trace", text}, []string{text}},
	} {
		target := filepath.Join(dir, "results")
		code, out, errs := pcbbench(t, append([]string{"bench", "-results", target, "-measure", "20ms"}, c.args...)...)
		if code != exitUsage || out != "" || !oneLine(errs, append(c.says, "pcbbench: ")...) {
			t.Errorf("bench %q: exit code %d, stdout %q, stderr %q; want %d and one line with %q", c.args, code, out, errs, exitUsage, c.says)
		}
		if _, err := os.Stat(target); err == nil {
			t.Fatalf("bench %q has begun to write results", c.args)
		}
	}
}

func TestSummaryRefusals(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.txt")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"summary"}, exitUsage, "results file is missing"},
		{[]string{"summary", missing}, exitUsage, missing},
		{[]string{"summary", missing, "more"}, exitUsage, `unexpected argument "more"`},
		{[]string{"summary", "main.go"}, exitUsage, "main.go: the file holds no result"},
		{[]string{"compare", "main.go", "main.go"}, exitUsage, "main.go: the file holds no result"},
		{[]string{"netstat", "more"}, exitUsage, `unexpected argument "more"`},
		{[]string{"netstat", "-Q"}, exitUsage, "-Q"},
		{[]string{"netstat", "-measure", "0s"}, exitUsage, "-measure must be more than 0"},
		{[]string{"netstat", "-arrivals", "poisson", "-loads", "50"}, exitUsage, "give -rates"},
		{[]string{"netstat", "-v6", "2"}, exitUsage, "0 to 1"},
		{[]string{"netstat", "-roles", "nothere"}, exitUsage, "all, netisr, user, split"},
		{[]string{"netstat", "-schemes", "unsync", "-workers", "2"}, exitUsage, "-force"},
		{[]string{"handoff", "more"}, exitUsage, `unexpected argument "more"`},
		{[]string{"reclaim", "-rounds", "0"}, exitUsage, "-rounds must be at least 1"},
		{[]string{"reclaim", "-smr", "gus,pigeon"}, exitUsage, `unknown reclamation "pigeon": want gus or epoch`},
		{[]string{"reclaim", "-results", "a=b"}, exitUsage, "benchstat"},
		{[]string{"handoff", "-rounds", "0"}, exitUsage, "-rounds must be at least 1"},
		{[]string{"handoff", "-measure", "0s"}, exitUsage, "-measure more than 0"},
		{[]string{"handoff", "-results", "a=b"}, exitUsage, "benchstat"},
		{[]string{"list", "more"}, exitUsage, `unexpected argument "more"`},
		{[]string{"process", "more"}, exitUsage, `unexpected argument "more"`},
	} {
		code, out, errs := pcbbench(t, c.args...)
		if code != c.code || out != "" || !oneLine(errs, c.says) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %d and one line with %q", c.args, code, out, errs, c.code, c.says)
		}
	}
}
