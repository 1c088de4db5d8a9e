package compare

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzRead reads arbitrary bytes as results: an error says where, and what was read can be told.
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
		if said, err := Torture(path); err == nil && len(said) == 0 {
			t.Error("nothing is said of the torture")
		}
		if sweep, err := ReadSweep(path); err == nil && len(sweep.Curves) > 0 {
			if err := errors.Join(sweep.WriteKnees(io.Discard), sweep.WriteSVG(io.Discard)); err != nil {
				t.Error(err)
			}
		}
		table, err := Read(path)
		if err != nil {
			if msg := err.Error(); !strings.Contains(msg, path+":") {
				t.Errorf("error without a place: %q", msg)
			}
			return
		}
		if s := table.Sentences([]string{"null"}); s == "" || strings.Count(s, "\n") > 1 {
			t.Errorf("sentences %q", s)
		}
		if args := table.BenchstatArgs([]string{"global", "smr"}); len(args) != 8 {
			t.Errorf("arguments %q", args)
		}
	})
}
