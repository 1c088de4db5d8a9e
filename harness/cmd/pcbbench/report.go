package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
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
	f, err := file.Load(path)
	if err != nil {
		return errUsage{err}
	}
	t := compare.NewTable(f)
	if records := lockRecords(f); len(t.Settings) == 0 && len(records) > 0 {
		return showLocks(std, f, records)
	}
	if len(t.Settings) == 0 {
		return errUsage{fmt.Errorf("%s holds no result of a table", path)}
	}
	args := append(t.BenchstatArgs(order()), path)
	fmt.Fprintf(std.err, "go tool benchstat %s\n", quote(args))
	if err := benchstat(std, args...); err != nil {
		return err
	}
	if _, err = fmt.Fprintln(std.out, "\n"+t.Sentences(controls())); err != nil {
		return err
	}
	return proven(std.out, f)
}

// proven says what is known of the code whose results f holds.
func proven(w io.Writer, f *file.File) error {
	for _, s := range compare.Torture(f) {
		line := fmt.Sprintf("Torture %s.\n", s)
		if strings.HasPrefix(s, proof.NotRun) {
			line = fmt.Sprintf("Torture %s: %s was measured on code that nobody has shown to be right (make torture does).\n", s, f.Path)
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	return nil
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

func isControl(s pcbinfo.Scheme) bool { return !s.Table || s.Workers == 1 && !s.Owned }

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
