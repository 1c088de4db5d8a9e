package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"

	"pcbbench/harness"
	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/gate"
	"pcbbench/harness/compare/verdict"
	"pcbbench/harness/machine"
	"pcbbench/harness/revision"
)

// gateBase builds two revisions, counts what is exact, measures both side by side, and measures again what that accuses.
func (r *abRequest) gateBase(ctx context.Context, std streams, limits gate.Limits) (v *gate.Verdict, err error) {
	var counts []compare.Row
	if counts, err = r.counts(ctx, std, limits); err != nil {
		return nil, err
	}
	err = r.between(ctx, std, func(s *harness.Session) error {
		v, err = judge(ctx, r.sessions(s, std, limits, counts), limits)
		return err
	})
	return v, err
}

// sessions measures in sessions, each as long as it takes until limits can be held to it.
func (r *abRequest) sessions(s *harness.Session, std streams, limits gate.Limits, counts []compare.Row) runner {
	all := s.Experiments
	return func(ctx context.Context, only []string) (c *compare.Comparison, err error) {
		s.Experiments = all
		if only != nil {
			s.Experiments = called(all, only)
			s.Seed++ // another draw of workload and order
			fmt.Fprintf(std.err, "measuring again the %d that are accused\n", len(s.Experiments))
		}
		s.Look = func(path string, look int) (bool, []machine.KeyValue, error) {
			var notes []machine.KeyValue
			if c, notes, err = r.atLook(path, look, limits); err != nil {
				return false, nil, err
			}
			return !slices.ContainsFunc(gate.Judge(c, nil, limits).Findings, func(f gate.Finding) bool { return f.Kind == gate.CannotTell }), notes, nil
		}
		path, err := s.Run(ctx)
		if path != "" {
			fmt.Fprintf(std.err, "results in %s\n", path)
		}
		if err != nil {
			return nil, err
		}
		c.Rows = append(c.Rows, counts...)
		return c, nil
	}
}

// atLook compares at the level that this look may spend.
func (r *abRequest) atLook(path string, look int, limits gate.Limits) (*compare.Comparison, []machine.KeyValue, error) {
	f, err := file.Load(path)
	if err != nil {
		return nil, nil, err
	}
	o, err := limits.Options(f)
	if err != nil {
		return nil, nil, err
	}
	o.Alpha = verdict.Spend(r.alpha, r.session.Looks)[look-1]
	o.Confidence = 1 - o.Alpha
	c, err := compare.DiffPaired(f, o)
	return c, r.notes(o.Alpha, look), err
}

// called are those of es whose benchmarks are called so.
func called(es []harness.Experiment, names []string) (some []harness.Experiment) {
	for i, name := range harness.Names(es) {
		if slices.Contains(names, name) {
			some = append(some, es[i])
		}
	}
	return some
}

// counts compares the exact counters of both revisions.
func (r *abRequest) counts(ctx context.Context, std streams, limits gate.Limits) (rows []compare.Row, err error) {
	b, err := revision.NewBuilder(ctx, "count")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	var files []*file.File
	for i, rev := range []string{r.base, r.head} {
		fmt.Fprintf(std.err, "counting in %s\n", rev)
		bin, err := b.Build(ctx, rev)
		if ctx.Err() != nil {
			return nil, harness.ErrInterrupted
		}
		if err != nil {
			return nil, err
		}
		f, err := count(ctx, bin, filepath.Join(filepath.Dir(bin.Path), fmt.Sprint(i)))
		if ctx.Err() != nil {
			return nil, harness.ErrInterrupted
		}
		if err != nil {
			return nil, fmt.Errorf("counting in %s: %w", rev, err)
		}
		files = append(files, f)
	}
	o, err := limits.Options(files...)
	if err != nil {
		return nil, err
	}
	c, err := compare.Diff(files[0], files[1], o)
	if err != nil {
		return nil, err
	}
	return c.Rows, c.Refusal()
}

// count has bin count everything, into a results folder of its own.
func count(ctx context.Context, bin revision.Binary, results string) (*file.File, error) {
	out, err := exec.CommandContext(ctx, bin.Path, "exact", "-results", results).CombinedOutput()
	if bytes.Contains(out, []byte("unknown command")) {
		return nil, errors.New("its pcbbench is older than pcbbench exact: choose a later revision")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(results, "exact", "*.txt"))
	if err == nil && len(paths) != 1 {
		err = fmt.Errorf("%d files of exact counters, want one", len(paths))
	}
	if err != nil {
		return nil, err
	}
	return file.Load(paths[0])
}
