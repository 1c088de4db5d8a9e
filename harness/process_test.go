package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/pcbinfo"
)

// brief is a Timing for tests.
var brief = Timing{Warm: time.Millisecond, Measure: 10 * time.Millisecond}

// starved says that a worker had no CPU for all of so short a time, which a busy machine may do to any test.
const starved = "no segment in the measured time"

// input is job as Child reads it.
func input(t *testing.T, job Job) io.Reader {
	t.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(text)
}

// child runs a job and returns what it wrote.
func child(t *testing.T, job Job) (out, errs []byte, err error) {
	t.Helper()
	for range 5 {
		var o, e bytes.Buffer
		err = Child(input(t, job), &o, &e)
		if out, errs = o.Bytes(), e.Bytes(); !bytes.Contains(errs, []byte(starved)) {
			break
		}
	}
	return out, errs, err
}

// names are the results' benchmark names.
func names(results []*benchfmt.Result) (ns []string) {
	for _, r := range results {
		ns = append(ns, string(r.Name))
	}
	return ns
}

// everyScheme is an experiment for each scheme and reclamation.
func everyScheme() (es []Experiment) {
	for _, s := range append(pcbinfo.Names(), "smr:smr=gc") {
		workers := 2
		if s == "unsync" || s == "owned" {
			workers = 1
		}
		es = append(es, tiny(s, workers))
	}
	return es
}

// TestChildLines checks that every sample is one whole line that benchfmt reads, with the common metrics in order and no unit twice.
func TestChildLines(t *testing.T) {
	es := everyScheme()
	out, errs, err := child(t, Job{Experiments: es, Rounds: 1, Timing: brief, Seed: 3})
	if err != nil || len(errs) > 0 {
		t.Fatalf("%v\n%s", err, errs)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Benchmark") && !strings.HasPrefix(line, "# disturbed: ") || !strings.HasSuffix(line, "\n") {
			t.Errorf("no result and no comment: %q", line)
		}
	}
	results, _ := parsed(t, out)
	if len(results) != len(es) {
		t.Fatalf("%d results of %d samples", len(results), len(es))
	}
	for _, r := range results {
		var units []string
		for _, v := range r.Values {
			unit := v.OrigUnit
			if unit == "" {
				unit = v.Unit
			}
			if slices.Contains(units, unit) {
				t.Errorf("%s has %s twice", r.Name, unit)
			}
			units = append(units, unit)
		}
		known := -1
		for _, name := range units {
			if i := slices.IndexFunc(Units, func(u unit) bool { return u.name == name }); i >= 0 {
				if i < known {
					t.Errorf("%s: %s comes after %s, in Units before", r.Name, name, Units[known].name)
				}
				known = i
			}
		}
		for _, name := range []string{"ns/seg", "segs/s", "p50-ns", "p99-ns", "p99.9-ns", "max-ns", "fairness", "allocs/seg", "segs/batch", "disturbed"} { // the rest is not measured everywhere
			if !slices.Contains(units, name) {
				t.Errorf("%s lacks %s", r.Name, name)
			}
		}
		if r.Iters < 1 {
			t.Errorf("%s has %d segments", r.Name, r.Iters)
		}
	}
}

// TestRounds checks that every round is complete, that the rounds' orders differ, and that the seed decides them.
func TestRounds(t *testing.T) {
	var es []Experiment
	for _, s := range []string{"null", "unsync", "global"} {
		es = append(es, tiny(s, 1))
	}
	order := func(seed uint64) []string {
		out, errs, err := child(t, Job{Experiments: es, Rounds: 3, Timing: brief, Seed: seed})
		if err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		results, _ := parsed(t, out)
		return names(results)
	}
	first := order(1)
	if len(first) != 3*len(es) {
		t.Fatalf("%d samples, want 3 rounds of %d", len(first), len(es))
	}
	rounds := slices.Collect(slices.Chunk(first, len(es)))
	for i, round := range rounds {
		sorted := slices.Compact(slices.Sorted(slices.Values(round)))
		if len(sorted) != len(es) {
			t.Errorf("round %d is not complete: %v", i, round)
		}
	}
	if slices.Equal(rounds[0], rounds[1]) && slices.Equal(rounds[1], rounds[2]) {
		t.Errorf("all rounds have the order %v", rounds[0])
	}
	if again := order(1); !slices.Equal(again, first) {
		t.Errorf("seed 1 once gave %v and then %v", first, again)
	}
	if other := order(2); slices.Equal(other, first) {
		t.Errorf("seeds 1 and 2 both gave %v", first)
	}
}

// TestPatiently: what starves is tried for longer and longer, five times at the most; what succeeds or fails is not tried again.
func TestPatiently(t *testing.T) {
	broken := errors.New("broken")
	starving := fmt.Errorf("worker 1: %w", errStarved)
	for _, c := range []struct {
		answers []error
		want    []time.Duration
	}{
		{[]error{nil}, []time.Duration{3}},
		{[]error{broken}, []time.Duration{3}},
		{[]error{starving, starving, nil}, []time.Duration{3, 12, 48}},
		{[]error{starving, starving, starving, starving, starving}, []time.Duration{3, 12, 48, 192, 768}},
	} {
		var tried []time.Duration
		err := patiently(3, errStarved, func(d time.Duration) error {
			tried = append(tried, d)
			return c.answers[len(tried)-1]
		})
		if !slices.Equal(tried, c.want) || err != c.answers[len(c.answers)-1] {
			t.Errorf("%v: tried for %v, want %v; %v", c.answers, tried, c.want, err)
		}
	}
}

// TestSeed checks that a job's seed, and nothing else, decides the workload of its samples.
func TestSeed(t *testing.T) {
	restoreSchemes(t)
	var samples []*[]pcbinfo.Segment
	addScheme("spy", func(in pcbinfo.Info) pcbinfo.Info {
		s := spy{in, new([]pcbinfo.Segment)}
		samples = append(samples, s.seen)
		return s
	})
	e := tiny("spy", 1)
	e.Workload.Seed = 99
	var first []*[]pcbinfo.Segment // table of each job; one that starves is followed by others
	for _, seed := range []uint64{1, 1, 2} {
		n := len(samples)
		Child(input(t, Job{Experiments: []Experiment{e}, Rounds: 1, Timing: brief, Seed: seed}), io.Discard, io.Discard)
		if len(samples) == n || len(*samples[n]) != 100 {
			t.Fatalf("%d samples, want one of 100 segments", len(samples)-n)
		}
		first = append(first, samples[n])
	}
	if !slices.Equal(*first[0], *first[1]) {
		t.Error("seed 1 gave two different workloads")
	}
	if slices.Equal(*first[0], *first[2]) {
		t.Error("seeds 1 and 2 gave the same workload")
	}
}

// TestFailedSamples checks that a sample with a fault has no line, is named with what went wrong, and stops nobody else.
func TestFailedSamples(t *testing.T) {
	restoreSchemes(t)
	breakSchemes()
	es := []Experiment{tiny("global", 2)}
	for fault := range faults {
		es = append(es, tiny(fault, 2))
	}
	failures := 2 * len(faults)
	out, errs, err := child(t, Job{Experiments: es, Rounds: 2, Timing: brief, Seed: 1})
	if !errors.Is(err, ErrFailedSamples) || !strings.HasPrefix(err.Error(), fmt.Sprint(failures, " ")) {
		t.Errorf("the job ended with %v, want %d failed samples", err, failures)
	}
	results, _ := parsed(t, out)
	good := resolved(t, es[0]).name()
	if got := names(results); !slices.Equal(got, []string{good, good}) {
		t.Errorf("there are numbers for %v", got)
	}
	reports := strings.Split(string(errs), "FAILED ")[1:]
	if len(reports) != failures {
		t.Fatalf("%d reports of failure, want %d:\n%s", len(reports), failures, errs)
	}
	for fault, says := range map[string][]string{
		"lossy":    {"segments with outcome"},
		"panicky":  {"pcb 7 is gone", "panickyCPU).Input (broken_test.go:"},
		"leaky":    {"7 inpcbs leaked"},
		"shut":     {"there is no way in", "shutCPU.Listen (broken_test.go:"},
		"breaking": {"the table is in pieces", "breaking.Walk (broken_test.go:"},
	} {
		name := resolved(t, tiny(fault, 2)).name()
		for _, s := range says {
			told := func(report string) bool {
				return strings.HasPrefix(report, name+": no number: ") && strings.Contains(report, s)
			}
			if !slices.ContainsFunc(reports, told) {
				t.Errorf("no report on %s says %q:\n%s", name, s, errs)
			}
		}
	}
}

func TestBadJobs(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"Experiments": 3}`, `{"Rounds": -1.5}`} {
		var out bytes.Buffer
		if err := Child(strings.NewReader(text), &out, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "reading the job: ") || out.Len() > 0 {
			t.Errorf("job %q ended with %v and wrote %q", text, err, &out)
		}
	}
	var out bytes.Buffer
	es := []Experiment{tiny("global", 1), tiny("nothere", 1)}
	if err := Child(input(t, Job{Experiments: es, Rounds: 1, Timing: brief, Seed: 1}), &out, io.Discard); err == nil || !strings.Contains(err.Error(), "nothere") || out.Len() > 0 {
		t.Errorf("a job that is refused in part ended with %v and wrote %q", err, &out)
	}
}

// full is a full disk.
type full struct{ writes int }

func (w *full) Write([]byte) (int, error) {
	w.writes++
	return 0, syscall.ENOSPC
}

// TestChildOnFullDisk checks that a job ends with the first line that cannot be written; that is no failed sample.
func TestChildOnFullDisk(t *testing.T) {
	var out full
	var errs bytes.Buffer
	err := Child(input(t, Job{Experiments: []Experiment{tiny("global", 1), tiny("null", 1)}, Rounds: 3, Timing: brief, Seed: 1}), &out, &errs)
	if !errors.Is(err, syscall.ENOSPC) || out.writes != 1 || errs.Len() > 0 {
		t.Errorf("the job ended with %v after %d writes, having said %q", err, out.writes, &errs)
	}
}
