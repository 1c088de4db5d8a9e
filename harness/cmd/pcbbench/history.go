package main

import (
	"context"
	"fmt"
	"path/filepath"

	"pcbbench/harness/compare/history"
	"pcbbench/harness/machine"
)

// historyCmd follows every benchmark of a machine over the commits, and says where it changed.
func historyCmd(ctx context.Context, args []string, std streams) error {
	o := history.Options{Units: []string{timeUnit}}
	fs := newFlagSet("history")
	results := fs.String("results", "results", "results folder")
	name := fs.String("machine", "", "whose results (default: this machine's if there are any, else the only one's)")
	row := fs.String("row", "", "keys that name a series, as benchstat's -row (default: its full name)")
	format := fs.String("format", "text", "text, csv or json")
	seriesFlags(fs, &o)
	listFlag(fs, &o.Skip, "skip-bad", "results files to leave out, by name, comma separated: any other one that cannot be read is an error", asString)
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if *format != "text" && *format != "csv" && *format != "json" {
		return errUsage{fmt.Errorf("unknown format %q; known: text, csv, json", *format)}
	}
	chosen, err := history.Choose(*results, *name, machine.Gather().Slug())
	if err != nil {
		return errUsage{err}
	}
	h, err := history.Read(ctx, filepath.Join(*results, chosen), o)
	if err != nil {
		return errUsage{err}
	}
	labels, err := h.Labels(*row)
	switch {
	case err != nil:
		return errUsage{err}
	case *format == "csv":
		return h.WriteCSV(std.out)
	case *format == "json":
		return h.WriteJSON(std.out)
	}
	return h.WriteText(std.out, labels)
}
