// Command pcbbench measures how a TCP connection table behaves under different locking.
//
//	pcbbench bench      measure a matrix and write results/<machine>/<date>-<commit>.txt
//	pcbbench torture    hold all of it to what it promises, under random schedules
//	pcbbench schedules  and under schedules that are chosen one by one (needs the tag sim)
//	pcbbench ab REV     build two revisions, measure them side by side, and compare
//	pcbbench aa         see how often that is wrong, and what it finds
//	pcbbench sweep      open loops of growing load, their knees and their picture
//	pcbbench plot F     draw that picture again
//	pcbbench compare    two results files, or the two arms of one
//	pcbbench gate       say by the exit code whether a comparison shows a regression
//	pcbbench history    follow every benchmark over the commits, and say where it changed
//	pcbbench baseline F make a results file the one that others are compared with
//	pcbbench export F   write results as other tools read them
//	pcbbench summary F  say in two sentences which scheme won where
//	pcbbench netstat    run experiments once and show what netisr's queues did, as netstat -Q does
//	pcbbench profile    say who waits for which lock, where, how long and behind whom (needs the tag profile)
//	pcbbench table1     how contended a global lock and connection groups are, beside the published table (needs the tag profile)
//	pcbbench exact      count what a worker does to shared memory (needs the tag count)
//	pcbbench handoff    measure what handing a packet to another thread costs, in several ways
//	pcbbench locks      measure the locks by themselves: throughput, waiting, fairness
//	pcbbench reclaim    measure what safe memory reclamation costs, in time and in memory
//	pcbbench list       the schemes, locks, mixes, dispatch models and roles
//
// Run a subcommand with -h for its flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"pcbbench/harness"
	"pcbbench/harness/torture"
)

// A command is a subcommand.
type command struct {
	name, doc string
	run       func(ctx context.Context, args []string, io streams) error
}

// streams are a command's standard streams.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func commands() []command {
	return []command{
		{"bench", "measure a matrix of experiments", bench},
		{"compare", "compare two results files, or the two arms of one of ab", compareCmd},
		{"gate", "say by the exit code whether a comparison shows a regression, none, or neither", gateCmd},
		{"ab", "build two revisions, measure them side by side, and compare", ab},
		{"aa", "see how often comparisons are wrong, and what they find", aaCmd},
		{"history", "follow every benchmark over the commits, and say where it changed", historyCmd},
		{"baseline", "make a results file the one that others are compared with", baselineCmd},
		{"export", "write results as other tools read them", exportCmd},
		{"sweep", "offer each dispatch × scheme pair more and more, and show where it bends", sweep},
		{"plot", "draw a sweep's picture again", plot},
		{"summary", "say in two sentences which scheme won where", summary},
		{"torture", "hold everything to what it promises, under random schedules", tortureCmd},
		{"schedules", "and under schedules that are chosen one by one", schedules},
		{"netstat", "run experiments once and show what netisr's queues did", netstat},
		{"profile", "say who waits for which lock, where, for how long and behind whom", profileCmd},
		{"table1", "the contended share of one global lock and of connection groups, beside the published one", table1Cmd},
		{"exact", "count what a worker does to shared memory: the same digits in every run", exactCmd},
		{"handoff", "measure what handing a packet to another thread costs", handoffCmd},
		{"locks", "measure the locks by themselves: who is fast, who is fair", locksCmd},
		{"reclaim", "measure what safe memory reclamation costs", reclaimCmd},
		{"list", "list schemes, locks, mixes, dispatch models and roles", list},
		{"process", "measure the job on standard input (started by bench)", process},
	}
}

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // something that was asked for went wrong; a sample failed its check
	exitUsage       = 2 // bad flags or unusable input
	exitInterrupted = 130
)

// errUsage says that the command line was wrong.
type errUsage struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

func run(ctx context.Context, args []string, std streams) int {
	if len(args) == 0 {
		usage(std.err)
		return exitUsage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(std.out)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return exitCode(c.run(ctx, args[1:], std), std.err)
		}
	}
	fmt.Fprintf(std.err, "pcbbench: unknown command %q\n", args[0])
	usage(std.err)
	return exitUsage
}

func exitCode(err error, w io.Writer) int {
	var said errVerdict
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &said):
		return int(said)
	case errors.Is(err, torture.ErrInterrupted):
		fmt.Fprintln(w, "pcbbench: interrupted; nothing found so far, and no record left")
		return exitInterrupted
	case errors.Is(err, harness.ErrInterrupted):
		fmt.Fprintln(w, "pcbbench: interrupted; what was written is complete up to here")
		return exitInterrupted
	}
	fmt.Fprintln(w, "pcbbench:", err)
	switch {
	case errors.As(err, new(errUsage)):
		return exitUsage
	case errors.Is(err, harness.ErrFailedSamples):
		return harness.ExitFailedSamples
	}
	return exitFailed
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: pcbbench <command> [flags]")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.doc)
	}
}
