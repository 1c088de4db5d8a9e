package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/machine"
	"pcbbench/workloads"
)

// bench measures a matrix, prints the table and the sentences.
func bench(ctx context.Context, args []string, std streams) error {
	r, err := readBench(args, std)
	if err != nil {
		return err
	}
	if err := r.plan(cpus(machine.Gather().Topology)); err != nil {
		return err
	}
	return measure(ctx, std, r.options, report)
}

// measure runs o in processes of this binary, and has report tell of the results file.
func measure(ctx context.Context, std streams, o harness.Options, report func(streams, string) error) error {
	o.Stderr = std.err
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o.Command = []string{self, "process"}
	if o.Notes != "" {
		fmt.Fprintln(std.err, o.Notes)
	}
	path, err := harness.Run(ctx, o)
	for _, look := range o.Profiles.Commands(self, o.Processes) {
		fmt.Fprintln(std.err, look)
	}
	if path != "" {
		fmt.Fprintf(std.err, "results in %s\n", path)
		if shown := report(std, path); err == nil { // a run that went wrong may have nothing to show
			err = shown
		}
	}
	return err
}

// cpus is how many the process may use; GOMAXPROCS knows a container's quota.
func cpus(t machine.Topology) int { return max(1, min(len(t.Allowed), runtime.GOMAXPROCS(0))) }

// A request is what the command line asks bench for.
type request struct {
	matrix  harness.Matrix
	options harness.Options
	quick   bool
	compete bool // leave the controls out
}

// readBench reads bench's flags.
func readBench(args []string, std streams) (*request, error) {
	r := &request{}
	o := &r.options
	fs := newFlagSet("bench")
	matrixFlags(fs, &r.matrix)
	fs.BoolVar(&r.quick, "quick", false, "a first look in 20 seconds: churn only, the fewest and the most workers")
	fs.DurationVar(&o.Budget, "budget", 0, "about how long the whole run may take (default 4m30s; with -quick 15s)")
	runFlags(fs, o, 5, 2)
	fs.BoolVar(&o.Counters, "counters", false, "hardware counters a segment: cycles, instructions, cache misses, lines from other nodes and cores, in user space, as far as the machine has them")
	fs.StringVar(&o.Profiles.CPU, "cpuprofile", "", "write CPU profiles to this file with .1, .2 … added for each process, labelled by experiment; results then go into profile/")
	fs.StringVar(&o.Profiles.Mutex, "mutexprofile", "", "the same for Go's mutex profiles, which know sync.Mutex and sync.RWMutex (-locks mutex, rwmutex) but no other lock")
	fs.StringVar(&o.Profiles.Block, "blockprofile", "", "the same for Go's block profiles: who slept for a lock; spinning is CPU time")
	if err := parse(fs, std, args); err != nil {
		return nil, err
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	switch {
	case o.Budget == 0 && r.quick && !isSet(fs, "budget"):
		o.Budget = 15 * time.Second
	case o.Budget == 0:
		o.Budget = 4*time.Minute + 30*time.Second
	}
	return r, nil
}

// runFlags binds what bench and sweep have in common of o, with these defaults.
func runFlags(fs *flag.FlagSet, o *harness.Options, processes, rounds int) {
	fs.DurationVar(&o.Measure, "measure", 0, "measured time of a sample (default: what the budget allows, 20ms to 200ms)")
	fs.IntVar(&o.Processes, "processes", processes, "fresh processes over which the samples are spread")
	fs.IntVar(&o.Rounds, "rounds", rounds, "samples of each experiment a process")
	fs.Uint64Var(&o.Seed, "seed", 1, "seed of the workload")
	fs.StringVar(&o.Dir, "results", "results", "results folder")
}

// settle checks what flags say beside the matrix.
func (r *request) settle() error {
	if o := &r.options; o.Processes < 1 || o.Rounds < 1 || o.Budget < 0 || o.Measure < 0 {
		return errUsage{errors.New("-processes and -rounds must be at least 1, -budget and -measure not negative")}
	}
	return cmp.Or(resultsFolder(r.options.Dir), settle(&r.matrix))
}

// plan makes the experiments for a machine of that many CPUs, and says what is wrong with them.
func (r *request) plan(cpus int) (err error) {
	r.matrix.CPUs = cpus
	if r.quick {
		r.matrix.Quick()
	}
	r.options.Experiments = r.matrix.Experiments()
	if r.compete {
		r.options.Experiments = slices.DeleteFunc(r.options.Experiments, func(e harness.Experiment) bool { return slices.Contains(controls(), e.Scheme) })
	}
	if err := harness.Validate(r.options.Experiments); err != nil {
		return errUsage{err}
	}
	if trace := r.matrix.Params.Trace; trace != "" {
		if r.options.Notes, err = workloads.TraceReport(trace); err != nil {
			return errUsage{err}
		}
	}
	return nil
}

// matrixFlags binds m's lists to flags.
func matrixFlags(fs *flag.FlagSet, m *harness.Matrix) {
	listFlag(fs, &m.Schemes, "schemes", "schemes, comma separated, with options as in connp:groups=16 (default the main ones; all: every one)", asString)
	listFlag(fs, &m.Locks, "locks", "table locks, as in mcs or ticket:spin (default each scheme's own)", asString)
	listFlag(fs, &m.Dispatches, "dispatch", "dispatch models, with options as in netisr2:policy=source, or all (default direct)", asString)
	listFlag(fs, &m.Roles, "roles", "which parts have threads of their own: all, netisr, user, split (default all: one thread does all)", asString)
	listFlag(fs, &m.Mixes, "mixes", "mixes, or all (default the main ones)", asString)
	listFlag(fs, &m.Works, "work", "protocol work a segment under the inpcb lock, in ns (default 500,0)", strconv.Atoi)
	listFlag(fs, &m.Workers, "workers", "worker counts (default 1,2,4 … up to the CPUs)", atLeast1)
	listFlag(fs, &m.Conns, "conns", "connections, 6 to 1000000 (default the mix's own)", atLeast1)
	listFlag(fs, &m.Batches, "batch", "most segments a batch (default 32)", atLeast1)
	listFlag(fs, &m.Affinities, "affinity", "rss, spray (default rss)", func(s string) (workloads.Affinity, error) { return workloads.Affinity(s), nil })
	listFlag(fs, &m.Pins, "pin", "cpu: a thread and a CPU a worker; none: goroutines (default cpu)", asString)
	listFlag(fs, &m.Arrivals, "arrivals", "open loop: when segments come, poisson, burst or onoff, with options as in burst:interval=50us (default a closed loop)", asString)
	listFlag(fs, &m.Loads, "loads", "of an open loop: what is offered, in percent of the closed loop's maximum", aboveZero)
	listFlag(fs, &m.Rates, "rates", "of an open loop: what is offered, in segments a second over all workers", aboveZero)
	p := &m.Params
	fs.Float64Var(&p.Skew, "skew", 0, "Zipf exponent of the connections' popularity")
	number(fs, &p.Listeners, "listeners", "listening ports (default 1)")
	number(fs, &p.Peers, "peers", "foreign addresses (default 254)")
	number(fs, &p.Payload, "payload", "text bytes of a data segment (default the mix's own)")
	number(fs, &p.Walkers, "walkers", "pcblist walkers beside the workers")
	number(fs, &p.Tunnels, "tunnels", "tunnels that packets come out of (mix encap; default 16)")
	number(fs, &p.Routes, "routes", "routes of each address family (mix forward; default 1024)")
	number(fs, &p.Ifs, "ifs", "output interfaces (mix forward; default 4)")
	fs.Float64Var(&p.V6, "v6", 0.25, "share of IPv6 connections, 0 to 1")
	fs.StringVar(&p.Trace, "trace", "", "capture to replay: pcap or pcapng (mix pcap)")
	fs.BoolVar(&m.Force, "force", false, "run more workers than a scheme is correct for")
}

// resultsFolder refuses what benchstat would not read.
func resultsFolder(dir string) error {
	if strings.Contains(dir, "=") {
		return errUsage{fmt.Errorf("-results %q: benchstat takes a path with = for a label", dir)}
	}
	return nil
}

// settle turns what flags say into what Params say.
func settle(m *harness.Matrix) error {
	p := &m.Params
	if !(p.V6 >= 0) {
		return errUsage{fmt.Errorf("v6=%v: want a share from 0 to 1", p.V6)}
	}
	if p.V6 == 0 {
		p.V6 = -1 // none; in Params zero stands for the default
	}
	if p.Trace != "" && len(m.Mixes) == 0 {
		m.Mixes = []string{"pcap"}
	}
	return nil
}

func asString(s string) (string, error) { return s, nil }

// listFlag makes a flag of comma-separated values.
func listFlag[T any](fs *flag.FlagSet, p *[]T, name, doc string, parse func(string) (T, error)) {
	fs.Func(name, doc, func(text string) error {
		for field := range strings.SplitSeq(text, ",") {
			field = strings.TrimSpace(field)
			if field == "" {
				return errors.New("empty name or number in a list")
			}
			v, err := parse(field)
			if err != nil {
				return err
			}
			*p = append(*p, v)
		}
		return nil
	})
}

// aboveZero reads a number that may be left out but not be given as zero.
func aboveZero(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0) {
		return 0, fmt.Errorf("%q: want a number above 0", text)
	}
	return v, nil
}

// atLeast1 reads a number that may be left out but not be given as zero.
func atLeast1(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q: want a whole number, at least 1", text)
	}
	return n, nil
}

func number(fs *flag.FlagSet, p *int, name, doc string) {
	fs.Func(name, doc, func(text string) (err error) {
		*p, err = atLeast1(text)
		return err
	})
}

func isSet(fs *flag.FlagSet, name string) (set bool) {
	fs.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// process is what bench starts: it measures the job on its standard input.
func process(_ context.Context, args []string, std streams) error {
	if err := parse(newFlagSet("process"), std, args); err != nil {
		return err
	}
	return harness.Child(std.in, std.out, std.err)
}
