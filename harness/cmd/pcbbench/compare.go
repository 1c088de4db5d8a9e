package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/history"
	"pcbbench/harness/machine"
)

// compareCmd compares two results files, or the arms of a file of pairs, and says what is known of the code behind them.
func compareCmd(_ context.Context, args []string, std streams) error {
	var o compare.Options
	fs := newFlagSet("compare")
	fs.StringVar(&o.Row, "row", "", "what names a row, as benchstat's -row (default the whole name)")
	fs.StringVar(&o.Table, "table", "", "what tells tables apart beside the unit, as benchstat's -table (default pkg)")
	fs.StringVar(&o.Filter, "filter", "", "which results to compare, as benchstat's -filter (default all)")
	units := fs.String("units", "", "units to compare, comma-separated (default "+strings.Join(compare.DefaultUnits, ",")+", or all where there are none of these)")
	fs.Float64Var(&o.Alpha, "alpha", 0, fmt.Sprintf("significance level of all rows together (default what a file of pairs says, or %v)", compare.DefaultAlpha))
	fs.Float64Var(&o.Confidence, "confidence", 0, fmt.Sprintf("confidence level of intervals (default %v)", compare.DefaultConfidence))
	format := fs.String("format", "text", strings.Join(compare.Formats, ", "))
	force := fs.Bool("force", false, "compare what does not compare: another machine, Go version, GOMAXPROCS or epoch")
	if err := parse(fs, std, args, "old results file, or one of pcbbench ab", "[new results file]"); err != nil {
		return err
	}
	if *units != "" {
		o.Units = strings.Split(*units, ",")
	}
	write := compare.Writer(*format)
	if write == nil {
		return errUsage{fmt.Errorf("-format %q; want one of %s", *format, strings.Join(compare.Formats, ", "))}
	}
	if isSet(fs, "alpha") && !share(o.Alpha) || isSet(fs, "confidence") && !share(o.Confidence) {
		return errUsage{errors.New("-alpha and -confidence must lie between 0 and 1")}
	}
	files, err := loadAll(fs.Args())
	if err != nil {
		return errUsage{err}
	}
	c, err := diff(files, o)
	if err != nil {
		return errUsage{err}
	}
	if err := c.Refusal(); err != nil && !*force {
		return errUsage{fmt.Errorf("%w (-force compares them all the same)", err)}
	}
	if err := write(c, std.out); err != nil {
		return err
	}
	return provenAll(std, *format, files)
}

// comparePaired prints the comparison of a file of pairs.
func comparePaired(std streams, path string) error {
	f, err := file.Load(path)
	if err != nil {
		return err
	}
	c, err := compare.DiffPaired(f, compare.Options{})
	if err != nil {
		return err
	}
	return errors.Join(c.WriteText(std.out), proven(std.out, f))
}

// orBaseline has the word baseline stand for this machine's, in ./results.
func orBaseline(path string) (string, error) {
	if path != "baseline" {
		return path, nil
	}
	return history.Baseline("results", machine.Gather().Slug())
}

func loadAll(paths []string) (files []*file.File, err error) {
	for _, path := range paths {
		if path, err = orBaseline(path); err != nil {
			return nil, err
		}
		f, err := file.Load(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func diff(files []*file.File, o compare.Options) (*compare.Comparison, error) {
	switch {
	case len(files) == 2:
		return compare.Diff(files[0], files[1], o)
	case compare.Paired(files[0]):
		return compare.DiffPaired(files[0], o)
	}
	return nil, fmt.Errorf("new results file is missing: %s holds no pairs (pcbbench ab)", files[0].Path)
}

func share(v float64) bool { return v > 0 && v < 1 }

// provenAll says what is known of the code behind files, where no program reads.
func provenAll(std streams, format string, files []*file.File) (err error) {
	var w io.Writer = std.err
	switch format {
	case "text":
		w = std.out
	case "markdown":
		w = std.out
		_, err = fmt.Fprintln(w)
	}
	for _, f := range files {
		err = errors.Join(err, proven(w, f))
	}
	return err
}
