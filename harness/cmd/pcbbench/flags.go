package main

import (
	"flag"
	"fmt"
)

// newFlagSet makes a subcommand's flags; what is wrong with them is said once, by parse's error.
func newFlagSet(name string, std streams) *flag.FlagSet {
	fs := flag.NewFlagSet("pcbbench "+name, flag.ContinueOnError)
	fs.SetOutput(std.err)
	return fs
}

// parse reads args; operands are allowed only up to as many as names.
func parse(fs *flag.FlagSet, args []string, names ...string) error {
	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return err
		}
		return errUsage{err}
	}
	if fs.NArg() > len(names) {
		return errUsage{fmt.Errorf("unexpected argument %q", fs.Arg(len(names)))}
	}
	if fs.NArg() < len(names) {
		return errUsage{fmt.Errorf("%s is missing", names[fs.NArg()])}
	}
	return nil
}
