package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/lockbench"
	"pcbbench/harness/machine"
)

// locksCmd measures locks by themselves, and prints who is fast and who is fair.
func locksCmd(ctx context.Context, args []string, std streams) error {
	m, o, err := readLocks(args, std)
	if err != nil {
		return err
	}
	m.CPUs = cpus(machine.Gather().Topology)
	var skipped []string
	if o.Locks, skipped, err = m.Cases(); err != nil {
		return errUsage{err}
	}
	if len(skipped) > 0 {
		o.Notes = "not measured: " + strings.Join(skipped, "\nnot measured: ")
	}
	return measure(ctx, std, o, reportLocks(skipped))
}

// readLocks reads the flags.
func readLocks(args []string, std streams) (m lockbench.Matrix, o harness.Options, err error) {
	o = harness.Options{Folder: "locks"}
	fs := newFlagSet("locks")
	quick := fs.Bool("quick", false, "a first look in 20 seconds: each lock's first policy only, 1 worker and as many as CPUs")
	locksFlags(fs, &m)
	fs.DurationVar(&o.Budget, "duration", 0, "about how long the whole run may take (default 3m; with -quick 20s)")
	runFlags(fs, &o, 5, 1)
	if err := parse(fs, std, args); err != nil {
		return m, o, err
	}
	if o.Processes < 1 || o.Rounds < 1 || o.Budget < 0 || o.Measure < 0 {
		return m, o, errUsage{errors.New("-processes and -rounds must be at least 1, -duration and -measure not negative")}
	}
	if *quick {
		m.FirstOnly, m.FewWorkers = true, true
		if !isSet(fs, "processes") {
			o.Processes = 2
		}
		o.Budget = cmp.Or(o.Budget, 20*time.Second)
	}
	o.Budget = cmp.Or(o.Budget, 3*time.Minute)
	return m, o, resultsFolder(o.Dir)
}

// locksFlags binds m's lists to flags.
func locksFlags(fs *flag.FlagSet, m *lockbench.Matrix) {
	listFlag(fs, &m.Locks, "locks", "locks, comma separated, as in mcs or ticket:spin (default all: every policy of every lock)", asString)
	listFlag(fs, &m.Workers, "workers", "worker counts (default 1, as many as CPUs, and four times as many)", atLeast1)
	listFlag(fs, &m.Criticals, "critical", fmt.Sprintf("ns in a section, without its lines (default %d)", lockbench.DefaultCritical), atLeast0)
	listFlag(fs, &m.Thinks, "think", fmt.Sprintf("ns between sections, on average: drawn from 0 to twice as much (default %d)", lockbench.DefaultThink), atLeast0)
	listFlag(fs, &m.Lines, "lines", "cache lines that a section writes beside its counter, 0 to 64; shared sections read them (default 1)", atLeast0)
	listFlag(fs, &m.Reads, "reads", "percent of sections that only read: shared holds, or optimistic, or exclusive where the lock is (default 0)", atLeast0)
	listFlag(fs, &m.LocksN, "locksn", "how many locks workers choose from (default 1)", atLeast1)
	listFlag(fs, &m.Unevens, "uneven", "the last worker's sections are so many times as long as the first one's (default 1)", aboveZero)
	listFlag(fs, &m.Pins, "pin", "cpu: a thread and a CPU a worker; none: goroutines (default cpu)", asString)
	fs.BoolVar(&m.Try, "try", false, "TryLock first, and count how often it fails: another load, as who tries may barge in")
}

// atLeast0 reads a number that may be zero.
func atLeast0(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q: want a whole number, at least 0", text)
	}
	return n, nil
}

// reportLocks prints what showLocks does, of a results file, and who is not in it.
func reportLocks(skipped []string) func(streams, string) error {
	return func(std streams, path string) error {
		f, err := file.Load(path)
		if err != nil {
			return err
		}
		if err := showLocks(std, f, lockRecords(f)); err != nil {
			return err
		}
		if len(skipped) > 0 {
			_, err = fmt.Fprintf(std.out, "\nNot measured:\n  %s\n", strings.Join(skipped, "\n  "))
		}
		return err
	}
}

// showLocks prints the tables of records, and what is known of the code.
func showLocks(std streams, f *file.File, records []lockbench.Record) error {
	if err := lockbench.Report(std.out, records); err != nil {
		return err
	}
	fmt.Fprintln(std.out)
	return proven(std.out, f)
}

// lockRecords are f's results of locks.
func lockRecords(f *file.File) (records []lockbench.Record) {
	for _, r := range f.Results {
		if !strings.HasPrefix(string(r.Name), lockbench.Benchmark+"/") {
			continue
		}
		rec := lockbench.Record{Name: string(r.Name), Values: map[string]float64{}, Disturbed: r.Disturbed}
		for _, val := range r.Values {
			v, unit := file.Written(val)
			rec.Values[unit] = v
		}
		records = append(records, rec)
	}
	return records
}
