package machine

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const statBefore = `cpu  99 99 99 99 99 99 99 99 99 99
cpu0 10 1 5 1000 50 0 2 3 0 0
cpu1 20 0 5 1000 50 1 2 4 0 0
cpu2 999 0 5 1000 50 1 2 4 0 0
intr 123 cpu0 4
ctxt 5
`

// cpu0: 9 more ticks busy and 2 stolen; cpu1: 4 busy; cpu2 is not watched.
const statAfter = `cpu  99 99 99 99 99 99 99 99 99 99
cpu0 16 2 7 1100 60 0 2 5 6 0
cpu1 22 0 6 1100 60 1 3 4 0 0
cpu2 1999 0 5 1000 50 1 2 99 0 0
intr 123 cpu0 4
`

func TestSnapshotArithmetic(t *testing.T) {
	before := Noise{cpus: []int{0, 1}, proc: fstest.MapFS{
		"stat":                     file(statBefore),
		"self/task/10/schedstat":   file("500 1000 7\n"),
		"self/task/11/schedstat":   file("500 9000 7\n"), // ends
		"self/task/12/schedstat":   file("500 4000 7\n"), // its number is reused
		"self/task/999/irrelevant": file(""),
	}}.Snapshot()
	after := Noise{cpus: []int{0, 1}, proc: fstest.MapFS{
		"stat":                   file(statAfter),
		"self/task/10/schedstat": file("600 1500 9\n"),
		"self/task/12/schedstat": file("5 30 7\n"),
		"self/task/13/schedstat": file("5 2 7\n"), // new
	}}.Snapshot()
	before.usage = usage{cpu: known(1e9), voluntary: known(3), involuntary: known(5)}
	after.usage = usage{cpu: known(1e9 + 50e6), voluntary: known(10), involuntary: known(6)}

	want := Delta{
		CPUs:                2,
		RunDelay:            known(500 + 30 + 2),
		CPU:                 known(50e6),
		Steal:               known(20e6),
		Foreign:             known(130e6 - 50e6),
		VoluntarySwitches:   known(7),
		InvoluntarySwitches: known(1),
	}
	if got := after.Sub(before); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	// Ticks err: we may seem to have used more than all.
	after.usage.cpu = known(2e9)
	if got := after.Sub(before).Foreign; got != known(0) {
		t.Errorf("foreign %+v, want 0", got)
	}
	if got := before.Sub(after).Steal; got.Known {
		t.Errorf("steal ran back and is %+v", got)
	}
}

func TestMissingIsUnknownNotZero(t *testing.T) {
	good := fstest.MapFS{"stat": file(statBefore), "self/task/10/schedstat": file("1 2 3\n")}
	for name, change := range map[string]func(fstest.MapFS, *Noise){
		"no files": func(f fstest.MapFS, _ *Noise) { clear(f) },
		"malformed": func(f fstest.MapFS, _ *Noise) {
			f["stat"] = file("cpu0 1 2 x 4 5 6 7 8\ncpu1 1 2 3 4 5 6 7 8\n")
			f["self/task/10/schedstat"] = file("1 x 3\n")
		},
		"short lines": func(f fstest.MapFS, _ *Noise) {
			f["stat"] = file("cpu0 1 2\ncpu1 1 2 3\n")
			f["self/task/10/schedstat"] = file("\n")
		},
		"CPU unplugged":     func(f fstest.MapFS, n *Noise) { n.cpus = []int{0, 9}; delete(f, "self/task/10/schedstat") },
		"no CPU is watched": func(f fstest.MapFS, n *Noise) { n.cpus = nil; delete(f, "self/task/10/schedstat") },
	} {
		files := fstest.MapFS{}
		for k, v := range good {
			files[k] = v
		}
		n := Noise{proc: files, cpus: []int{0, 1}}
		whole := n.Snapshot()
		change(files, &n)
		broken := n.Snapshot()
		for _, d := range []Delta{whole.Sub(broken), broken.Sub(whole), broken.Sub(broken)} {
			if d.RunDelay.Known || d.Steal.Known || d.Foreign.Known {
				t.Errorf("%s: %+v", name, d)
			}
			if disturbed, reason := d.Disturbed(time.Second, 2, 2); disturbed {
				t.Errorf("%s: disturbed by %s", name, reason)
			}
		}
	}
}

func TestHostSnapshot(t *testing.T) {
	top, _ := HostTopology()
	n := NewNoise(top.Allowed)
	before := n.Snapshot()
	d := n.Snapshot().Sub(before)
	if _, err := os.Stat("/proc/self/schedstat"); err == nil && !d.RunDelay.Known {
		t.Errorf("this kernel has schedstat, run delay is unknown: %+v", d)
	}
	stat, _ := os.ReadFile("/proc/stat")
	for _, cpu := range top.Allowed {
		if !strings.Contains(string(stat), fmt.Sprintf("\ncpu%d ", cpu)) {
			t.Skipf("/proc/stat hides CPU %d", cpu) // in some containers
		}
	}
	if !d.Steal.Known || !d.Foreign.Known {
		t.Errorf("/proc/stat has our CPUs, steal or foreign CPU is unknown: %+v", d)
	}
}

func TestDisturbed(t *testing.T) {
	ms := func(n int64) Count { return known(n * int64(time.Millisecond)) }
	const wall = time.Second
	for _, test := range []struct {
		name            string
		d               Delta
		threads, places int
		reason          string // "" is undisturbed
	}{
		{"quiet", Delta{CPUs: 2, RunDelay: ms(0), Steal: ms(0), Foreign: ms(0)}, 2, 2, ""},
		{"at the limits", Delta{CPUs: 2, RunDelay: ms(300), Steal: ms(40), Foreign: ms(160)}, 2, 2, ""},
		{"delay", Delta{CPUs: 2, RunDelay: ms(320)}, 2, 2, "run-queue delay 16.0% of thread time, limit 15.0%"},
		{"delay counts per thread", Delta{CPUs: 2, RunDelay: ms(160)}, 1, 1, "run-queue delay"},
		{"four threads must share two CPUs", Delta{CPUs: 2, RunDelay: ms(2500)}, 4, 4, ""},
		{"but need wait no more than half", Delta{CPUs: 2, RunDelay: ms(2700)}, 4, 4, "run-queue delay 67.5% of thread time, limit 65.0%"},
		{"four threads bound to two of many CPUs", Delta{CPUs: 64, RunDelay: ms(2500)}, 4, 2, ""},
		{"as on two CPUs", Delta{CPUs: 64, RunDelay: ms(2700)}, 4, 2, "run-queue delay 67.5% of thread time, limit 65.0%"},
		{"seven threads on one CPU", Delta{CPUs: 1, RunDelay: ms(7000)}, 7, 2, ""},
		{"steal", Delta{CPUs: 2, Steal: ms(50)}, 2, 2, "steal 2.5% of CPU time, limit 2.0%"},
		{"steal counts per place", Delta{CPUs: 2, Steal: ms(50)}, 8, 2, "steal 2.5% of CPU time, limit 2.0%"},
		{"foreign", Delta{CPUs: 2, Foreign: ms(170)}, 2, 2, "foreign CPU 8.5% of CPU time, limit 8.0%"},
		{"foreign counts per CPU", Delta{CPUs: 64, Foreign: ms(170)}, 2, 2, ""},
		{"unknown", Delta{CPUs: 2, RunDelay: Count{N: 1e12}}, 2, 2, ""},
	} {
		disturbed, reason := test.d.Disturbed(wall, test.threads, test.places)
		if disturbed != (test.reason != "") || !strings.HasPrefix(reason, test.reason) {
			t.Errorf("%s: %v %q, want %q", test.name, disturbed, reason, test.reason)
		}
	}
}
