package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/machine"
	"pcbbench/workloads"
)

// table1Cmd records how contended one global lock and connection groups are, and prints that beside what was published.
func table1Cmd(ctx context.Context, args []string, std streams) error {
	r := &request{}
	o := harness.ProfileOptions{Timing: harness.Timing{Warm: 5 * time.Millisecond}, Folder: "table1", Stderr: std.err}
	m := &r.matrix
	fs := newFlagSet("table1")
	listFlag(fs, &m.Mixes, "mixes", "one mix (default bulk)", asString)
	listFlag(fs, &m.Conns, "conns", "connections (default 6,192,16384)", atLeast1)
	listFlag(fs, &m.Workers, "workers", "worker counts (default the CPUs, and 4)", atLeast1)
	listFlag(fs, &m.Works, "work", fmt.Sprintf("protocol work a segment, in ns: one number (default %d)", harness.DefaultWork), strconv.Atoi)
	listFlag(fs, &m.Affinities, "affinity", "rss or spray (default spray)", func(s string) (workloads.Affinity, error) { return workloads.Affinity(s), nil })
	listFlag(fs, &m.Locks, "locks", "one table lock (default each scheme's own)", asString)
	fs.DurationVar(&o.Timing.Measure, "measure", 100*time.Millisecond, "measured time of a sample")
	profileFlags(fs, &o, 3)
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if err := checkProfile(&o); err != nil {
		return err
	}
	if len(m.Mixes) > 1 || len(m.Works) > 1 || len(m.Affinities) > 1 || len(m.Locks) > 1 {
		return errUsage{fmt.Errorf("table1 has rows for -conns and tables for -workers; give one mix, work, affinity and lock")}
	}
	n := cpus(machine.Gather().Topology)
	harness.Table1Matrix(m, n)
	if err := r.plan(n); err != nil {
		return err
	}
	o.Experiments = r.options.Experiments
	if err := harness.ValidateProfile(o.Experiments); err != nil {
		return errUsage{err}
	}
	o.Notes = harness.Table1Notes(n, m.Works[0])
	o.Summary = func(list []*harness.Profiled) (string, error) {
		var text strings.Builder
		err := harness.WriteTable1(&text, o.Experiments, list)
		fmt.Fprint(std.out, o.Notes, text.String())
		return text.String(), err
	}
	path, _, err := harness.Profile(ctx, o)
	if path != "" {
		fmt.Fprintf(std.err, "results in %s\n", path)
	}
	return err
}
