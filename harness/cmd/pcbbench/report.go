package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"pcbbench/harness/compare"
	"pcbbench/harness/proof"
	"pcbbench/pcbinfo"
)

// summary prints what report does, of a file.
func summary(_ context.Context, args []string, std streams) error {
	fs := newFlagSet("summary")
	if err := parse(fs, std, args, "results file"); err != nil {
		return err
	}
	return report(std, fs.Arg(0))
}

// report prints a results file's table by benchstat, schemes as columns, and the sentences.
func report(std streams, path string) error {
	t, err := compare.Read(path)
	if err != nil {
		return errUsage{err}
	}
	if len(t.Rows) == 0 {
		return fmt.Errorf("%s holds no result", path)
	}
	args := append(t.BenchstatArgs(order()), path)
	fmt.Fprintf(std.err, "go tool benchstat %s\n", quote(args))
	if err := benchstat(std, args...); err != nil {
		return err
	}
	if _, err = fmt.Fprintln(std.out, "\n"+t.Sentences(controls())); err != nil {
		return err
	}
	return proven(std, path)
}

// proven says what is known of the code whose results path holds.
func proven(std streams, path string) error {
	said, err := compare.Torture(path)
	if err != nil {
		return err
	}
	for _, s := range said {
		if strings.HasPrefix(s, proof.NotRun) {
			fmt.Fprintf(std.out, "Torture %s: %s was measured on code that nobody has shown to be right (make torture does).\n", s, path)
		} else {
			fmt.Fprintf(std.out, "Torture %s.\n", s)
		}
	}
	return nil
}

// compareCmd compares two results files by benchstat, and says what is known of the code behind them.
func compareCmd(_ context.Context, args []string, std streams) error {
	fs := newFlagSet("compare")
	row := fs.String("row", "/mix@alpha /workers@num /work@num /scheme@alpha /lock /conns@num /batch@num /dispatch /affinity /pin /roles /arrivals /load@num /rate@num", "benchstat's -row: what names a row")
	filter := fs.String("filter", ".unit:(ns/seg OR p99-ns OR lat-p99-ns)", "benchstat's -filter")
	if err := parse(fs, std, args, "old results file", "new results file"); err != nil {
		return err
	}
	for _, path := range fs.Args() {
		t, err := compare.Read(path)
		if err != nil {
			return errUsage{err}
		}
		if len(t.Rows) == 0 && !isSet(fs, "filter") { // who filters by himself may compare hand-offs
			return fmt.Errorf("%s holds no result", path)
		}
	}
	if err := benchstat(std, "-row", *row, "-filter", *filter, "old="+fs.Arg(0), "new="+fs.Arg(1)); err != nil {
		return err
	}
	return errors.Join(proven(std, fs.Arg(0)), proven(std, fs.Arg(1)))
}

// benchstat runs it.
func benchstat(std streams, args ...string) error {
	cmd := exec.Command("go", append([]string{"tool", "benchstat"}, args...)...)
	cmd.Stdout, cmd.Stderr = std.out, std.err
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		err = errors.New("the go command is not there; benchstat is a tool of this module")
	}
	if err != nil {
		return fmt.Errorf("benchstat: %w", err)
	}
	return nil
}

// order is the columns' order: the status quo of 2007 first, since benchstat compares with the first column, the controls last.
func order() (names []string) {
	for _, s := range pcbinfo.Schemes {
		if !isControl(s) {
			names = append(names, s.Name)
		}
	}
	return append(names, controls()...)
}

// controls are the schemes that do not compete: they lock nothing.
func controls() (names []string) {
	for _, s := range pcbinfo.Schemes {
		if isControl(s) {
			names = append(names, s.Name)
		}
	}
	return names
}

func isControl(s pcbinfo.Scheme) bool { return s.Lock == "" && !s.Owned }

// quote spells a command so that a shell reads it as it is.
func quote(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		if strings.ContainsAny(a, " ()*@'\"") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words[i] = a
	}
	return strings.Join(words, " ")
}
