package aa

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/gate"
)

var (
	alike0 = Arm{Name: "alike0"}
	alike1 = Arm{Name: "alike1"}
	plus2  = Arm{Name: "plus2", Percent: 2}
)

// session is a file of that many restarts, of 4 pairs each, whose arms have pairs that differ by some percent and restarts that do, too.
func session(t *testing.T, restarts int, arms ...Arm) *file.File {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	fmt.Fprintln(&b, "Unit ns/seg better=lower\nUnit allocs/seg better=lower assume=exact")
	for pair := range 4 * restarts {
		for _, a := range arms {
			ns := 300 * (1 + a.Percent/100) * math.Exp(0.01*rng.NormFloat64())
			fmt.Fprintf(&b, "toolchain: %s\nBenchmarkInput/scheme=smr\t100\t%.3f ns/seg\t0 allocs/seg\t2 pingpong-class\t0 disturbed\t%d pair\t%d restart\n", a.Name, ns, pair+1, pair/4+1)
		}
	}
	path := filepath.Join(t.TempDir(), "session.txt")
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := file.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func design(took time.Duration, arms ...Arm) Design {
	return Design{Arms: arms, Limits: gate.Limits{{Benchmark: "Input", Unit: "ns/seg", Least: 0.01}, {Benchmark: "Input", Unit: "allocs/seg", Exact: true}}, Alpha: 0.01, Looks: 4, Rule: compare.Rule{Unit: "ns/seg", Resolution: 0.01}, Took: took}
}

// TestTrials cuts a session of known differences into comparisons: as many as there are, of parts that do not overlap, with the outcomes that were put in.
func TestTrials(t *testing.T) {
	f := session(t, 240, alike0, alike1, plus2)
	d := design(360*time.Second, alike0, alike1, plus2) // two arms alone would have taken 240 s
	trials, err := d.Trials(f, 40*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if want := 6 * 3; len(trials) != want {
		t.Fatalf("%d comparisons, want %d", len(trials), want)
	}
	for _, tr := range trials {
		switch {
		case tr.Restarts != 10*tr.Looks:
			t.Errorf("%+v: want 40 restarts in 4 looks", tr)
		case tr.Accused != (tr.Arms[1] == plus2):
			t.Errorf("accused: %+v", tr)
		case tr.Arms[1] == plus2 && (tr.Outcome != Slower || tr.Unit != "ns/seg" || tr.Ratio < 1.01 || tr.Ratio > 1.03):
			t.Errorf("2%% planted: %+v", tr)
		case tr.Arms[1] == alike1 && tr.Outcome != Same:
			t.Errorf("alike: %+v", tr)
		}
	}
	for _, s := range Scores(trials, d.Looks) {
		want := Score{Percent: s.Percent, Budget: 40 * time.Second, Trials: 6}
		if s.Percent == 2 {
			want.Trials, want.Told, want.Right, want.Accused = 12, 12, 12, 12
		}
		if s.Trials != want.Trials || s.Told != want.Told || s.Right != want.Right || s.Accused != want.Accused || s.Undecided != 0 || s.Spent > 30*time.Second {
			t.Errorf("%+v, want %+v", s, want)
		}
	}
}

// TestTrialsRefuse says what a session cannot be cut into.
func TestTrialsRefuse(t *testing.T) {
	f := session(t, 8, alike0, alike1)
	refuses := func(want string, took, budget time.Duration, arms ...Arm) {
		t.Helper()
		if _, err := design(took, arms...).Trials(f, budget); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	refuses("have 3 restarts for 4 looks", 8*time.Second, 3*time.Second, alike0, alike1)
	refuses("no results of arm plus2", 8*time.Second, 8*time.Second, alike0, plus2)
	f.Results[1].Values = f.Results[1].Values[:1]
	refuses("session.txt:6: a result without its restart", 8*time.Second, 8*time.Second, alike0, alike1)
}

// TestScores counts a slowdown that is found as a speed-up in the other order as found, and one that is not as not.
func TestScores(t *testing.T) {
	trials := []Trial{
		{Arms: [2]Arm{plus2, alike0}, Budget: 1, Looks: 1, Outcome: Faster, Ratio: 1 / 1.02},
		{Arms: [2]Arm{alike0, plus2}, Budget: 1, Looks: 1, Outcome: Slower, Ratio: 1.03},
		{Arms: [2]Arm{alike0, plus2}, Budget: 1, Looks: 1, Outcome: Faster, Ratio: 0.99},
		{Arms: [2]Arm{alike0, plus2}, Budget: 1, Looks: 1, Outcome: Undecided, Ratio: 1},
		{Arms: [2]Arm{alike0, alike1}, Budget: 1, Looks: 1, Outcome: Faster, Ratio: 0.9},
		{Arms: [2]Arm{alike0, alike1}, Budget: 1, Looks: 1, Outcome: Same, Ratio: 1},
	}
	list := Scores(trials, 1)
	if len(list) != 2 {
		t.Fatalf("%d scores", len(list))
	}
	if s := list[0]; s.Percent != 2 || s.Trials != 4 || s.Told != 3 || s.Right != 2 || s.Undecided != 1 || math.Abs(s.Estimates[2]-2) > 1e-9 {
		t.Errorf("planted: %+v", s)
	}
	if s := list[1]; s.Percent != 0 || s.Trials != 2 || s.Told != 1 || s.Right != 0 {
		t.Errorf("alike: %+v", s)
	}
	var b bytes.Buffer
	if err := WriteScores(&b, list); err != nil || !strings.Contains(b.String(), "none (A/A)") || strings.Count(b.String(), "\n") != 3 {
		t.Errorf("%v\n%s", err, b.String())
	}
	b.Reset()
	if err := WriteTrials(&b, trials); err != nil || strings.Count(b.String(), "\n") != 7 || !strings.Contains(b.String(), "\nalike0-alike1,0s,0,1,0,same,,false,1.00000,") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestNeighbours is benchstat's test.
func TestNeighbours(t *testing.T) {
	low, high := []float64{1, 1.01, 1.02, 1.03, 1.04}, []float64{1.1, 1.11, 1.12, 1.13, 1.14}
	trials := Neighbours([]Run{{alike0, low, time.Second}, {alike1, low, time.Second}, {plus2, high, time.Second}, {alike0, low, time.Second}})
	for i, want := range []Outcome{Undecided, Slower, Faster} {
		if trials[i].Outcome != want || trials[i].Budget != 2*time.Second {
			t.Errorf("%d: %+v, want %s", i, trials[i], want)
		}
	}
}

// TestPlain reads what a test binary prints, and says so when that is not what was asked for.
func TestPlain(t *testing.T) {
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "bench")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o777); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := Plain{Binary: script("for i in 1 2; do echo \"BenchmarkInput/x 1 $PLANT ns/seg\"; done\n"), Bench: "Input", Count: 2, Unit: "ns/seg"}
	r, err := p.Run(context.Background(), plus2, "PLANT=30")
	if err != nil || len(r.Samples) != 2 || math.Abs(r.Samples[0]-30e-9) > 1e-15 || r.Arm != plus2 || r.Took <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
	p.Count = 3
	if _, err := p.Run(context.Background(), plus2, "PLANT=30"); err == nil || !strings.Contains(err.Error(), "2 samples in ns/seg, want 3") {
		t.Errorf("%v", err)
	}
	p.Binary = script("echo a panic >&2; exit 1\n")
	if _, err := p.Run(context.Background(), plus2, "A=1"); err == nil || !strings.Contains(err.Error(), "a panic") {
		t.Errorf("%v", err)
	}
}
