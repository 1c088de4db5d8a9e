package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/handoff"
	"pcbbench/harness/machine"
)

// handoffCmd measures what handing a packet to another thread costs, and prints the table.
func handoffCmd(ctx context.Context, args []string, std streams) error {
	o := harness.Options{Seed: 1}
	fs := newFlagSet("handoff")
	fs.DurationVar(&o.Measure, "measure", 20*time.Millisecond, "measured time of a sample, for each of one way and round trips")
	fs.IntVar(&o.Processes, "processes", 5, "fresh processes over which the samples are spread")
	fs.IntVar(&o.Rounds, "rounds", 2, "samples of each setting a process")
	fs.StringVar(&o.Dir, "results", "results", "results folder")
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if o.Processes < 1 || o.Rounds < 1 || o.Measure <= 0 {
		return errUsage{errors.New("-processes and -rounds must be at least 1, -measure more than 0")}
	}
	if err := resultsFolder(o.Dir); err != nil {
		return err
	}
	n := cpus(machine.Gather().Topology)
	if o.Handoffs = handoff.Cases(n); n == 1 {
		o.Notes = handoff.OneCPU
	}
	return measure(ctx, std, o, reportHandoff)
}

// reportHandoff prints the table by benchstat, ways as columns.
func reportHandoff(std streams, path string) error {
	var ways []string
	for _, w := range handoff.Ways {
		ways = append(ways, w.Name)
	}
	args := []string{"-filter", ".unit:(ns/packet OR rtt-p50-ns)", "-col", "/via@(" + strings.Join(ways, " ") + ")", "-row", "/cpus /pin /wait /batch@num", path}
	fmt.Fprintf(std.err, "go tool benchstat %s\n", quote(args))
	if err := benchstat(std, args...); err != nil {
		return err
	}
	f, err := file.Load(path)
	if err != nil {
		return err
	}
	return proven(std.out, f)
}
