package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/machine"
)

// profileCmd records who waits for which lock, and prints the tables.
func profileCmd(ctx context.Context, args []string, std streams) error {
	r := &request{}
	o := harness.ProfileOptions{Timing: harness.Timing{Warm: 5 * time.Millisecond}, Stderr: std.err}
	fs := newFlagSet("profile")
	matrixFlags(fs, &r.matrix)
	otherDefaults(fs, map[string]string{"mixes": "churn", "work": strconv.Itoa(harness.DefaultWork), "workers": "the CPUs"})
	fs.DurationVar(&o.Timing.Measure, "measure", 200*time.Millisecond, "measured time of a sample")
	profileFlags(fs, &o, 3)
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if err := checkProfile(&o); err != nil {
		return err
	}
	if err := settle(&r.matrix); err != nil {
		return err
	}
	n := cpus(machine.Gather().Topology)
	profileDefaults(&r.matrix, n)
	if err := r.plan(n); err != nil {
		return err
	}
	o.Experiments = r.options.Experiments
	if err := harness.ValidateProfile(o.Experiments); err != nil {
		return errUsage{err}
	}
	path, list, err := harness.Profile(ctx, o)
	if path != "" {
		fmt.Fprintf(std.err, "results in %s\n", path)
	}
	for _, p := range list {
		if shown := p.Write(std.out, o.Sort, o.Top); err == nil {
			err = shown
		}
		fmt.Fprintln(std.out)
	}
	return err
}

// profileDefaults narrows a matrix to one mix with work, all CPUs at it, where nothing was asked for.
func profileDefaults(m *harness.Matrix, cpus int) {
	if len(m.Mixes) == 0 {
		m.Mixes = []string{"churn"}
	}
	if len(m.Works) == 0 {
		m.Works = []int{harness.DefaultWork}
	}
	if len(m.Workers) == 0 {
		m.Workers = []int{cpus}
	}
}

// profileFlags binds what profile and table1 have in common of o.
func profileFlags(fs *flag.FlagSet, o *harness.ProfileOptions, rounds int) {
	fs.IntVar(&o.Rounds, "rounds", rounds, "samples of each experiment")
	fs.StringVar(&o.Sort, "sort", "", "column by which tables are sorted: "+strings.Join(harness.ProfileColumns(), ", ")+" (default wait_total)")
	fs.IntVar(&o.Top, "top", 20, "sites that a table shows; 0: all")
	fs.Uint64Var(&o.Seed, "seed", 1, "seed of the workload")
	fs.StringVar(&o.Dir, "results", "results", "results folder")
}

func checkProfile(o *harness.ProfileOptions) error {
	switch {
	case o.Timing.Measure <= 0 || o.Rounds < 1 || o.Top < 0:
		return errUsage{errors.New("-measure must be more than 0, -rounds at least 1, -top not negative")}
	case o.Sort != "" && !slices.Contains(harness.ProfileColumns(), o.Sort):
		return errUsage{fmt.Errorf("-sort %q: want one of %s", o.Sort, strings.Join(harness.ProfileColumns(), ", "))}
	}
	return resultsFolder(o.Dir)
}
