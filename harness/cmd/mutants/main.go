//go:build mutants

// Command mutants plants bugs into the module's source, one at a time, and counts how often the torture sees them: go run -tags mutants
// ./harness/cmd/mutants, in the module's root. It needs the go command and the source; nothing of it is in pcbbench.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"pcbbench/harness/mutants"
	"pcbbench/harness/proof"
)

// Exit codes.
const (
	exitSurvivors   = 1 // a mutant was not caught in every run, or the code as it is raised an alarm
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx))
}

func run(ctx context.Context) int {
	c := mutants.Config{Root: ".", Progress: os.Stderr}
	var only, dir string
	flag.IntVar(&c.Runs, "n", 10, "tortures of each mutant")
	flag.IntVar(&c.Race, "race", 3, "runs of each mutant under the race detector alone")
	flag.IntVar(&c.Conform, "conform", 3, "runs of the conformance check alone")
	flag.IntVar(&c.Control, "control", 200, "tortures of the code as it is, which must find nothing")
	flag.DurationVar(&c.Budget, "schedules", 8*time.Second, "budget of a run under deterministic schedules; 0: none")
	flag.DurationVar(&c.Limit, "limit", 5*time.Second, "of one torture")
	flag.DurationVar(&c.Stuck, "stuck", 3*time.Second, "without a step a torture has failed")
	flag.IntVar(&c.Jobs, "j", 1, "mutants at a time; more than 1 saves time and lengthens what is measured")
	flag.Uint64Var(&c.Seed, "seed", 1, "of the tortures")
	flag.StringVar(&only, "only", "", "mutants, comma separated, by prefix (default all)")
	flag.StringVar(&dir, "results", "", "results folder for the table, beside printing it")
	flag.Parse()
	if flag.NArg() > 0 || c.Runs < 1 || c.Jobs < 1 || c.Race < 0 || c.Conform < 0 || c.Control < 0 || c.Limit <= 0 || c.Stuck < time.Second {
		fmt.Fprintln(os.Stderr, "mutants: bad flags or arguments (-h lists the flags)")
		return exitUsage
	}
	if only != "" {
		c.Only = strings.Split(only, ",")
	}
	if len(mutants.Chosen(c.Only)) == 0 {
		fmt.Fprintf(os.Stderr, "mutants: no mutant is called %s\n", only)
		return exitUsage
	}
	rows, alarms, err := mutants.Run(ctx, c)
	var table bytes.Buffer
	err = errors.Join(err, mutants.Write(&table, rows, c.Control, alarms))
	os.Stdout.Write(table.Bytes())
	if dir != "" && err == nil {
		_, err = proof.Keep(dir, "mutants", time.Now(), table.Bytes())
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return exitSurvivors
	case alarms > 0:
		return exitSurvivors
	}
	for _, r := range rows {
		if r.Equal == "" && r.Caught < r.Runs {
			return exitSurvivors
		}
	}
	return 0
}
