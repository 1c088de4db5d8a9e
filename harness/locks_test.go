package harness

import (
	"bytes"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pcbbench/harness/compare/file"
	"pcbbench/harness/lockbench"
	"pcbbench/harness/machine"
)

// TestRunLocks checks a whole run of locks: where its file is, that every sample is in it, that who reads results knows every unit, and what facts it has.
func TestRunLocks(t *testing.T) {
	o := options(t)
	o.Folder, o.Measure = "locks", 4*time.Millisecond
	o.Locks = []lockbench.Case{{Lock: "mcs", Workers: 3, Pin: PinNone}, {Lock: "rw", Workers: 2, Reads: 50, Locks: 2, Try: true, Pin: PinNone}}
	path, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if dir, want := filepath.Dir(path), filepath.Join(o.Dir, "locks", machine.Gather().Slug()); dir != want {
		t.Errorf("the file is in %s, want %s", dir, want)
	}
	f, err := file.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range f.Results {
		seen[string(r.Name)]++
		parts(t, string(r.Name))
	}
	for _, c := range o.Locks {
		if seen[c.Name()] != o.Processes*o.Rounds {
			t.Errorf("%d results for %s, want %d", seen[c.Name()], c.Name(), o.Processes*o.Rounds)
		}
	}
	if len(seen) != len(o.Locks) || f.Runs[0].Facts["torture"] != "not run" || f.Runs[0].Facts["cpu"] == "" {
		t.Errorf("results %v, facts %v", seen, f.Runs[0].Facts)
	}
	for _, u := range lockbench.Units {
		if u.Better != "" && f.Units.GetBetter(u.Name) == 0 {
			t.Errorf("benchstat is not told which direction of %s is better", u.Name)
		}
	}
}

// TestLockJob: a lock that is not known, or not for so many workers, ends the job before anything is measured.
func TestLockJob(t *testing.T) {
	for says, c := range map[string]lockbench.Case{
		"mttx": {Lock: "mttx", Workers: 1}, "would spin": {Lock: "mcs:spin", Workers: runtime.GOMAXPROCS(0) + 1}, "lines=99": {Lock: "mcs", Workers: 1, Lines: 99},
	} {
		if out, _, err := child(t, Job{Locks: []lockbench.Case{c}, Rounds: 1}); err == nil || !strings.Contains(err.Error(), says) || len(out) > 0 {
			t.Errorf("%+v is reported as %v", c, err)
		}
	}
}

// TestLockThin: a budget that is too small costs loads, never locks: of each knob every second value between the least and the most.
func TestLockThin(t *testing.T) {
	var said bytes.Buffer
	r := runner{progress: newProgress(&said)}
	var err error
	r.Locks, _, err = lockbench.Matrix{CPUs: 1, Workers: []int{1, 2, 3}, Criticals: []int{0, 10, 20, 30}, Reads: []int{0, 50}, Locks: []string{"mtx", "mcs"}}.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2 * 2 * 4 * 2, 2 * 2 * 3 * 2, 2 * 2 * 2 * 2} {
		if !r.thin() || len(r.Locks) != want {
			t.Errorf("%d cases left, want %d", len(r.Locks), want)
		}
	}
	if r.thin() || len(r.Locks) != 16 || !strings.Contains(said.String(), "too small for all loads: 16 left") {
		t.Errorf("%d cases left: %s", len(r.Locks), &said)
	}
	var names []string
	for _, c := range r.Locks {
		names = append(names, c.Lock)
	}
	slices.Sort(names)
	if !slices.Equal(slices.Compact(names), []string{"mcs", "mtx"}) {
		t.Errorf("locks left: %v", names)
	}
}

// TestLockLine: a line stands below what is to be known of it.
func TestLockLine(t *testing.T) {
	b, err := newBench(2)
	if err != nil {
		t.Fatal(err)
	}
	lb := &lockbench.Bench{Clock: b.clock, CPUs: b.cpus, PerNS: b.perNS}
	c := lockbench.Case{Lock: "mtx", Workers: 2, Pin: PinNone}
	res, err := lb.Measure(c, 1, time.Millisecond, 4*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	res.Together = 0.25
	res.Locked.VoluntarySwitches, res.Locked.InvoluntarySwitches = machine.Count{N: int64(res.All()), Known: true}, machine.Count{N: 2 * int64(res.All()), Known: true}
	line := lockCase{c}.line(res, &Sample{Disturbed: "steal", NSMul: 1})
	results, _ := parsed(t, []byte(line))
	if len(results) != 1 || string(results[0].Name) != c.Name() || !strings.HasPrefix(line, "# disturbed: steal\n# full concurrency 0.25: ") {
		t.Errorf("the file is to say\n%s", line)
	}
	for unit, want := range map[string]float64{"disturbed": 1, "full": 0.25, "mul-sec": 1e-9, "ctxsw/lock": 3} {
		if v, ok := results[0].Value(unit); !ok || v != want {
			t.Errorf("%s is %v, want %v", unit, v, want)
		}
	}
}

// TestLockDisk: a disk that is full where the units should stand is an error.
func TestLockDisk(t *testing.T) {
	if err := writeLockUnits(new(full)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk is %v", err)
	}
}
