package compare

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/compare/file"
)

// write puts text into a file of its own.
func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "results.txt")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// table reads text as a results file.
func table(t *testing.T, text string) *Table {
	t.Helper()
	return NewTable(load(t, text))
}

// load reads text as a results file.
func load(t *testing.T, text string) *file.File {
	t.Helper()
	f, err := file.Load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// lines are a scheme's results in a setting, one for each time a segment in ns. p99-ns is ten times that.
func lines(scheme, setting string, ns ...float64) string {
	var b strings.Builder
	for _, v := range ns {
		fmt.Fprintf(&b, "BenchmarkInput/scheme=%s/%s\t1000\t%v ns/seg\t%v segs/s\t%v p99-ns\t0 allocs/seg\n", scheme, setting, v, 1e9/v, 10*v)
	}
	return b.String()
}

// setting is the rest of a name.
func setting(mix string, conns, workers, work int) string {
	return fmt.Sprintf("lock=default/dispatch=direct/mix=%s/conns=%d/batch=32/workers=%d/affinity=rss/pin=cpu/work=%d", mix, conns, workers, work)
}

// Six samples about a center, all different: they do not overlap with those of a center a few percent away.
func about(center float64) (ns []float64) {
	for _, d := range []float64{-0.5, 0.3, 0.1, -0.2, 0.4, -0.3} {
		ns = append(ns, center+d)
	}
	return ns
}
