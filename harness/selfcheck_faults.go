package harness

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// failures are the ways in which an account fails.
var failures = []fault{{loses, warming, 0}, {loses, measuring, 3}, {loses, draining, 0}, {doubles, warming, 2}, {doubles, measuring, 0}, {panics, measuring, 3}, {closesBad, 0, 0}}

// checkFaults has a failing table measured, after a good one where that is the same for any fault: the good one gets its line, the other is named and gets none.
func (b *bench) checkFaults(rng *rand.Rand, bad fault, au *auditor) error {
	variants := make([]*variant, 2)
	for i := range variants {
		e := drawExperiment(rng, rng.IntN(kinds))
		e.Workload.Walkers, e.Workload.Workers = 0, 1+i
		v, err := e.resolve()
		if err != nil {
			return err
		}
		variants[i] = &v
		au.audit(variants[i], func(a *account) {
			if i == 1 {
				a.fault = bad
			}
		})
	}
	if bad.phase != warming || bad.what == closesBad {
		return b.checkFault(variants[1], bad, rng.Uint64(), au)
	}
	var out, errs bytes.Buffer
	err := b.rounds([][]measurable{{variants[0], variants[1]}}, Job{Timing: Timing{time.Millisecond, 5 * time.Millisecond}, Seed: rng.Uint64()}, &out, &errs)
	if strings.Contains(errs.String(), errStarved.Error()) {
		return nil
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		if name, ok := strings.CutPrefix(line, "Benchmark"); ok {
			name, _, _ = strings.Cut(name, "\t")
			names = append(names, name)
		}
	}
	good := variants[0].name()
	if !slices.Equal(names, []string{good}) {
		return wrong("a table that %s, and one that is good, have numbers for %q; errors: %s", bad.what, names, errs.String())
	}
	if !errors.Is(err, ErrFailedSamples) || !strings.HasPrefix(err.Error(), "1 ") || strings.Count(errs.String(), "FAILED "+variants[1].name()+": no number: ") != 1 {
		return wrong("a table that %s is reported as %v: %s", bad.what, err, errs.String())
	}
	return nil
}

// checkFault has one table fail at a known time. Once a batch was counted, nobody may say that there was no time for one.
func (b *bench) checkFault(v *variant, bad fault, seed uint64, au *auditor) error {
	t, err := b.testify(v, seed, Timing{time.Millisecond, 5 * time.Millisecond}, au)
	if t == nil {
		return wrong("%s: a good table does not open: %w", v.name(), err)
	}
	if !t.a.done.Load() || errors.Is(err, errStarved) && !t.worked() {
		return nil
	}
	if err == nil || errors.Is(err, errStarved) || bad.what == panics && !strings.Contains(err.Error(), "pcb 7 is gone") {
		return wrong("a table that %s in phase %d of a sample is reported as: %v", bad.what, bad.phase, err)
	}
	return nil
}

// worked reports whether a batch was counted for sure.
func (t *testimony) worked() bool {
	loose := t.r.loose()
	for _, batches := range t.batches {
		first, end := measured(batches)
		for k := first + 1 + loose; k < end-loose; k++ {
			if batches[k].segs > 0 {
				return true
			}
		}
	}
	return false
}
