package compare

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestRead checks that settings become rows in order of appearance, with the samples of each scheme in order, in seconds.
func TestRead(t *testing.T) {
	text := "goos: linux\ncommit: abc\n# a comment\ncommit:\nUnit ns/seg better=lower\n" +
		lines("global", setting("churn", 1024, 1, 0), 100, 300) +
		lines("connp:groups=16", setting("bulk", 10, 1, 0), 7) +
		"BenchmarkOther/scheme=global-4\t1\t5 ns/op\n" + // no time a segment: not ours
		"PASS\n" +
		lines("smr", setting("churn", 1024, 1, 0), 200)
	tab := table(t, text)
	var got []map[string][]float64
	for _, r := range tab.Rows {
		rounded := map[string][]float64{}
		for s, seconds := range r.Samples {
			for _, v := range seconds {
				rounded[s] = append(rounded[s], math.Round(v*1e12)/1e3)
			}
		}
		got = append(got, rounded)
	}
	want := []map[string][]float64{{"global": {100, 300}, "smr": {200}}, {"connp:groups=16": {7}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rows are %v, want %v", got, want)
	}
}

func TestReadErrors(t *testing.T) {
	broken := write(t, "goos: linux\nBenchmarkInput/scheme=global\t10\t20 ns/seg\nBenchmarkInput/scheme=global\tmany\t20 ns/seg\n")
	if _, err := Read(broken); err == nil || !strings.HasPrefix(err.Error(), broken+":3: ") {
		t.Errorf("a bad line 3 is told as %v", err)
	}
	missing := filepath.Join(t.TempDir(), "missing.txt")
	if _, err := Read(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing file is told as %v", err)
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
	for _, text := range []string{"", "\n", "goos: linux\nPASS\n"} {
		if tab := table(t, text); len(tab.Rows) != 0 {
			t.Errorf("%d rows in %q", len(tab.Rows), text)
		}
	}
}

// TestReadEquals reads a file whose name looks like benchstat's label=path.
func TestReadEquals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a=b.txt")
	if err := os.WriteFile(path, []byte(lines("global", setting("churn", 10, 1, 0), 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	if tab, err := Read(path); err != nil || len(tab.Rows) != 1 {
		t.Errorf("%+v, %v", tab, err)
	}
}

// arg is the value of one of benchstat's flags.
func arg(t *testing.T, args []string, flag string) string {
	t.Helper()
	i := slices.Index(args, flag)
	if i < 0 || i+1 == len(args) {
		t.Fatalf("no %s in %q", flag, args)
	}
	return args[i+1]
}

func TestColumns(t *testing.T) {
	text := ""
	for _, s := range []string{"zeta", "smr:smr=gc", "null", "smr", "connp:groups=16", "alpha", "global"} {
		text += lines(s, setting("churn", 1024, 1, 0), 100)
	}
	args := table(t, text).BenchstatArgs([]string{"global", "connp", "refcount", "smr", "null"})
	if got, want := arg(t, args, "-col"), `/scheme@("global" "connp:groups=16" "smr" "smr:smr=gc" "null" "alpha" "zeta")`; got != want {
		t.Errorf("columns are %s, want %s", got, want)
	}
	if got, want := arg(t, args, "-table"), ".config /workers@num"; got != want {
		t.Errorf("a table for each %s, want %s", got, want)
	}
}

// TestRows checks that rows are named by what varies, and by the mix; that connections which follow from the mix do not count as varying.
func TestRows(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"one":             {[]string{setting("churn", 1024, 1, 0)}, "/mix"},
		"workers":         {[]string{setting("churn", 1024, 1, 0), setting("churn", 1024, 2, 0)}, "/mix"},
		"work":            {[]string{setting("churn", 1024, 1, 0), setting("churn", 1024, 1, 500)}, "/mix /work@num"},
		"mix and its own": {[]string{setting("churn", 1024, 1, 0), setting("bulk", 10, 1, 0)}, "/mix"},
		"conns":           {[]string{setting("churn", 1024, 1, 0), setting("churn", 10, 1, 0)}, "/mix /conns@num"},
		"conns of one mix": {[]string{setting("churn", 1024, 1, 0), setting("bulk", 10, 1, 0), setting("bulk", 20, 1, 0)},
			"/mix /conns@num"},
		"not named by all": {[]string{"mix=churn/workers=1", "mix=churn/workers=1/roles=split"}, "/mix /roles"},
		"closed and open":  {[]string{"mix=churn/workers=1", "mix=churn/workers=1/arrivals=poisson/load=50"}, "/mix /arrivals /load@num"},
		"text":             {[]string{"lock=mtx/mix=churn/workers=1/pin=cpu", "lock=mcs/mix=churn/workers=1/pin=none"}, "/mix /lock /pin"},
	} {
		text := ""
		for _, s := range c.settings {
			text += lines("global", s, 100)
		}
		if got := arg(t, table(t, text).BenchstatArgs(nil), "-row"); got != c.want {
			t.Errorf("%s: rows by %s, want %s", name, got, c.want)
		}
	}
}
