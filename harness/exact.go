package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
	"pcbbench/harness/proof"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
	"pcbbench/workloads"
)

// ExactOptions are those of a run that counts.
type ExactOptions struct {
	Experiments []Experiment // as ValidateExact wants them; Pin and Work mean nothing
	Laps        int          // that are counted, after a first one that is not, because caches and queues fill in it
	Seed        uint64
	Dir         string // results folder; the file goes into <Dir>/exact/
	Stderr      io.Writer
}

// ValidateExact says why experiments cannot be counted: what one goroutine alone cannot do, or what is decided by time.
func ValidateExact(es []Experiment) error {
	_, err := resolveExact(es)
	return err
}

func resolveExact(es []Experiment) (vs []*variant, err error) {
	if !probe.Counting {
		return nil, errors.New("exact needs a build with the tag count: make exact, or go build -tags count")
	}
	for _, e := range es {
		e.Pin, e.Work = PinNone, 0
		e.Force = true // walks come between laps, so no scheme is used by two at a time
		v, err := e.resolve()
		if err == nil {
			err = v.checkExact()
		}
		if err != nil {
			return nil, err
		}
		vs = append(vs, &v)
	}
	return vs, nil
}

func (v *variant) checkExact() error {
	switch {
	case v.Workload.Workers != 1:
		return fmt.Errorf("workers=%d: counts are exact with 1 worker only", v.Workload.Workers)
	case v.Roles != workloads.RoleSets[0].Name:
		return fmt.Errorf("roles=%s: counts are exact with roles=%s only, where one thread does all", v.Roles, workloads.RoleSets[0].Name)
	case v.open():
		return fmt.Errorf("arrivals=%s: they come by the clock, so no two runs count the same", v.Arrivals)
	case v.Workload.Affinity != workloads.RSS:
		return fmt.Errorf("affinity=%s: means nothing to 1 worker, who gets all segments", v.Workload.Affinity)
	case v.way.Model.Name == "feedback":
		return fmt.Errorf("dispatch %s chooses by measured time, so no two runs count the same", v.Dispatch)
	case v.way.Model.Owns && v.walkers() > 0:
		return fmt.Errorf("mix %s has a walker, who by dispatch %s waits for the worker: not to be counted in one goroutine", v.Workload.Mix, v.Dispatch)
	}
	return nil
}

// Exact counts o.Experiments, which are valid, in their order, and returns the file with the results, written as they come. On a machine that is shared only
// counts are exact: the same code and the same seed give the same digits, so that a gate needs no statistics. Of the machine the file says nothing: counts do
// not depend on it, and files of two machines compare.
func Exact(ctx context.Context, o ExactOptions) (path string, err error) {
	vs, err := resolveExact(o.Experiments)
	if err != nil {
		return "", err
	}
	facts := machine.Gather()
	stable := slices.DeleteFunc(facts.Stable(), func(kv machine.KeyValue) bool { return !slices.Contains(toolchain, kv.Key) })
	run := append(facts.Run(), machine.KeyValue{Key: "seed", Value: fmt.Sprint(o.Seed)}, machine.KeyValue{Key: "torture", Value: proof.Of(o.Dir, subjects(o.Experiments))})
	f, err := create(filepath.Join(o.Dir, "exact"), run)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := &wholeLines{f: f}
	if err := writeHeader(out, stable, run); err != nil {
		return f.Name(), err
	}
	if _, err := fmt.Fprintf(out, "# counts of 1 worker over %d laps, after 1 that is not counted\n", o.Laps); err != nil {
		return f.Name(), err
	}
	if err := exactLines(ctx, vs, o, out); err != nil {
		return f.Name(), err
	}
	return f.Name(), out.end(nil)
}

// toolchain are the facts that may decide what a binary counts.
var toolchain = []string{"goos", "goarch", "go"}

// exactLines writes the results.
func exactLines(ctx context.Context, vs []*variant, o ExactOptions, out io.Writer) error {
	b := &bench{clock: machine.NewClock()}
	declared := map[string]bool{}
	for _, u := range Units {
		declared[u.name] = true
	}
	failed := 0
	for _, v := range vs {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		err := b.rounds([][]measurable{{&exact{v, o.Laps, declared}}}, Job{Seed: o.Seed}, out, o.Stderr)
		switch {
		case errors.Is(err, ErrFailedSamples):
			failed++
		case err != nil:
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d experiments failed their check; the file has no counts of them", failed)
	}
	return nil
}

// An exact is an experiment that is counted.
type exact struct {
	*variant
	laps     int
	declared map[string]bool // the units that the file has metadata of
}

// name leaves out the keys that mean nothing to one goroutine.
func (e *exact) name() string {
	w := &e.Workload
	name := fmt.Sprintf("Exact/scheme=%s/lock=%s/dispatch=%s/mix=%s/conns=%d/batch=%d", e.Scheme, e.Lock, e.Dispatch, w.Mix, w.Conns, w.Batch)
	for _, k := range w.Uncommon() {
		name += "/" + strings.Map(inName, k)
	}
	return name
}

// measure takes no time into account. The check at the end is that of every sample.
func (e *exact) measure(b *bench, job Job) (line string, err error) {
	witness.Reset() // or the locks of all tables so far would be kept
	r, s, err := b.open(e.variant, job.Seed, Timing{})
	if err != nil {
		return "", err
	}
	t, err := r.count(e.laps)
	if err != nil {
		return "", err
	}
	if err := bounded(stuckAfter, "checking the table", nil, func() error { return r.check(s) }); err != nil {
		return "", err
	}
	return e.line(t)
}

// line is what the results file says of t: all digits, since a count is not rounded as a measurement is, after metadata of the units that are new to the file.
func (e *exact) line(t tally) (string, error) {
	res := benchfmt.Result{Name: benchfmt.Name(e.name()), Iters: int(t.sent)}
	var text bytes.Buffer
	t.values(func(u unit, v float64) {
		if u.assume = "exact"; !e.declared[u.name] {
			e.declared[u.name] = true
			text.WriteString(u.metadata())
		}
		res.Values = append(res.Values, benchfmt.Value{Value: v, Unit: u.name})
	})
	err := benchfmt.NewWriter(&text).Write(&res)
	return text.String(), err
}
