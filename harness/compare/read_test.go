package compare

import (
	"math"
	"reflect"
	"slices"
	"testing"
)

// TestTable checks that settings become rows in order of appearance, with the samples of each scheme in order, in seconds.
func TestTable(t *testing.T) {
	text := "goos: linux\ncommit: abc\n# a comment\ncommit:\nUnit ns/seg better=lower\n" +
		lines("global", setting("churn", 1024, 1, 0), 100, 300) +
		lines("connp:groups=16", setting("bulk", 10, 1, 0), 7) +
		"BenchmarkOther/scheme=global-4\t1\t5 ns/op\n" + // no time a segment: not ours
		"PASS\n" +
		lines("smr", setting("churn", 1024, 1, 0), 200)
	tab := table(t, text)
	var got []map[string][]float64
	for _, r := range tab.Settings {
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
