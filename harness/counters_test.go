package harness

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
)

// TestCounters: what was counted is told by segment, with the least share; what was not asked for, or is not there, is not told at all.
func TestCounters(t *testing.T) {
	s := &Sample{Segs: 100, Counted: []machine.Counted{{Name: "cycles", N: 5000, Share: 1}, {Name: "llc-miss", N: 50, Share: 0.25}}}
	var got []benchfmt.Value
	put := func(unit string, v float64) { got = append(got, benchfmt.Value{Value: v, Unit: unit}) }
	s.counters(put)
	want := []benchfmt.Value{{Value: 50, Unit: "cycles/seg"}, {Value: 0.5, Unit: "llc-miss/seg"}, {Value: 0.25, Unit: "counter-share"}}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i].Value != want[i].Value || got[i].Unit != want[i].Unit {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
	got = nil
	if (&Sample{Segs: 100}).counters(put); got != nil {
		t.Errorf("nobody asked, and %v", got)
	}
	var errs strings.Builder
	o := &Options{Counters: true, Stderr: &errs}
	if note := o.counters(); !strings.HasPrefix(note, "hardware counters: ") || strings.Count(note, "\n") != 1 || o.Counters != (errs.Len() == 0) {
		t.Errorf("note %q, counting %v, told %q", note, o.Counters, &errs)
	}
}

// TestCountersNote: in the file it has lines of its own, whatever other notes there are.
func TestCountersNote(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path, err := Run(ctx, Options{Processes: 1, Rounds: 1, Measure: time.Millisecond, Dir: t.TempDir(), Notes: "of a trace", Counters: true, Stderr: io.Discard, Command: []string{os.Args[0]}})
	if !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "\n# of a trace\n# hardware counters: ") {
		t.Errorf("%v\n%s", err, text)
	}
}
