package aa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// Plain measures as is usual in Go: go test -bench -count, one process for all samples of an arm, one arm after the other, and benchstat's test. It is here to be
// compared with.
type Plain struct {
	Binary string // a test binary, as of go test -c
	Bench  string // of which benchmarks, a regular expression
	Count  int
	Unit   string
}

// A Run is one arm's.
type Run struct {
	Arm     Arm
	Samples []float64
	Took    time.Duration
}

// Run measures arm, which env sets up.
func (p Plain) Run(ctx context.Context, arm Arm, env string) (r Run, err error) {
	start := time.Now()
	cmd := exec.CommandContext(ctx, p.Binary, "-test.run=^$", "-test.bench="+p.Bench, fmt.Sprint("-test.count=", p.Count), "-test.benchtime=1x", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), env)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("go test -bench: %w: %s%s", err, strings.TrimSpace(said.String()), out)
	}
	r = Run{Arm: arm, Took: time.Since(start)}
	in := benchfmt.NewReader(bytes.NewReader(out), p.Binary)
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.SyntaxError:
			err = errors.Join(err, rec)
		case *benchfmt.Result:
			for _, v := range rec.Values {
				if v.Unit == p.Unit || v.OrigUnit == p.Unit {
					r.Samples = append(r.Samples, v.Value)
				}
			}
		}
	}
	if len(r.Samples) != p.Count {
		err = errors.Join(err, fmt.Errorf("go test -bench %s: %d samples in %s, want %d", p.Bench, len(r.Samples), p.Unit, p.Count))
	}
	return r, err
}

// Neighbours compares each run with the next one as benchstat does, at its level of 0.05.
func Neighbours(runs []Run) (trials []Trial) {
	for i := 1; i < len(runs); i++ {
		a, b := runs[i-1], runs[i]
		th := benchmath.DefaultThresholds
		x, y := benchmath.NewSample(a.Samples, &th), benchmath.NewSample(b.Samples, &th)
		as := benchmath.AssumeNothing
		t := Trial{Arms: [2]Arm{a.Arm, b.Arm}, Budget: a.Took + b.Took, Block: i - 1, Looks: 1, Outcome: Undecided, Restarts: 1}
		t.Ratio = as.Summary(y, 0.95).Center / as.Summary(x, 0.95).Center
		if c := as.Compare(x, y); c.P < c.Alpha {
			if t.Outcome = Faster; t.Ratio > 1 {
				t.Outcome = Slower
			}
		}
		trials = append(trials, t)
	}
	return trials
}
