package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench"
	"pcbbench/harness/handoff"
	"pcbbench/harness/lockbench"
	"pcbbench/harness/machine"
	"pcbbench/harness/reclaim"
)

// A Job is what one process measures: rounds of all experiments, hand-offs and locks, each round in a random order of its own. Before them come the closed-loop
// maxima that loads are a share of.
type Job struct {
	Experiments []Experiment
	Handoffs    []handoff.Case
	Locks       []lockbench.Case
	Reclaims    []reclaim.Case
	Rounds      int
	Timing      Timing
	Seed        uint64
	Orders      bool    // take orders after the rounds: numbers of experiments, as JSON, each answered as soon as it is measured
	PerNS       float64 // units of locks.Delay in a nanosecond, where processes must agree on it; 0: each finds out
	Plant       Plant
	Profiles    Profiles
	Counters    bool // hardware's
}

// ErrFailedSamples says that samples failed their check, and that all others are there.
var ErrFailedSamples = errors.New("samples failed their check")

// Child runs the Job that in holds as JSON and writes a result line for each sample to out, in one piece as soon as it is there. A
// failed sample writes none: it is named on errs, and Child goes on and reports at the end.
func Child(in io.Reader, out, errs io.Writer) (err error) {
	var job Job
	orders := json.NewDecoder(in)
	if err := orders.Decode(&job); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	variants, most, err := resolveAll(job.Experiments)
	if err != nil {
		return err
	}
	var first, list []measurable
	for _, p := range peaks(variants) {
		first = append(first, p)
	}
	for _, v := range variants {
		list = append(list, v)
	}
	for _, c := range job.Handoffs {
		if err := c.Check(2); err != nil {
			return err
		}
		list, most = append(list, handoffCase{c}), max(most, 2)
	}
	for _, c := range job.Locks {
		if err := c.Check(); err != nil {
			return err
		}
		if err := c.Refusal(); err != nil {
			return err
		}
		list, most = append(list, lockCase{c}), max(most, c.Workers)
	}
	for _, c := range job.Reclaims {
		if err := c.Check(); err != nil {
			return err
		}
		list, most = append(list, reclaimCase{c}), max(most, c.CPUs())
	}
	b, err := newBench(most)
	if err != nil {
		return err
	}
	if b.plant = job.Plant; job.PerNS != 0 {
		b.perNS = job.PerNS
	}
	b.locks = &lockbench.Bench{Clock: b.clock, CPUs: b.cpus, PerNS: b.perNS, Noise: &b.noise}
	if job.Counters {
		if b.hw, err = machine.NewCounters(); err != nil {
			return err
		}
	}
	b.label = job.Profiles != Profiles{}
	stop, err := job.Profiles.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	rounds := slices.Repeat([][]measurable{first}, peakSamples)
	rounds = append(rounds, slices.Repeat([][]measurable{list}, job.Rounds)...)
	if err := b.rounds(rounds, job, out, errs); err != nil || !job.Orders {
		return err
	}
	return b.orders(orders, list, job, out)
}

// failedSample begins the answer to an order whose sample failed its check.
const failedSample = "FAILED "

// A greeting is what a process that takes orders says first.
type greeting struct {
	Code  string // digest of its source
	Epoch string
	Go    string // version
}

// orders says who this is, and measures what it is told to, until there are no more orders. An answer is a result's lines, or failedSample and why, and then an empty line.
func (b *bench) orders(orders *json.Decoder, list []measurable, job Job, out io.Writer) error {
	hello, err := json.Marshal(greeting{pcbbench.Code(), Epoch, runtime.Version()})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s%s\n\n", greets, hello); err != nil {
		return err
	}
	for {
		var i int
		if err := orders.Decode(&i); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading orders: %w", err)
		}
		if i < 0 || i >= len(list) {
			return fmt.Errorf("order %d: there are %d experiments", i, len(list))
		}
		err := b.result(list[i], job, out)
		if errors.As(err, new(*StuckError)) {
			return fmt.Errorf("%s: %w", list[i].name(), err)
		}
		if isSampleError(err) {
			_, err = fmt.Fprintf(out, "%s%s: %v\n", failedSample, list[i].name(), indent(err))
		}
		if err != nil {
			return err
		}
		if _, err := io.WriteString(out, "\n"); err != nil {
			return err
		}
	}
}

// A measurable is what a job measures.
type measurable interface {
	name() string
	// measure returns a sample's line.
	measure(b *bench, job Job) (line string, err error)
}

// rounds measures what each round has.
func (b *bench) rounds(rounds [][]measurable, job Job, out, errs io.Writer) error {
	rng := rand.New(rand.NewPCG(job.Seed, 1))
	failed := 0
	for _, list := range rounds {
		for _, i := range rng.Perm(len(list)) {
			err := b.result(list[i], job, out)
			var stuck *StuckError
			switch {
			case errors.As(err, &stuck):
				return fmt.Errorf("%s: %w", list[i].name(), err)
			case err != nil && !isSampleError(err):
				return err
			case err != nil:
				failed++
				fmt.Fprintf(errs, "FAILED %s: no number: %v\n", list[i].name(), indent(err))
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d %w", failed, ErrFailedSamples)
	}
	return nil
}

// indent keeps the lines of a joined error together.
func indent(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\n    ") }

// A sampleError is what went wrong in a sample, as opposed to writing it down.
type sampleError struct{ error }

func (e sampleError) Unwrap() error { return e.error }

func isSampleError(err error) bool { return errors.As(err, new(sampleError)) }

func resolveAll(es []Experiment) (vs []*variant, mostWorkers int, err error) {
	for _, e := range es {
		v, err := e.resolve()
		if err != nil {
			return nil, 0, err
		}
		vs = append(vs, &v)
		mostWorkers = max(mostWorkers, v.Workload.Workers)
	}
	return vs, mostWorkers, nil
}

// starvedTries is how often a sample is tried that nobody got a CPU for.
const starvedTries = 5

// patiently measures by f for as long as d, and four times as long each time that nobody got a CPU: who had none for so long may have one in longer.
func patiently(d time.Duration, starved error, f func(time.Duration) error) (err error) {
	for range starvedTries {
		if err = f(d); !errors.Is(err, starved) {
			break
		}
		d *= 4
	}
	return err
}

// patient is sample, patiently.
func (b *bench) patient(v *variant, seed uint64, tm Timing) (s *Sample, err error) {
	err = patiently(tm.Measure, errStarved, func(d time.Duration) (err error) {
		s, err = b.sample(v, seed, Timing{tm.Warm, d})
		return err
	})
	return s, err
}

// measure takes a sample. All samples of a job draw the same workload.
func (v *variant) measure(b *bench, job Job) (line string, err error) {
	s, err := b.patient(v, job.Seed, job.Timing)
	if err != nil {
		return "", err
	}
	return b.line(v, s), nil
}

// result measures one sample and writes its line.
func (b *bench) result(m measurable, job Job, out io.Writer) error {
	shift := ballast()
	line, err := m.measure(b, job)
	if err != nil {
		return sampleError{err}
	}
	_, err = io.WriteString(out, line)
	shift()
	return err
}

// line is what the results file says of a sample.
func (b *bench) line(v *variant, s *Sample) string {
	return s.told(resultLine(v.name(), s.Segs, s.values(b.clock)))
}

// resultLine is a line of benchmark text.
func resultLine(name string, iters uint64, values []benchfmt.Value) string {
	line := "Benchmark" + name + "\t" + strconv.FormatUint(iters, 10)
	for _, v := range values {
		line += "\t" + format(v) + " " + v.Unit
	}
	return line + "\n"
}

// format prints six significant digits, and whole numbers whole.
func format(v benchfmt.Value) string {
	if v.Value == float64(int64(v.Value)) {
		return strconv.FormatInt(int64(v.Value), 10)
	}
	return strconv.FormatFloat(v.Value, 'g', 6, 64)
}

// ballast takes a random number of pages until the returned function is called, so that the tables of two samples of one
// process do not lie on the same pages: the page of a contended line is worth several percent.
func ballast() (release func()) {
	pages := make([][]byte, rand.IntN(256))
	for i := range pages {
		pages[i] = make([]byte, os.Getpagesize())
	}
	return func() { clear(pages) }
}
