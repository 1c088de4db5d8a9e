package gate

import (
	"fmt"
	"slices"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
)

// Options are those by which files are compared in the metrics that gate: rows have full names. An error says that no file has such a metric.
func (ls Limits) Options(files ...*file.File) (compare.Options, error) {
	there := map[string]bool{}
	for _, f := range files {
		for _, r := range f.Results {
			for _, v := range r.Values {
				_, unit := file.Written(v)
				there[unit] = true
			}
		}
	}
	units := slices.DeleteFunc(ls.Units(), func(unit string) bool { return !there[unit] })
	if len(units) == 0 {
		return compare.Options{}, fmt.Errorf("%s: no result has a metric that gates; there are limits for %v", files[0].Path, ls.Units())
	}
	return compare.Options{Row: ".fullname", Units: units}, nil
}

// SameCode says in one sentence if again, a file of a second run, is of another commit than first; nil if it is of the same or if one of them does
// not say.
func SameCode(first, again *file.File) error {
	for _, key := range []string{"code", "commit", "baseline-commit", "experiment-commit"} {
		a, b := said(first, key), said(again, key)
		if len(a) > 0 && len(b) > 0 && !slices.Equal(a, b) {
			return fmt.Errorf("%s is of %s %v and %s of %v: a second run must measure the same code", first.Path, key, a, again.Path, b)
		}
	}
	return nil
}

// said is what a file's runs say of key, each value once.
func said(f *file.File, key string) (values []string) {
	for _, r := range f.Runs {
		if v := r.Facts[key]; v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}
