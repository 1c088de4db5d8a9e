package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pcbbench/harness"
	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/machine"
	"pcbbench/workloads/netisr"
)

// sweep offers every dispatch × scheme pair more and more of what it can do, and shows where each bends.
func sweep(ctx context.Context, args []string, std streams) error {
	r, err := readSweep(args, std)
	if err != nil {
		return err
	}
	n := cpus(machine.Gather().Topology)
	if len(r.matrix.Workers) == 0 {
		r.matrix.Workers = []int{n}
	}
	if err := r.plan(n); err != nil {
		return err
	}
	return measure(ctx, std, r.options, reportSweep)
}

// readSweep reads sweep's flags. What they leave open is one setting, for every dispatch model and every main scheme.
func readSweep(args []string, std streams) (*request, error) {
	r := &request{quick: true}
	o, m := &r.options, &r.matrix
	fs := newFlagSet("sweep")
	matrixFlags(fs, m)
	otherDefaults(fs, map[string]string{"schemes": "the main ones but the controls", "mixes": "churn", "work": strconv.Itoa(harness.DefaultWork), "workers": "the CPUs", "dispatch": "all",
		"arrivals": "poisson", "loads": "10,20 … 120"})
	runFlags(fs, o, 3, 1)
	fs.DurationVar(&o.Budget, "budget", 10*time.Minute, "about how long the whole run may take")
	if err := parse(fs, std, args); err != nil {
		return nil, err
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	if o.Budget == 0 {
		return nil, errUsage{errors.New("-budget must be more than 0")}
	}
	if len(m.Arrivals) == 0 {
		m.Arrivals = []string{"poisson"}
	}
	if len(m.Loads)+len(m.Rates) == 0 {
		for load := 10; load <= 120; load += 10 {
			m.Loads = append(m.Loads, float64(load))
		}
	}
	r.compete = len(m.Schemes) == 0 // drawing arrivals would weigh more than handling them does on a control
	if len(m.Dispatches) == 0 {
		m.Dispatches = []string{"all"}
	}
	return r, nil
}

// reportSweep prints the knees of a results file, and draws its picture beside it.
func reportSweep(std streams, path string) error {
	f, err := file.Load(path)
	if err != nil {
		return errUsage{err}
	}
	s := compare.NewSweep(f)
	if len(s.Curves) == 0 {
		return fmt.Errorf("%s holds no result of an open loop", path)
	}
	var models []string
	for _, m := range netisr.Models {
		models = append(models, m.Name)
	}
	s.Sort(order(), models)
	if err := s.WriteKnees(std.out); err != nil {
		return err
	}
	picture := strings.TrimSuffix(path, filepath.Ext(path)) + ".svg"
	var text strings.Builder
	if err := s.WriteSVG(&text); err != nil {
		return err
	}
	if err := os.WriteFile(picture, []byte(text.String()), 0o666); err != nil {
		return err
	}
	fmt.Fprintf(std.err, "picture in %s\n", picture)
	fmt.Fprintln(std.out)
	return proven(std.out, f)
}

// plot does what sweep does when it has measured, with a results file.
func plot(_ context.Context, args []string, std streams) error {
	fs := newFlagSet("plot")
	if err := parse(fs, std, args, "results file"); err != nil {
		return err
	}
	return reportSweep(std, fs.Arg(0))
}
