package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pcbbench/harness/proof"
	"pcbbench/harness/schedule"
	"pcbbench/locks/probe"
)

// schedules explores the schedules of small configurations, or replays one.
func schedules(_ context.Context, args []string, std streams) error {
	fs := newFlagSet("schedules")
	filter := fs.String("subjects", "", "comma-separated: explore what begins with one of these, as in locks/mtx,tables/smr")
	strategy := fs.String("strategy", "", "comma-separated, of exhaustive, pct, random; default all")
	budget := fs.Duration("budget", 45*time.Second, "time for all of it")
	seed := fs.Uint64("seed", 1, "of pct and random: the first of those they count up from")
	n := fs.Int("n", 0, "schedules of each strategy on each subject, whatever time that takes; 0: by budget")
	replay := fs.String("replay", "", "run this one only: subject@step.worker,… or subject@strategy:seed")
	first := fs.Bool("first", false, "end with the first failure")
	dir := fs.String("results", "", "results folder for the table of an exploration without a failure; default none")
	each := fs.Bool("each", false, "a line for each subject, not for each group of them")
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if !probe.Simulating {
		return errUsage{errors.New("schedules needs a build with the tag sim: make schedules, or go build -tags sim")}
	}
	if *replay != "" {
		return replaySchedule(std.out, *replay)
	}
	c := schedule.Campaign{Seed: *seed, Schedules: *n, Budget: *budget, First: *first}
	if *n > 0 {
		c.Budget = 0
	}
	var err error
	if c.Subjects, err = chooseSubjects(*filter); err != nil {
		return errUsage{err}
	}
	if c.Strategies, err = chooseStrategies(*strategy); err != nil {
		return errUsage{err}
	}
	var table bytes.Buffer
	err = runSchedules(&c, io.MultiWriter(std.out, &table), *each)
	if err == nil && *dir != "" {
		_, err = proof.Keep(*dir, "schedules", time.Now(), table.Bytes())
	}
	return err
}

// runSchedules prints the table and then the failures.
func runSchedules(c *schedule.Campaign, out io.Writer, each bool) error {
	var t scheduleTable
	c.Run(func(reports []schedule.Report) {
		for _, r := range reports {
			t.add(r, each)
		}
	})
	if err := t.print(out); err != nil {
		return err
	}
	for _, f := range t.failures {
		printFailure(out, f)
	}
	if n := len(t.failures); n > 0 {
		return fmt.Errorf("%d of %d subjects fail", n, len(c.Subjects))
	}
	return nil
}

// replaySchedule runs one schedule.
func replaySchedule(out io.Writer, text string) error {
	f, err := schedule.Replay(schedule.Subjects(), text)
	switch {
	case err != nil:
		return errUsage{err}
	case f == nil:
		_, err := fmt.Fprintf(out, "%s: all promises kept\n", text)
		return err
	}
	printFailure(out, f)
	return errors.New("the schedule fails")
}

func printFailure(out io.Writer, f *schedule.Failure) {
	fmt.Fprintf(out, "\n%v  replay: pcbbench-sim schedules -replay '%s'\n", f, f.Replay())
}

// chooseSubjects are those whose names begin with one of the filter's words.
func chooseSubjects(filter string) (chosen []schedule.Subject, err error) {
	all := schedule.Subjects()
	if filter == "" {
		return all, nil
	}
	for word := range strings.SplitSeq(filter, ",") {
		found := false
		for _, s := range all {
			if strings.HasPrefix(s.Name, word) {
				chosen = append(chosen, s)
				found = true
			}
		}
		if why := schedule.Refused[strings.TrimPrefix(word, "locks/")]; why != "" {
			return nil, fmt.Errorf("%s cannot be simulated: %s", word, why)
		}
		if !found {
			return nil, fmt.Errorf("no subject begins with %q", word)
		}
	}
	return chosen, nil
}

func chooseStrategies(filter string) (chosen []schedule.Strategy, err error) {
	if filter == "" {
		return schedule.Strategies, nil
	}
	for word := range strings.SplitSeq(filter, ",") {
		i := slices.IndexFunc(schedule.Strategies, func(s schedule.Strategy) bool { return s.Name == word })
		if i < 0 {
			return nil, fmt.Errorf("unknown strategy %q", word)
		}
		chosen = append(chosen, schedule.Strategies[i])
	}
	return chosen, nil
}

// A scheduleTable collects reports, by subject or by group and strategy.
type scheduleTable struct {
	rows     []*scheduleRow
	failures []*schedule.Failure
}

type scheduleRow struct {
	name, strategy              string
	subjects, exhausted, failed int
	schedules, points, distinct int
}

func (t *scheduleTable) add(r schedule.Report, each bool) {
	name := r.Subject
	if !each {
		name = path.Dir(name)
	}
	i := slices.IndexFunc(t.rows, func(row *scheduleRow) bool { return row.name == name && row.strategy == r.Strategy })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, &scheduleRow{name: name, strategy: r.Strategy})
	}
	row := t.rows[i]
	row.subjects++
	row.schedules += r.Schedules
	row.points += r.Points
	row.distinct += r.Distinct
	if r.Exhausted {
		row.exhausted++
	}
	if r.Failure != nil {
		row.failed++
		t.failures = append(t.failures, r.Failure)
	}
}

func (t *scheduleTable) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "subjects\t\tstrategy\tschedules\tdistinct\tpoints\texhausted\tfailed\t")
	for _, r := range t.rows {
		exhausted := "-"
		if r.strategy == "exhaustive" {
			exhausted = fmt.Sprintf("%d/%d", r.exhausted, r.subjects)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%d\t%s\t%d\t\n", r.name, r.subjects, r.strategy, r.schedules, r.distinct, r.points, exhausted, r.failed)
	}
	return w.Flush()
}
