package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"pcbbench/harness"
	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/gate"
	"pcbbench/harness/revision"
)

// errVerdict is an exit code, 0 perhaps, whose reason has been printed as the result that it is.
type errVerdict int

func (e errVerdict) Error() string { return fmt.Sprintf("verdict %d", int(e)) }

// gateCmd says by its exit code whether a change may pass: 0, or 1 for a regression, 2 for input that it cannot use, 3 if it cannot tell. An error of
// whatever kind is no verdict on the change, so that its code is 2.
func gateCmd(ctx context.Context, args []string, std streams) error {
	err := runGate(ctx, args, std)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(std.out, "exit code: 0 no regression, 1 regression, 2 unusable input, 3 cannot tell")
	}
	if errors.Is(err, flag.ErrHelp) || errors.Is(err, harness.ErrInterrupted) || errors.As(err, new(errVerdict)) || errors.As(err, new(errUsage)) {
		return err
	}
	return errUsage{err}
}

func runGate(ctx context.Context, args []string, std streams) error {
	var again []string
	r := &abRequest{}
	fs := newFlagSet("gate")
	fs.StringVar(&r.base, "base", "", "instead of reading files, build this revision and -head, count all that is exact, and measure as pcbbench ab does; all flags but -limits, -format and -again are for this")
	fs.StringVar(&r.head, "head", revision.Here, "the other revision (. is this checkout as it is)")
	r.flags(fs)
	r.budgetFlag(fs, "most time to spend on each of the two runs (default 30s for each experiment, at least 1m)")
	limitsFile := fs.String("limits", "", "limits file: which metrics gate, and from which effect on (default built in: harness/compare/gate/limits.txt)")
	format := fs.String("format", "text", strings.Join(gate.Formats, ", "))
	fs.Func("again", "file of a second run, for what the first accuses: of pairs, or the old one and, by a second -again, the new one", func(path string) error {
		again = append(again, path)
		return nil
	})
	if err := parse(fs, std, args, "[old results file, or one of pcbbench ab]", "[new results file]"); err != nil {
		return err
	}
	if r.base == "" && isSet(fs, "base") {
		return errors.New("-base is empty: give a revision")
	}
	if r.base == "" && fs.NArg() == 0 {
		return errors.New("old results file is missing, or -base with a revision")
	}
	if r.base != "" && fs.NArg() > 0 {
		return errors.New("-base measures by itself, and takes no results file")
	}
	if !slices.Contains(gate.Formats, *format) {
		return fmt.Errorf("-format %q; want one of %s", *format, strings.Join(gate.Formats, ", "))
	}
	limits, err := readLimits(*limitsFile)
	if err != nil {
		return err
	}
	v, err := r.verdict(ctx, fs, std, again, limits)
	if err != nil {
		return err
	}
	if len(v.Accused) > 0 {
		v.Advice += " Then: " + confirm(args, fs.NArg())
	}
	if err := v.Write(std.out, *format); err != nil {
		return err
	}
	return errVerdict(v.Code)
}

// verdict measures two revisions, or reads files.
func (r *abRequest) verdict(ctx context.Context, fs *flag.FlagSet, std streams, again []string, limits gate.Limits) (*gate.Verdict, error) {
	if r.base != "" {
		if len(again) > 0 {
			return nil, errors.New("-again is for files; -base measures a second time by itself")
		}
		if err := r.settle(fs); err != nil {
			return nil, err
		}
		return r.gateBase(ctx, std, limits)
	}
	var unused []string
	fs.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"limits", "format", "again"}, f.Name) {
			unused = append(unused, "-"+f.Name)
		}
	})
	if len(unused) > 0 {
		return nil, fmt.Errorf("%s without -base: files are judged as they are", strings.Join(unused, ", "))
	}
	run, err := recorded(fs.Args(), again, limits)
	if err != nil {
		return nil, err
	}
	return judge(ctx, run, limits)
}

func readLimits(path string) (gate.Limits, error) {
	if path == "" {
		return gate.Default()
	}
	return gate.Read(path)
}

// confirm is the command that looks at a second run, too, of as many files.
func confirm(args []string, files int) string {
	again := []string{"-again", "OLD2", "-again", "NEW2"}
	if files == 1 {
		again = []string{"-again", "PAIRS2"}
	}
	return "pcbbench gate " + quote(append(again, args...))
}

// A runner gives a run of both arms: of everything if only is nil, else of these benchmarks, by their full names, at least. nil says that there is none.
type runner func(ctx context.Context, only []string) (*compare.Comparison, error)

// judge takes a run, and a second one if the first accuses somebody.
func judge(ctx context.Context, run runner, limits gate.Limits) (*gate.Verdict, error) {
	first, err := run(ctx, nil)
	if err != nil {
		return nil, err
	}
	v := gate.Judge(first, nil, limits)
	if len(v.Accused) == 0 {
		return v, nil
	}
	second, err := run(ctx, v.Accused)
	if err != nil {
		return nil, err
	}
	return gate.Judge(first, second, limits), nil
}

// recorded is the runner of runs that are in files already. All are read at once: one that is damaged is no reason to pass, needed or not.
func recorded(paths, again []string, limits gate.Limits) (runner, error) {
	if len(again) > 0 && len(again) != len(paths) {
		return nil, fmt.Errorf("%d files of a first run and %d of a second (-again): give as many", len(paths), len(again))
	}
	if err := distinct(append(slices.Clone(paths), again...)); err != nil {
		return nil, err
	}
	files, err := loadAll(append(slices.Clone(paths), again...))
	if err != nil {
		return nil, err
	}
	firsts, seconds := files[:len(paths)], files[len(paths):]
	first, err := arms(firsts, limits)
	if err != nil {
		return nil, err
	}
	var second *compare.Comparison
	if len(seconds) > 0 {
		if second, err = arms(seconds, limits); err != nil {
			return nil, err
		}
	}
	for i, f := range seconds {
		if err := gate.SameCode(firsts[i], f); err != nil {
			return nil, err
		}
	}
	return func(_ context.Context, only []string) (*compare.Comparison, error) {
		if only == nil {
			return first, nil
		}
		return second, nil
	}, nil
}

// distinct refuses a file that is given twice: compared with itself, or confirmed by itself, everything passes or nothing does.
func distinct(paths []string) error {
	var infos []os.FileInfo
	for i, path := range paths {
		path, err := orBaseline(path)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		for j, before := range infos {
			if os.SameFile(before, info) {
				return fmt.Errorf("%s and %s are the same file: each arm of each run must be measured for itself", paths[j], paths[i])
			}
		}
		infos = append(infos, info)
	}
	return nil
}

// arms compares the arms of one run, in a file of pairs or in two files, if they compare at all.
func arms(files []*file.File, limits gate.Limits) (*compare.Comparison, error) {
	for _, f := range files {
		for _, r := range f.Runs {
			if !r.Ended {
				return nil, fmt.Errorf("%s:%d: the run that begins here did not come to its end: it was interrupted, or the file is cut off; measure it again", f.Path, r.Line)
			}
		}
	}
	o, err := limits.Options(files...)
	if err != nil {
		return nil, err
	}
	c, err := diff(files, o)
	if err != nil {
		return nil, err
	}
	if len(files) == 2 {
		c.Rows = append(c.Rows, gate.Places(files[0], files[1])...)
	}
	return c, c.Refusal()
}
