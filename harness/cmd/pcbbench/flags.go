package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// newFlagSet makes a subcommand's flags. It prints nothing by itself: see parse.
func newFlagSet(name string) *flag.FlagSet {
	fs := flag.NewFlagSet("pcbbench "+name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}

// parse reads args, which end in as many operands as names; those in brackets may be left out. The flags are listed for -h only; what is wrong is said once.
func parse(fs *flag.FlagSet, std streams, args []string, names ...string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(std.out, "usage: %s [flags]%s\n", fs.Name(), operands(names))
			fs.SetOutput(std.out)
			fs.PrintDefaults()
			return err
		}
		return errUsage{fmt.Errorf("%w (%s -h lists the flags)", err, fs.Name())}
	}
	if fs.NArg() > len(names) {
		return errUsage{fmt.Errorf("unexpected argument %q", fs.Arg(len(names)))}
	}
	if fs.NArg() < len(names) && !optional(names[fs.NArg()]) {
		return errUsage{fmt.Errorf("%s is missing", names[fs.NArg()])}
	}
	return nil
}

// otherDefaults has -h tell of a command's own defaults, where they are not bench's.
func otherDefaults(fs *flag.FlagSet, defaults map[string]string) {
	for name, text := range defaults {
		f := fs.Lookup(name)
		doc, _, _ := strings.Cut(f.Usage, " (default ")
		f.Usage = doc + " (default " + text + ")"
	}
}

func optional(name string) bool { return strings.HasPrefix(name, "[") }

func operands(names []string) (s string) {
	for _, n := range names {
		if !optional(n) {
			n = "<" + n + ">"
		}
		s += " " + n
	}
	return s
}
