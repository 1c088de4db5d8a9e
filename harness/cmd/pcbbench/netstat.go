package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/machine"
	"pcbbench/workloads/netisr"
)

// netstat runs a matrix once and prints netisr's tables.
func netstat(ctx context.Context, args []string, std streams) error {
	r := &request{}
	tm := harness.Timing{Warm: 5 * time.Millisecond}
	fs := newFlagSet("netstat")
	matrixFlags(fs, &r.matrix)
	otherDefaults(fs, map[string]string{"schemes": "refcount", "mixes": "churn", "work": strconv.Itoa(harness.DefaultWork), "workers": "the CPUs", "dispatch": "all"})
	fs.DurationVar(&tm.Measure, "measure", 100*time.Millisecond, "measured time of a sample")
	seed := fs.Uint64("seed", 1, "seed of the workload")
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if tm.Measure <= 0 {
		return errUsage{errors.New("-measure must be more than 0")}
	}
	if len(r.matrix.Loads) > 0 {
		return errUsage{errors.New("-loads: netstat does not measure the closed loop's maximum: give -rates")}
	}
	if err := settle(&r.matrix); err != nil {
		return err
	}
	n := cpus(machine.Gather().Topology)
	glance(&r.matrix, n)
	if err := r.plan(n); err != nil {
		return err
	}
	return harness.Netstat(ctx, r.options.Experiments, tm, *seed, std.out)
}

// glance narrows a matrix to every dispatch model once, where nothing was asked for.
func glance(m *harness.Matrix, cpus int) {
	if len(m.Schemes) == 0 {
		m.Schemes = []string{"refcount"}
	}
	if len(m.Mixes) == 0 {
		m.Mixes = []string{"churn"}
	}
	if len(m.Works) == 0 {
		m.Works = []int{harness.DefaultWork}
	}
	if len(m.Workers) == 0 {
		m.Workers = []int{cpus}
	}
	if len(m.Dispatches) == 0 {
		for _, model := range netisr.Models {
			m.Dispatches = append(m.Dispatches, model.Name)
		}
	}
}
