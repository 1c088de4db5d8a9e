package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pcbbench/harness/torture"
	"pcbbench/locks/probe"
)

// tortureCmd tortures everything that exists, and leaves a record of it if all was passed.
func tortureCmd(ctx context.Context, args []string, std streams) error {
	c := torture.Config{Progress: std.err}
	var dir string
	fs := newFlagSet("torture")
	fs.DurationVar(&c.Duration, "duration", 50*time.Second, "how long; every check of every subject runs once at least")
	fs.IntVar(&c.Rounds, "rounds", 0, "rounds of each check, instead of a duration")
	fs.Uint64Var(&c.Seed, "seed", 0, "of the first round, the following ones count up (default from the clock)")
	fs.IntVar(&c.Workers, "workers", 0, "workers of every round, 2 to 128 (default: a round draws them, from 2 to 4 times the CPUs)")
	listFlag(fs, &c.Only, "only", "subjects or subject/check, comma separated, by prefix, as in scheme smr/torture (default all)", asString)
	fs.DurationVar(&c.Stuck, "stuck", 20*time.Second, "a round that makes no step for so long has failed")
	fs.DurationVar(&c.Every, "progress", 10*time.Second, "time between progress lines")
	fs.StringVar(&dir, "results", "results", "results folder for the record of a torture passed in full")
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if c.Rounds < 0 || c.Duration <= 0 || c.Stuck < time.Second || c.Every <= 0 || c.Workers != 0 && (c.Workers < 2 || c.Workers > 128) {
		return errUsage{errors.New("want -rounds ≥ 0, -duration and -progress above 0, -stuck ≥ 1s, -workers 2 to 128")}
	}
	if c.Rounds > 0 {
		c.Duration = 0
	}
	if !isSet(fs, "seed") {
		c.Seed = uint64(time.Now().UnixNano())
	}
	if !probe.Enabled {
		fmt.Fprintln(std.err, "torture: this binary has no random yields at the probe points (make torture builds one that has)")
	}
	rep, err := torture.Run(ctx, c)
	if rep == nil {
		return errUsage{err}
	}
	var text bytes.Buffer
	if err := errors.Join(rep.Write(&text), err); err != nil {
		std.out.Write(text.Bytes())
		return tortureFailed(err, std)
	}
	fmt.Fprintf(std.out, "%s\npassed\n", strings.TrimRight(text.String(), "\n"))
	if c.Only != nil || c.Rounds > 0 {
		fmt.Fprintln(std.err, "torture: no record of this, as it was not all of it: -only or -rounds was given")
		return nil
	}
	path, err := rep.Proof(text.String()).Write(dir, time.Now())
	if err == nil {
		fmt.Fprintf(std.err, "record in %s\n", path)
	}
	return err
}

// tortureFailed tells what was found and how to look for it again.
func tortureFailed(err error, std streams) error {
	var f *torture.Failure
	if !errors.As(err, &f) {
		return err
	}
	fmt.Fprintf(std.out, "\nFAILED after %v: oracle %s\n%s, %s\n%v\n%v\nagain: pcbbench torture -only '%s/%s' -seed %d\n", f.After.Round(time.Millisecond), f.Oracle(),
		f.Subject, f.Check, f.Round, f.Err, f.Subject, f.Check, f.Round.Seed)
	return fmt.Errorf("torture: %s failed: oracle %s", f.Subject, f.Oracle())
}
