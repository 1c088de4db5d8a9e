package harness

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"

	"pcbbench/harness/machine"
)

// header is the header that this machine and run get, and a result after it.
func header(t *testing.T, facts machine.Facts) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := writeHeader(&buf, facts.Stable(), facts.Run()); err != nil {
		t.Fatal(err)
	}
	buf.WriteString("BenchmarkInput/scheme=global\t10\t20 ns/seg\t0 allocs/seg\n")
	return buf.Bytes()
}

// TestHeader checks that a result inherits the facts of the machine and none of the run, which are in the file for people.
func TestHeader(t *testing.T) {
	facts := machine.Gather()
	text := header(t, facts)
	results, _ := parsed(t, text)
	if len(results) != 1 {
		t.Fatalf("%d results in\n%s", len(results), text)
	}
	want, got := map[string]string{"epoch": Epoch}, map[string]string{}
	for _, kv := range facts.Stable() {
		want[kv.Key] = kv.Value
	}
	for _, c := range results[0].Config {
		got[c.Key] = string(c.Value)
	}
	if !maps.Equal(got, want) {
		t.Errorf("the result's configuration is\n%v, want\n%v", got, want)
	}
	for _, key := range []string{"date", "commit", "dirty", "load"} {
		if !slices.ContainsFunc(facts.Run(), func(kv machine.KeyValue) bool { return kv.Key == key }) {
			t.Errorf("%s is no fact of the run", key)
		}
	}
	for _, kv := range facts.Run() {
		if line := kv.Key + ": " + kv.Value + "\n"; !strings.Contains(string(text), line) {
			t.Errorf("the file does not tell %q", line)
		}
	}
}

// TestUnitMetadata checks what benchstat and a gate get to know of the units, under their tidied names.
func TestUnitMetadata(t *testing.T) {
	_, units := parsed(t, header(t, machine.Gather()))
	better := map[string]int{"": 0, "lower": -1, "higher": 1}
	for _, u := range Units {
		_, tidy := benchunit.Tidy(1, u.name)
		if got := units.GetBetter(tidy); got != better[u.better] {
			t.Errorf("%s: better=%q is read as %d", u.name, u.better, got)
		}
	}
	if a := units.GetAssumption("allocs/seg"); a != benchmath.AssumeExact {
		t.Errorf("allocs/seg is compared by %T, want exact", a)
	}
	if a := units.GetAssumption("sec/seg"); a != benchmath.AssumeNothing {
		t.Errorf("ns/seg is compared by %T, want without assumption", a)
	}
}

func TestFormat(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 12038711: "12038711", 1e15: "1000000000000000", 0.5: "0.5", 123.4567891: "123.457", 2e-9: "2e-09"} {
		if got := format(benchfmt.Value{Value: v}); got != want {
			t.Errorf("%v is written as %s, want %s", v, got, want)
		}
	}
}

// fullAfter is a disk with room for n bytes.
type fullAfter struct{ n int }

func (w *fullAfter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		return 0, io.ErrShortWrite
	}
	w.n -= len(p)
	return len(p), nil
}

func TestHeaderOnFullDisk(t *testing.T) {
	facts := machine.Gather()
	size := len(header(t, facts)) - len("BenchmarkInput/scheme=global\t10\t20 ns/seg\t0 allocs/seg\n")
	for n := range size {
		if err := writeHeader(&fullAfter{n}, facts.Stable(), facts.Run()); err == nil {
			t.Fatalf("no error with room for %d of %d bytes", n, size)
		}
	}
	if err := writeHeader(&fullAfter{size}, facts.Stable(), facts.Run()); err != nil {
		t.Error(err)
	}
}
