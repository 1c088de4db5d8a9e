package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"pcbbench/harness/compare"
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
	args := append([]string{"tool", "benchstat"}, t.BenchstatArgs(order())...)
	fmt.Fprintf(std.err, "go %s\n", quote(append(args, path)))
	cmd := exec.Command("go", append(args, path)...)
	cmd.Stdout, cmd.Stderr = std.out, std.err
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			err = errors.New("the go command is not there; benchstat is a tool of this module")
		}
		return fmt.Errorf("benchstat: %w", err)
	}
	_, err = fmt.Fprintln(std.out, "\n"+t.Sentences(controls()))
	return err
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

func isControl(s pcbinfo.Scheme) bool { return s.Lock == "" }

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
