package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"pcbbench/harness/compare/history"
	"pcbbench/harness/machine"
)

// identity are the facts that a machine's folder is named after.
var identity = []string{"cpu", "threads", "hypervisor"}

// baselineCmd makes a results file the one that later ones are compared with.
func baselineCmd(_ context.Context, args []string, std streams) error {
	var p history.Promotion
	fs := newFlagSet("baseline")
	fs.StringVar(&p.Results, "results", "results", "results folder")
	name := fs.String("machine", "", "whose baseline (default: this machine's if there are results of it, else the only one's)")
	fs.StringVar(&p.Why, "why", "", "why this file replaces the baseline; kept beside it")
	fs.BoolVar(&p.Force, "force", false, "take results of dirty code, or of code that has passed no torture")
	if err := parse(fs, std, args, "results file"); err != nil {
		return err
	}
	facts := machine.Gather()
	var err error
	if p.Machine, err = history.Choose(p.Results, *name, facts.Slug()); err != nil {
		return errUsage{err}
	}
	if p.Machine == facts.Slug() {
		p.Here = map[string]string{}
		for _, kv := range facts.Stable() {
			if slices.Contains(identity, kv.Key) {
				p.Here[kv.Key] = kv.Value
			}
		}
	}
	p.Path, p.Now = fs.Arg(0), time.Now()
	e, err := p.Do()
	if err != nil {
		return errUsage{err}
	}
	fmt.Fprintf(std.out, "%s is the baseline of %s now; before: %s\n", filepath.Join(p.Results, p.Machine, e.File), p.Machine, e.Replaces)
	return nil
}
