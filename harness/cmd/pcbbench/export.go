package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"pcbbench/harness/compare/history"
)

// exportCmd writes results as other tools read them.
func exportCmd(_ context.Context, args []string, std streams) error {
	var o history.Options
	var docs, names []string
	for _, f := range history.Formats {
		docs, names = append(docs, f.Name+" ("+f.Doc+")"), append(names, f.Name)
	}
	fs := newFlagSet("export")
	format := fs.String("format", "", "one of "+strings.Join(docs, "; "))
	seriesFlags(fs, &o)
	if err := parse(fs, std, args, append([]string{"results file"}, slices.Repeat([]string{"[more, for csv]"}, len(args))...)...); err != nil {
		return err
	}
	if *format == "" {
		return errUsage{errors.New("say -format, one of " + strings.Join(names, ", "))}
	}
	left, err := history.Export(std.out, *format, fs.Args(), o)
	if err != nil {
		return errUsage{err}
	}
	if len(left) > 0 {
		fmt.Fprintf(std.err, "export: %d metrics are left out, as they have no undisturbed sample in every run: %s\n", len(left), strings.Join(left, ", "))
	}
	return nil
}

// seriesFlags choose what is read of results files; o.Units is what is taken by default.
func seriesFlags(fs *flag.FlagSet, o *history.Options) {
	fs.StringVar(&o.Filter, "filter", "", "results and units to take, as benchstat's -filter (default all)")
	doc := "units to take, comma separated, or all of which is known whether less or more is better (default "
	fs.Func("unit", doc+cmp.Or(strings.Join(o.Units, ","), "all")+")", func(s string) error {
		if o.Units = strings.Split(s, ","); s == "all" {
			o.Units = nil
		}
		return nil
	})
}
