package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"pcbbench/workloads"
)

// asChild, in the environment, makes the test binary do what the measuring process does; it knows the broken schemes too.
const asChild = "PCBBENCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		os.Exit(m.Run())
	}
	breakSchemes()
	err := Child(os.Stdin, os.Stdout, os.Stderr)
	if errors.Is(err, ErrFailedSamples) {
		os.Exit(ExitFailedSamples)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tiny is an experiment that takes some 20 ms with a short Timing.
func tiny(scheme string, workers int) Experiment {
	return Experiment{Scheme: scheme, Pin: PinNone, Workload: workloads.Params{Mix: "churn", Conns: 10, Workers: workers}}
}

// resolved is e's variant.
func resolved(t *testing.T, e Experiment) *variant {
	t.Helper()
	v, err := e.resolve()
	if err != nil {
		t.Fatal(err)
	}
	return &v
}

// parsed reads benchmark text as x/perf's tools do; a syntax error fails the test.
func parsed(t *testing.T, text []byte) (results []*benchfmt.Result, units benchfmt.UnitMetadataMap) {
	t.Helper()
	r := benchfmt.NewReader(bytes.NewReader(text), "results")
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatalf("%v\n%s", rec, text)
		case *benchfmt.Result:
			results = append(results, rec.Clone())
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return results, benchfmt.UnitMetadataMap(r.Units())
}

// parts are a benchmark name's keys in order, and their values.
func parts(t *testing.T, name string) (keys []string, values map[string]string) {
	t.Helper()
	values = map[string]string{}
	_, parts := benchfmt.Name(name).Parts()
	for _, part := range parts {
		key, val, ok := strings.Cut(strings.TrimPrefix(string(part), "/"), "=")
		if !ok || key == "" || val == "" || slices.Contains(keys, key) {
			t.Errorf("part %q of %s is no key=value of its own", part, name)
		}
		keys = append(keys, key)
		values[key] = val
	}
	return keys, values
}
