package file

import (
	"cmp"
	"io"
	"os"
	"slices"

	"golang.org/x/perf/benchfmt"
)

// Load reads the results file path, of pcbbench or of any other Go benchmark. Lines that are no benchmark text, as PASS and logs, are passed over as
// benchfmt does. What is incomplete, damaged or impossible is an error that begins with path and, where there is one, the line; nothing is left out.
// The file is read line by line, and of it only the results are kept.
func Load(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l := &loader{lines: newLines(f), file: &File{Path: path}, names: map[string]benchfmt.Name{}, series: map[string]*series{}}
	r := benchfmt.NewReader(l.lines, path)
	for r.Scan() {
		if err := l.record(r.Result()); err != nil {
			return nil, err
		}
	}
	if l.err != io.EOF {
		return nil, cmp.Or(l.err, r.Err())
	}
	if l.file.Runs, err = l.finish(); err != nil {
		return nil, err
	}
	l.file.Units = r.Units()
	return l.file, l.check()
}

// A loader collects a file.
type loader struct {
	*lines
	file   *File
	names  map[string]benchfmt.Name
	config []benchfmt.Config // of the last result
	series map[string]*series
	cutOff bool // the last result looks so
}

func (l *loader) record(rec benchfmt.Record) error {
	switch rec := rec.(type) {
	case *benchfmt.SyntaxError:
		return rec
	case *benchfmt.UnitMetadata:
		return l.checkUnit(rec)
	case *benchfmt.Result:
		return l.add(rec)
	}
	return nil
}

func (l *loader) add(rec *benchfmt.Result) error {
	_, line := rec.Pos()
	run := l.at(line)
	res := &Result{Result: l.clone(rec), Line: line, Run: &run.Run}
	if err := l.checkResult(res, run.own()); err != nil {
		return err
	}
	disturbed, _ := res.Value(disturbedUnit)
	res.Disturbed = disturbed == 1
	l.file.Results = append(l.file.Results, res)
	return l.note(res)
}

// clone copies rec, which benchfmt will use again. Equal names and equal configuration, of which a file has few, are copied once.
func (l *loader) clone(rec *benchfmt.Result) *benchfmt.Result {
	name, config := rec.Name, rec.Config
	if l.names[string(name)] == nil {
		l.names[string(name)] = slices.Clone(name)
	}
	if l.config == nil || !slices.EqualFunc(l.config, config, sameConfig) {
		l.config = rec.Clone().Config
	}
	rec.Name, rec.Config = nil, nil
	res := rec.Clone()
	rec.Name, rec.Config = name, config
	res.Name, res.Config = l.names[string(name)], l.config
	return res
}

func sameConfig(a, b benchfmt.Config) bool {
	return a.Key == b.Key && a.File == b.File && string(a.Value) == string(b.Value)
}
