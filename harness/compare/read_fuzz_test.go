package compare

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/compare/file"
)

// FuzzRead reads arbitrary bytes as results: whatever Load takes can be told and compared.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"",
		"BenchmarkInput/scheme=global/mix=rpc/workers=1 10 5 ns/seg\nBenchmarkInput/scheme=smr/mix=rpc/workers=1 10 4 ns/seg\n",
		"goos: linux\ntorture: passed\nUnit ns/seg better=lower\nBenchmarkX/scheme=a 1 NaN ns/seg\n",
		"BenchmarkX/scheme=a/workers=x 1 -Inf ns/seg 3\n",
		"BenchmarkX/scheme=a/arrivals=poisson/load=10 1 5 segs/s 7 lat-p50-ns 8 lat-p99-ns\nBenchmarkX/scheme=a/arrivals=b/rate=x 1 1e400 segs/s NaN lat-p99-ns 1e-200 lat-p50-ns\n",
		"BenchmarkX/scheme=a/scheme=b/=/workers=2/workers=3-8 1 1e400 ns/seg\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "results.txt")
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := file.Load(path)
		if err != nil {
			return // FuzzLoad looks at errors
		}
		if len(Torture(f)) == 0 {
			t.Error("nothing is said of the torture")
		}
		if sweep := NewSweep(f); len(sweep.Curves) > 0 {
			if err := errors.Join(sweep.WriteKnees(io.Discard), sweep.WriteSVG(io.Discard)); err != nil {
				t.Error(err)
			}
		}
		compareFuzzed(t, f)
		table := NewTable(f)
		if s := table.Sentences([]string{"null"}); s == "" || strings.Count(s, "\n") > 1 {
			t.Errorf("sentences %q", s)
		}
		if args := table.BenchstatArgs([]string{"global", "smr"}); len(args) != 8 {
			t.Errorf("arguments %q", args)
		}
	})
}

// compareFuzzed compares f with itself, in every unit: no row differs, and whatever comes out can be written.
func compareFuzzed(t *testing.T, f *file.File) {
	for _, c := range []*Comparison{fuzzed(t, f, func(o Options) (*Comparison, error) { return Diff(f, f, o) }), fuzzed(t, f, func(o Options) (*Comparison, error) { return DiffPaired(f, o) })} {
		if c == nil {
			continue
		}
		for i := range c.Rows {
			if r := &c.Rows[i]; !c.Paired && c.Significant(r) {
				t.Errorf("%s differs from itself: %+v", r.Name, r)
			}
		}
		for _, format := range Formats {
			if err := Writer(format)(c, io.Discard); err != nil {
				t.Errorf("%s: %v", format, err)
			}
		}
	}
}

func fuzzed(t *testing.T, f *file.File, diff func(Options) (*Comparison, error)) *Comparison {
	v := f.Results[0].Values[0]
	_, unit := file.Written(v)
	c, err := diff(Options{Units: []string{unit}})
	if err != nil {
		if msg := err.Error(); msg == "" || strings.Contains(msg, "\n") && !strings.Contains(string(f.Results[0].Name), "\n") {
			t.Errorf("not one sentence: %q", msg)
		}
		return nil
	}
	return c
}
