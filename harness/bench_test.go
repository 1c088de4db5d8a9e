package harness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pcbbench/harness/machine"
)

// options are a run's of real processes: this test binary, see TestMain.
func options(t *testing.T, es ...Experiment) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asChild, "1")
	return Options{Experiments: es, Processes: 2, Rounds: 2, Measure: 50 * time.Millisecond, Seed: 4, Dir: t.TempDir(), Stderr: io.Discard,
		Command: []string{self}}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var fileName = regexp.MustCompile(`^\d{8}T\d{6}-[0-9a-z]+(-\d+)?\.txt$`)

// TestRun checks a whole run: where its file is, and that every sample and note is in it.
func TestRun(t *testing.T) {
	o := options(t, tiny("global", 1), tiny("null", 2))
	o.Notes = "first note\nsecond note"
	path, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if dir, want := filepath.Dir(path), filepath.Join(o.Dir, machine.Gather().Slug()); dir != want {
		t.Errorf("the file is in %s, want %s", dir, want)
	}
	if base := filepath.Base(path); !fileName.MatchString(base) {
		t.Errorf("the file is called %s, want date-commit without =", base)
	}
	text := content(t, path)
	for _, line := range []string{"# first note\n", "# second note\n", "seed: 4\n", "# 2 experiments, 2 processes x 2 rounds, each sample 50ms after at least 5ms of warm-up\n"} {
		if !bytes.Contains(text, []byte(line)) {
			t.Errorf("the file lacks %q", line)
		}
	}
	results, _ := parsed(t, text)
	got := names(results)
	slices.Sort(got)
	var want []string
	for _, e := range o.Experiments {
		want = append(want, slices.Repeat([]string{resolved(t, e).name()}, 4)...)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("results of\n%v, want of\n%v", got, want)
	}
}

// TestFailuresInRun checks that failed samples are missing from the file, counted by process, and do not end the run. The first, very
// short try of all experiments, which the budget needs, does not count.
func TestFailuresInRun(t *testing.T) {
	o := options(t, tiny("global", 1), tiny("lossy", 1))
	o.Measure, o.Budget = 0, time.Millisecond
	var said bytes.Buffer
	o.Stderr = &said
	path, err := Run(t.Context(), o)
	if err == nil || !strings.HasPrefix(err.Error(), "2 of 2 processes had samples that failed") {
		t.Errorf("the run ended with %v", err)
	}
	results, _ := parsed(t, content(t, path))
	if got := slices.Compact(names(results)); len(results) != 4 || len(got) != 1 || !strings.Contains(got[0], "scheme=global/") {
		t.Errorf("the file has %v", names(results))
	}
	if n := strings.Count(said.String(), "FAILED Input/scheme=lossy/"); n != 2*2+1 {
		t.Errorf("%d reports of 5 failed samples:\n%s", n, &said)
	}
}

// TestSameSecond checks that files of one second do not overwrite each other, and that there is an end to it.
func TestSameSecond(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "machine")
	run := []machine.KeyValue{{Key: "date", Value: "now"}, {Key: "commit", Value: "0123456789abcdef0123"}}
	seen := map[string]bool{}
	for range 5 {
		f, err := create(dir, run)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		base := filepath.Base(f.Name())
		if seen[base] || !fileName.MatchString(base) || !strings.Contains(base, "-0123456789ab") {
			t.Errorf("file %s after %v", base, seen)
		}
		seen[base] = true
	}
}

// teller calls tell for all that is written to it.
type teller struct {
	tell func(text string)
}

func (w teller) Write(p []byte) (int, error) {
	w.tell(string(p))
	return len(p), nil
}

// TestCancel ends a run in the middle: the file is whole as far as it goes.
func TestCancel(t *testing.T) {
	o := options(t, tiny("global", 1), tiny("null", 1))
	o.Rounds = 10_000
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	o.Stderr = teller{func(text string) {
		if strings.Contains(text, " samples, about ") { // the first result is in
			once.Do(func() { time.AfterFunc(100*time.Millisecond, cancel) })
		}
	}}
	path, err := Run(ctx, o)
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("the run ended with %v, want %v", err, ErrInterrupted)
	}
	text := content(t, path)
	if results, _ := parsed(t, text); len(results) == 0 || !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("%d results, and the file ends in %q", len(results), text[max(0, len(text)-20):])
	}
}

// TestCancelledBefore checks that a run which is ended before its first process says the same.
func TestCancelledBefore(t *testing.T) {
	o := options(t, tiny("global", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path, err := Run(ctx, o)
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("the run ended with %v, want %v", err, ErrInterrupted)
	}
	if results, _ := parsed(t, content(t, path)); len(results) != 0 {
		t.Errorf("%d results", len(results))
	}
}

func TestUnwritableFolder(t *testing.T) {
	o := options(t, tiny("global", 1))
	o.Dir = filepath.Join(o.Dir, "file")
	if err := os.WriteFile(o.Dir, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if path, err := Run(t.Context(), o); path != "" || err == nil || !strings.Contains(err.Error(), "results folder") || !strings.Contains(err.Error(), o.Dir) {
		t.Errorf("results in %q, %v", path, err)
	}
}

// TestProcessThatDies checks that a run ends with a process that has not been through its job.
func TestProcessThatDies(t *testing.T) {
	o := options(t, tiny("global", 1))
	for what, command := range map[string][]string{"no such file": {filepath.Join(o.Dir, "nothere")}, "a process ended with exit status 1": {"/bin/sh", "-c", "exit 1"}} {
		if command[0] == "/bin/sh" {
			if _, err := os.Stat(command[0]); err != nil {
				continue
			}
		}
		o.Command = command
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v ended the run with %v", command, err)
		}
	}
}

// TestBudget checks the measured time that a budget leaves for a sample, and the worker counts that it costs.
func TestBudget(t *testing.T) {
	o := options(t, tiny("null", 1), tiny("null", 2), tiny("null", 3))
	o.Measure = 0
	for _, c := range []struct {
		budget    time.Duration
		low, high time.Duration
		kept      []int
	}{
		{time.Nanosecond, minMeasure, minMeasure, []int{1, 3}},
		{time.Hour, maxMeasure, maxMeasure, []int{1, 2, 3}},
		{3 * time.Second, minMeasure, maxMeasure, nil},
	} {
		o.Budget = c.budget
		r := runner{Options: o, progress: newProgress(io.Discard)}
		got, err := r.plan(t.Context())
		if err != nil || got < c.low || got > c.high {
			t.Errorf("a budget of %v leaves %v a sample, want %v to %v: %v", c.budget, got, c.low, c.high, err)
		}
		if kept := counts(r.Experiments); c.kept != nil && !slices.Equal(kept, c.kept) {
			t.Errorf("a budget of %v leaves worker counts %v, want %v", c.budget, kept, c.kept)
		}
	}
}

// TestResultsOnFullDisk checks that a run ends when a result cannot be written, and its process with it.
func TestResultsOnFullDisk(t *testing.T) {
	o := options(t, tiny("null", 1))
	o.Rounds = 10_000
	r := runner{Options: o, out: &noResults{}, progress: newProgress(io.Discard)}
	if err := r.run(t.Context()); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "writing results") {
		t.Errorf("the run ended with %v", err)
	}
}

// noResults is a disk with room for comments only.
type noResults struct{}

func (noResults) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("Benchmark")) {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

// TestEachLine checks that what was cut off in the middle of a line is left out.
func TestEachLine(t *testing.T) {
	var got []string
	err := eachLine(strings.NewReader("one\ntwo\nthr"), func(line []byte) error {
		got = append(got, string(line))
		return nil
	})
	if want := []string{"one\n", "two\n"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}
