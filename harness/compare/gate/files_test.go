package gate

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
)

func load(t *testing.T, text string) *file.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "results.txt")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := file.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestOptions(t *testing.T) {
	f := load(t, "BenchmarkInput/a 1 5 ns/seg 7 walk-ns\n")
	g := load(t, "BenchmarkInput/a 1 5 ns/seg 0 allocs/seg\n")
	o, err := limitsOf(t, testLimits).Options(f, g)
	if err != nil || o.Row != ".fullname" || !slices.Equal(o.Units, []string{"ns/seg", "allocs/seg"}) {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := limitsOf(t, "Input p99-ns 10%").Options(f, g); err == nil || !strings.Contains(err.Error(), f.Path) || !strings.Contains(err.Error(), "p99-ns") {
		t.Errorf("files without a metric that gates: %v", err)
	}
}

func TestPlaces(t *testing.T) {
	old := load(t, `BenchmarkInput/a 1 5 ns/seg 1 pingpong-class 0 disturbed
BenchmarkInput/a 1 5 ns/seg 2 pingpong-class 1 disturbed
BenchmarkInput/b 1 5 ns/seg
`)
	new := load(t, `BenchmarkInput/a 1 5 ns/seg 3 pingpong-class 0 disturbed
BenchmarkInput/c 1 5 ns/seg 2 pingpong-class
`)
	want := []compare.Row{{Name: "Input/a", Unit: ClassUnit, Old: []float64{1}, New: []float64{3}}, {Name: "Input/c", Unit: ClassUnit, New: []float64{2}}}
	if got := Places(old, new); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestSameCode checks that a second run of other commits is refused, in whichever key they stand, and one that does not say is not.
func TestSameCode(t *testing.T) {
	run := func(facts ...string) (text string) {
		for _, f := range facts {
			text += f + "\n"
		}
		return text + "BenchmarkInput/a 1 5 ns/seg\n" + strings.Join(keys(facts), ":\n") + ":\n"
	}
	for _, c := range []struct {
		first, again string
		same         bool
	}{
		{run("commit: a"), run("commit: a"), true},
		{run("commit: a"), run("commit: b"), false},
		{run("baseline-commit: a", "experiment-commit: b"), run("baseline-commit: a", "experiment-commit: b"), true},
		{run("baseline-commit: a", "experiment-commit: b"), run("baseline-commit: a", "experiment-commit: c"), false},
		{run("baseline-commit: a", "experiment-commit: b"), run("baseline-commit: c", "experiment-commit: b"), false},
		{run("commit: a"), run("goos: linux"), true},
		{run("goos: linux"), run("commit: a"), true},
		{run("commit: a") + run("commit: b"), run("commit: b") + run("commit: a") + run("commit: b"), true},
		{run("commit: a") + run("commit: b"), run("commit: a"), false},
	} {
		first, again := load(t, c.first), load(t, c.again)
		err := SameCode(first, again)
		if (err == nil) != c.same {
			t.Errorf("%q and %q: %v", c.first, c.again, err)
		}
		if err != nil && (!strings.Contains(err.Error(), first.Path) || !strings.Contains(err.Error(), again.Path)) {
			t.Errorf("the error names no file: %v", err)
		}
	}
}

// keys are those of facts.
func keys(facts []string) (names []string) {
	for _, f := range facts {
		name, _, _ := strings.Cut(f, ":")
		names = append(names, name)
	}
	return names
}
