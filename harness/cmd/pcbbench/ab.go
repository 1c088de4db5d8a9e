package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/verdict"
	"pcbbench/harness/machine"
	"pcbbench/harness/revision"
)

// ab builds two revisions, measures them side by side, and compares.
func ab(ctx context.Context, args []string, std streams) error {
	r, err := readAB(args, std)
	if err != nil {
		return err
	}
	return r.between(ctx, std, func(s *harness.Session) error {
		path, err := r.measure(ctx, s)
		if path == "" {
			return err
		}
		fmt.Fprintf(std.err, "results in %s\n", path)
		if shown := r.report(std, path); err == nil { // as in measure
			err = shown
		}
		return err
	})
}

// An abRequest is what the command line asks ab for.
type abRequest struct {
	base, head string
	matrix     harness.Matrix
	session    harness.Session
	rule       compare.Rule
	alpha      float64
	open       []compare.Row // at the last look
	began      time.Time
}

// timeUnit is the metric that decides when a session is over.
const timeUnit = "ns/seg"

func readAB(args []string, std streams) (*abRequest, error) {
	r := &abRequest{}
	fs := newFlagSet("ab")
	r.flags(fs)
	r.budgetFlag(fs, "most time to spend (default 30s for each experiment, at least 1m)")
	r.resolutionFlag(fs)
	if err := parse(fs, std, args, "base revision", "[head revision]"); err != nil {
		return nil, err
	}
	r.base, r.head = fs.Arg(0), cmp.Or(fs.Arg(1), revision.Here)
	return r, r.settle(fs)
}

// flags binds what sessions have in common.
func (r *abRequest) flags(fs *flag.FlagSet) {
	s := &r.session
	matrixFlags(fs, &r.matrix)
	otherDefaults(fs, map[string]string{"schemes": "global,refcount,connp,smr", "mixes": "churn,rpc", "work": "500", "workers": "as many as CPUs"})
	fs.DurationVar(&s.Measure, "measure", 40*time.Millisecond, "measured time of a sample")
	fs.DurationVar(&s.Warm, "warm", 5*time.Millisecond, "least time before it; a whole lap is waited for in any case")
	fs.IntVar(&s.Looks, "looks", 4, "how often it is seen whether all is decided, 1 to 10")
	fs.Float64Var(&r.alpha, "alpha", 0.01, "probability of any false alarm, over all looks and rows")
	fs.Uint64Var(&s.Seed, "seed", 0, "of the order and the workload (default from the clock)")
	fs.StringVar(&s.Dir, "results", "results", "results folder")
}

func (r *abRequest) budgetFlag(fs *flag.FlagSet, doc string) {
	fs.DurationVar(&r.session.Budget, "budget", 0, doc)
}

func (r *abRequest) resolutionFlag(fs *flag.FlagSet) {
	fs.Float64Var(&r.rule.Resolution, "resolution", 0.005, "difference in "+timeUnit+", as a share, below which two arms count as the same")
}

// settle checks what flags say, and plans.
func (r *abRequest) settle(fs *flag.FlagSet) error {
	s := &r.session
	r.rule.Unit = timeUnit
	if s.Budget < 0 || s.Measure < time.Millisecond || s.Warm < 0 || s.Looks < 1 || s.Looks > 10 {
		return errUsage{errors.New("-budget and -warm must not be negative, -measure at least 1ms, -looks 1 to 10")}
	}
	if !share(r.alpha) || fs.Lookup("resolution") != nil && !share(r.rule.Resolution) {
		return errUsage{errors.New("-alpha and -resolution must lie between 0 and 1")}
	}
	if len(r.matrix.Loads) > 0 {
		return errUsage{errors.New("-loads: each arm would have a share of its own maximum, and the slower one less to do; give -rates")}
	}
	if s.Seed == 0 && !isSet(fs, "seed") {
		s.Seed = uint64(time.Now().UnixNano())
	}
	if err := resultsFolder(s.Dir); err != nil {
		return err
	}
	if err := settle(&r.matrix); err != nil {
		return err
	}
	r.matrix.CPUs = cpus(machine.Gather().Topology)
	r.matrix.Compare()
	s.Experiments = r.matrix.Experiments()
	if err := harness.Validate(s.Experiments); err != nil {
		return errUsage{err}
	}
	if s.Budget == 0 {
		s.Budget = max(time.Minute, 30*time.Second*time.Duration(len(s.Experiments)))
	}
	return nil
}

// between builds both revisions, has f measure them, and clears up.
func (r *abRequest) between(ctx context.Context, std streams, f func(*harness.Session) error) (err error) {
	b, err := revision.NewBuilder(ctx, "")
	if err != nil {
		return errUsage{err}
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	var bins []revision.Binary
	for i, rev := range []string{r.base, r.head} {
		fmt.Fprintf(std.err, "building %s\n", rev)
		bin, err := b.Build(ctx, rev)
		if ctx.Err() != nil {
			return harness.ErrInterrupted
		}
		if err != nil {
			return errUsage{err}
		}
		bins = append(bins, bin)
		r.session.Arms = append(r.session.Arms, harness.Arm{Name: [...]string{"baseline", "experiment"}[i], Command: []string{bin.Path, "process"}})
	}
	s := r.session
	s.Facts, s.Stderr, s.Look = seriesFacts(bins[0], bins[1]), std.err, r.look
	return f(&s)
}

// seriesFacts are the keys by which x/perf's benchseries orders comparisons.
func seriesFacts(base, head revision.Binary) []machine.KeyValue {
	facts := []machine.KeyValue{
		{Key: "baseline-commit", Value: base.Commit},
		{Key: "experiment-commit", Value: head.Commit},
		{Key: "experiment-commit-time", Value: head.Time},
		{Key: "runstamp", Value: time.Now().UTC().Format(time.RFC3339)},
	}
	if head.Dirty {
		facts = append(facts, machine.KeyValue{Key: "experiment-dirty", Value: "yes"})
	}
	return facts
}

// measure runs s.
func (r *abRequest) measure(ctx context.Context, s *harness.Session) (string, error) {
	r.began = time.Now()
	return s.Run(ctx)
}

// look decides whether s may end, at the level that this look may spend.
func (r *abRequest) look(path string, look int) (done bool, notes []machine.KeyValue, err error) {
	f, err := file.Load(path)
	if err != nil {
		return false, nil, err
	}
	alpha := verdict.Spend(r.alpha, r.session.Looks)[look-1]
	c, err := compare.DiffPaired(f, compare.Options{Alpha: alpha, Confidence: 1 - alpha})
	if err != nil {
		return false, nil, err
	}
	r.open = r.rule.Open(c)
	return len(r.open) == 0, r.notes(alpha, look), nil
}

// notes are for who reads the file later.
func (r *abRequest) notes(alpha float64, look int) []machine.KeyValue {
	return []machine.KeyValue{
		{Key: "alpha", Value: strconv.FormatFloat(alpha, 'g', 4, 64)},
		{Key: "looks", Value: fmt.Sprintf("%d of %d", look, r.session.Looks)},
	}
}

// report prints the comparison, and what is not decided.
func (r *abRequest) report(std streams, path string) error {
	if err := comparePaired(std, path); err != nil {
		return err
	}
	return r.undecided(std.out, time.Since(r.began))
}

func (r *abRequest) undecided(w io.Writer, taken time.Duration) error {
	var b strings.Builder
	for _, row := range r.open {
		fmt.Fprintf(&b, "Undecided: %s: neither told apart nor within %.2g%%", row.Name, 100*r.rule.Resolution)
		if needs := r.rule.Needs(row, taken); needs > 0 {
			fmt.Fprintf(&b, "; it would take about %v in all (-budget)", needs.Round(time.Second))
		}
		fmt.Fprintln(&b, ".")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
