package harness

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
)

// sessionOf is a session of this test binary's processes, of one look.
func sessionOf(t *testing.T, es ...Experiment) Session {
	o := options(t)
	return Session{
		Experiments: es,
		Arms:        []Arm{{Name: "baseline", Command: o.Command}, {Name: "experiment", Command: o.Command}},
		Facts:       []machine.KeyValue{{Key: "runstamp", Value: "now"}},
		Measure:     20 * time.Millisecond, Budget: time.Millisecond, Looks: 1, Seed: 5, Dir: o.Dir, Stderr: o.Stderr,
		Look: func(string, int) (bool, []machine.KeyValue, error) {
			return false, []machine.KeyValue{{Key: "alpha", Value: "0.5"}}, nil
		},
	}
}

// TestSession checks one sitting: that every round has a sample of each arm and experiment, both orders as often, and who is whose.
func TestSession(t *testing.T) {
	path, err := sessionOf(t, tiny("global", 1), tiny("null", 1)).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := content(t, path)
	results, units := parsed(t, text)
	if len(results) != 2*2*roundsASitting {
		t.Fatalf("%d results\n%s", len(results), text)
	}
	type sample struct {
		name, arm string
		pair      float64
	}
	first := map[string]int{} // how often an arm came first
	seen := map[sample]bool{}
	for _, r := range results {
		pair, _ := r.Value("pair")
		restart, _ := r.Value("restart")
		s := sample{string(r.Name), r.GetConfig("toolchain"), pair}
		if restart != 1 || pair < 1 || pair > roundsASitting || seen[s] || r.GetConfig("runstamp") != "now" || r.GetConfig("seed") != "" {
			t.Errorf("restart %v, %+v, config %v", restart, s, r.Config)
		}
		seen[s] = true
		if partner := (sample{s.name, map[string]string{"baseline": "experiment", "experiment": "baseline"}[s.arm], pair}); !seen[partner] {
			first[s.name+s.arm]++
		}
	}
	for who, n := range first {
		if n != roundsASitting/2 {
			t.Errorf("%s came first in %d of %d rounds", who, n, roundsASitting)
		}
	}
	if !bytes.Contains(text, []byte("\nalpha: 0.5\n")) || bytes.Index(text, []byte("\nalpha:\n")) < bytes.Index(text, []byte("\nalpha: 0.5\n")) {
		t.Error("what the last look noted is not there, or not unset")
	}
	if err == nil && !bytes.Contains(text, []byte("\nresults: 16\n")) {
		t.Error("the end does not say how many results there are")
	}
	if units.GetBetter("ns/seg") != -1 {
		t.Error("no units")
	}
	if !bytes.Contains(text, []byte("torture: not run\n")) {
		t.Error("nothing said of the torture")
	}
}

// TestSessionLooks ends at the first look that says so, after that look's share of the budget.
func TestSessionLooks(t *testing.T) {
	s := sessionOf(t, tiny("null", 1))
	s.Looks, s.Budget = 3, 4*time.Second
	var looks []int
	s.Look = func(path string, look int) (bool, []machine.KeyValue, error) {
		if looks = append(looks, look); len(content(t, path)) == 0 {
			t.Error("a look at an empty file")
		}
		return look == 2, nil, nil
	}
	if _, err := s.Run(t.Context()); err != nil || len(looks) != 2 || looks[1] != 2 {
		t.Errorf("looks %v, %v", looks, err)
	}
}

// TestSessionNotBegun says why an arm cannot be measured, and leaves no file.
func TestSessionNotBegun(t *testing.T) {
	for _, c := range []struct {
		name  string
		wreck func(*Session)
		want  string
	}{
		{"a binary that is older", func(s *Session) { s.Arms[1].Command = []string{"true"} }, "experiment: its process ended without a word; it may be older than pcbbench ab"},
		{"one that says something else", func(s *Session) { s.Arms[0].Command = []string{"sh", "-c", "read job; echo hello; echo; read order"} }, "baseline: its pcbbench takes no orders"},
		{"another operation", func(s *Session) {
			s.Arms[1].Command = []string{"sh", "-c", `read job; echo '# pcbbench takes orders: {"Epoch":"0","Go":"go1"}'; echo; read order`}
		}, "experiment: it is of epoch 0 by go1, this pcbbench of epoch " + Epoch},
		{"one that complains", func(s *Session) { s.Arms[0].Command = []string{"sh", "-c", "echo no such luck >&2; exit 2"} }, "baseline: no such luck"},
		{"no binary", func(s *Session) { s.Arms[0].Command = []string{"./nowhere"} }, "baseline: fork/exec ./nowhere: no such file"},
		{"a table that loses segments", func(s *Session) { s.Experiments[0].Scheme = "lossy" }, "baseline: Input/scheme=lossy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sessionOf(t, tiny("null", 1))
			restoreSchemes(t)
			breakSchemes()
			c.wreck(&s)
			path, err := s.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || path != "" {
				t.Errorf("file %q, %v; want %q", path, err, c.want)
			}
		})
	}
}

// TestSessionInterrupted leaves a file that parses.
func TestSessionInterrupted(t *testing.T) {
	s := sessionOf(t, tiny("null", 1))
	ctx, cancel := context.WithCancel(t.Context())
	s.Budget, s.Looks = time.Minute, 60
	s.Look = func(string, int) (bool, []machine.KeyValue, error) {
		cancel()
		return false, nil, nil
	}
	path, err := s.Run(ctx)
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("%v", err)
	}
	if results, _ := parsed(t, content(t, path)); len(results) < 2*roundsASitting {
		t.Errorf("%d results", len(results))
	}
}

// TestPlant adds to one scheme's work and to no other's, whatever the name says.
func TestPlant(t *testing.T) {
	p := Plant{Scheme: "smr", NS: 7}
	if a, b := p.work(resolved(t, tiny("smr", 1))), p.work(resolved(t, tiny("global", 1))); a != 7 || b != 0 {
		t.Errorf("smr %v, global %v", a, b)
	}
	job := Job{Experiments: []Experiment{tiny("smr", 1)}, Rounds: 3, Timing: Timing{0, 20 * time.Millisecond}, Seed: 1}
	out, _, err := child(t, job)
	job.Plant = Plant{"smr", 50_000}
	slow, _, err2 := child(t, job)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	a, _ := parsed(t, out)
	b, _ := parsed(t, slow)
	if least(b)-least(a) < 25e-6 || a[0].Name.String() != b[0].Name.String() { // a delay is no shorter for a slow machine; half of it is for the calibration
		t.Errorf("50 µs planted: from %v to %v s a segment", least(a), least(b))
	}
}

// least is the shortest time a segment, in seconds.
func least(results []*benchfmt.Result) (sec float64) {
	for _, r := range results {
		if v, ok := r.Value("sec/seg"); ok && (sec == 0 || v < sec) {
			sec = v
		}
	}
	return sec
}
