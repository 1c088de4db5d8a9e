package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/aa"
	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/gate"
	"pcbbench/harness/machine"
	"pcbbench/harness/proof"
)

// aaCmd tests the suite's own verdicts.
func aaCmd(ctx context.Context, args []string, std streams) error {
	r, err := readAA(args, std)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "pcbbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	return r.run(ctx, std, temp)
}

// An aaRequest is what the command line asks aa for.
type aaRequest struct {
	abRequest
	duration time.Duration
	alike    int
	plants   []float64 // percent
	budgets  []time.Duration
	plain    bool

	planned []aa.Arm
	session harness.Session
	test    aa.Plain
	runs    []aa.Run // plain ones
}

func readAA(args []string, std streams) (*aaRequest, error) {
	r := &aaRequest{}
	fs := newFlagSet("aa")
	r.flags(fs)
	r.resolutionFlag(fs)
	otherDefaults(fs, map[string]string{"schemes": "smr; one only", "mixes": "churn; one only", "workers": "as many as CPUs; one number only"})
	fs.DurationVar(&r.duration, "duration", 45*time.Minute, "of the whole")
	fs.IntVar(&r.alike, "alike", 4, "arms that are as they are, 2 to 8")
	fs.BoolVar(&r.plain, "plain", true, "measure in a quarter of the time by go test -count and benchstat's test, too (in a checkout)")
	listFlag(fs, &r.plants, "plants", "slowdowns of the other arms, in percent (default 2,1,5; the first is the one for the plain way, too)", aboveZero)
	listFlag(fs, &r.budgets, "budgets", "of the comparisons that the session is cut into (default 60s,4m)", time.ParseDuration)
	if err := parse(fs, std, args); err != nil {
		return nil, err
	}
	r.plants, r.budgets = orElse(r.plants, 2, 1, 5), orElse(r.budgets, time.Minute, 4*time.Minute)
	r.matrix.Schemes, r.matrix.Mixes = orElse(r.matrix.Schemes, "smr"), orElse(r.matrix.Mixes, "churn")
	if r.alike < 2 || r.alike > 8 || r.duration < time.Minute {
		return nil, errUsage{errors.New("-alike must be 2 to 8, -duration at least a minute")}
	}
	if err := r.settle(fs); err != nil {
		return nil, err
	}
	if len(r.abRequest.session.Experiments) != 1 {
		return nil, errUsage{fmt.Errorf("%d experiments; a self-test is of one scheme, mix and number of workers", len(r.abRequest.session.Experiments))}
	}
	return r, nil
}

func orElse[T any](list []T, values ...T) []T {
	if len(list) == 0 {
		return values
	}
	return list
}

func (r *aaRequest) run(ctx context.Context, std streams, temp string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r.session = r.abRequest.session
	r.session.Stderr, r.session.Dir = std.err, temp
	scheme := r.session.Experiments[0].Scheme
	arm := func(name string, ns float64) harness.Arm {
		return harness.Arm{Name: name, Command: []string{self, "process"}, Plant: harness.Plant{Scheme: scheme, NS: ns}}
	}
	if r.plain {
		if err := r.build(ctx, temp); err != nil {
			return err
		}
	}
	perPercent, err := r.calibrate(ctx, arm)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "1%% is %.3g ns a segment\n", perPercent)
	r.session.Arms = nil
	for i := range r.alike {
		r.planned = append(r.planned, aa.Arm{Name: fmt.Sprint("alike", i)})
		r.session.Arms = append(r.session.Arms, arm(r.planned[i].Name, 0))
	}
	for _, percent := range r.plants {
		r.planned = append(r.planned, aa.Arm{Name: fmt.Sprint("plus", percent), Percent: percent})
		r.session.Arms = append(r.session.Arms, arm(fmt.Sprint("plus", percent), percent*perPercent))
	}
	path, took, err := r.long(ctx, perPercent)
	if path == "" || took == 0 {
		return err
	}
	return errors.Join(err, r.report(std, path, took, perPercent))
}

// build makes the test binary of the plain way.
func (r *aaRequest) build(ctx context.Context, temp string) error {
	r.test = aa.Plain{Binary: filepath.Join(temp, "harness.test"), Bench: "^BenchmarkInput$", Count: 10, Unit: timeUnit}
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-pgo=off", "-o", r.test.Binary, "./harness").CombinedOutput(); err != nil {
		return fmt.Errorf("building the plain benchmark (-plain=false leaves it out): %w: %s", err, out)
	}
	return nil
}

// calibrate measures how many ns of planted work make one percent.
func (r *aaRequest) calibrate(ctx context.Context, arm func(string, float64) harness.Arm) (perPercent float64, err error) {
	const ns = 50
	s := r.session
	s.Arms = []harness.Arm{arm("baseline", 0), arm("experiment", ns)}
	s.Budget, s.Looks = min(r.duration/20, time.Minute), 1
	s.Look = func(path string, _ int) (bool, []machine.KeyValue, error) {
		f, err := file.Load(path)
		if err != nil {
			return false, nil, err
		}
		c, err := compare.DiffPaired(f, compare.Options{Units: []string{timeUnit}})
		if err != nil {
			return false, nil, err
		}
		e := c.Rows[0].Effect
		if !(e.Lo > 1) {
			return false, nil, fmt.Errorf("%d ns of planted work changed %s by a factor of %.4f (%.4f to %.4f): nothing to calibrate by", ns, timeUnit, e.Ratio, e.Lo, e.Hi)
		}
		perPercent = ns / (100 * (e.Ratio - 1))
		return true, nil, nil
	}
	_, err = s.Run(ctx)
	return perPercent, err
}

// chunk is for how long sessions and plain runs take turns.
const chunk = 2 * time.Minute

// long measures all arms, and the plain way in between.
func (r *aaRequest) long(ctx context.Context, perPercent float64) (path string, took time.Duration, err error) {
	s := r.session
	s.Budget = r.duration
	if r.plain {
		s.Budget = r.duration * 3 / 4
	}
	s.Looks = max(1, int(s.Budget/chunk))
	s.Look = func(_ string, look int) (bool, []machine.KeyValue, error) {
		took = s.Budget * time.Duration(look) / time.Duration(s.Looks)
		if !r.plain || look == s.Looks {
			return false, nil, nil
		}
		return false, nil, r.plainly(ctx, perPercent)
	}
	path, err = s.Run(ctx)
	return path, took, err
}

// plainly runs the plain benchmark: twice as it is, once with the first of the plants.
func (r *aaRequest) plainly(ctx context.Context, perPercent float64) error {
	e := r.session.Experiments[0]
	for _, a := range []aa.Arm{r.planned[0], r.planned[1], r.planned[r.alike]} {
		job, err := json.Marshal(harness.Job{Experiments: r.session.Experiments, Seed: r.session.Seed, Plant: harness.Plant{Scheme: e.Scheme, NS: a.Percent * perPercent},
			Timing: harness.Timing{Warm: r.session.Warm, Measure: time.Second}})
		if err != nil {
			return err
		}
		run, err := r.test.Run(ctx, a, "PCBBENCH_JOB="+string(job))
		if err != nil {
			return err
		}
		r.runs = append(r.runs, run)
	}
	return nil
}

// report writes what came out, and keeps it.
func (r *aaRequest) report(std streams, path string, took time.Duration, perPercent float64) error {
	limits, err := gate.Default()
	if err != nil {
		return err
	}
	f, err := file.Load(path)
	if err != nil {
		return err
	}
	d := aa.Design{Arms: r.planned, Limits: limits, Alpha: r.alpha, Looks: r.abRequest.session.Looks, Rule: r.rule, Took: took}
	var all []aa.Trial
	for _, budget := range r.budgets {
		trials, err := d.Trials(f, budget)
		if err != nil {
			fmt.Fprintf(std.err, "pcbbench: aa: %v\n", err)
		}
		all = append(all, trials...)
	}
	if len(all) == 0 {
		return errors.New("the session was too short for any comparison")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "self-test: %s, %d arms in %v, alpha %v over %d looks; 1%% is %.3g ns a segment\n", harness.Names(r.session.Experiments)[0], len(r.planned),
		took.Round(time.Second), r.alpha, d.Looks, perPercent)
	fmt.Fprintf(&b, "machine: %s\n\npcbbench ab:\n", machine.Gather().Slug())
	plain := aa.Neighbours(r.runs)
	err = errors.Join(aa.WriteScores(&b, aa.Scores(all, d.Looks)), plainScores(&b, plain), writeTrials(&b, all, plain))
	if err != nil {
		return err
	}
	kept, err := proof.Keep(r.abRequest.session.Dir, "aa", time.Now(), b.Bytes())
	scores, _, _ := strings.Cut(b.String(), "\ncomparisons:\n")
	fmt.Fprint(std.out, scores)
	fmt.Fprintf(std.err, "all comparisons in %s\n", kept)
	return err
}

func plainScores(w io.Writer, trials []aa.Trial) error {
	if len(trials) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\ngo test -count=10, one arm after the other, and benchstat's test at 0.05:")
	return aa.WriteScores(w, aa.Scores(rounded(trials), 1))
}

// rounded gives trials that took about as long one budget.
func rounded(trials []aa.Trial) []aa.Trial {
	trials = slices.Clone(trials)
	for i := range trials {
		trials[i].Budget = trials[0].Budget.Round(time.Second)
	}
	return trials
}

func writeTrials(w io.Writer, ours, plain []aa.Trial) error {
	fmt.Fprintln(w, "\ncomparisons:")
	return errors.Join(aa.WriteTrials(w, ours), aa.WriteTrials(w, plain))
}
