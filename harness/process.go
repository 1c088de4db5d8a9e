package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// A Job is what one process measures: rounds of all experiments, each round in a random order of its own.
type Job struct {
	Experiments []Experiment
	Rounds      int
	Timing      Timing
	Seed        uint64
}

// ErrFailedSamples says that samples failed their check, and that all others are there.
var ErrFailedSamples = errors.New("samples failed their check")

// Child runs the Job that in holds as JSON and writes a result line for each sample to out, in one piece as soon as it is there. A
// failed sample writes none: it is named on errs, and Child goes on and reports at the end.
func Child(in io.Reader, out, errs io.Writer) error {
	var job Job
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	variants, most, err := resolveAll(job.Experiments)
	if err != nil {
		return err
	}
	b, err := newBench(most)
	if err != nil {
		return err
	}
	return b.rounds(variants, job, out, errs)
}

// rounds measures what job says of variants.
func (b *bench) rounds(variants []*variant, job Job, out, errs io.Writer) error {
	rng := rand.New(rand.NewPCG(job.Seed, 1))
	failed := 0
	for range job.Rounds {
		for _, i := range rng.Perm(len(variants)) {
			err := b.result(variants[i], job, out)
			var stuck *StuckError
			switch {
			case errors.As(err, &stuck):
				return fmt.Errorf("%s: %w", variants[i].name(), err)
			case err != nil && !isSampleError(err):
				return err
			case err != nil:
				failed++
				fmt.Fprintf(errs, "FAILED %s: no number: %v\n", variants[i].name(), indent(err))
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

// result measures one sample and writes its line. All samples of a job draw the same workload.
func (b *bench) result(v *variant, job Job, out io.Writer) error {
	shift := ballast()
	s, err := b.sample(v, job.Seed, job.Timing)
	for try := 1; try < starvedTries && errors.Is(err, errStarved); try++ {
		s, err = b.sample(v, job.Seed, job.Timing)
	}
	if err != nil {
		return sampleError{err}
	}
	_, err = io.WriteString(out, b.line(v, s))
	shift()
	return err
}

// line is what the results file says of a sample.
func (b *bench) line(v *variant, s *Sample) string {
	var line strings.Builder
	if s.Disturbed != "" {
		fmt.Fprintf(&line, "# disturbed: %s\n", s.Disturbed)
	}
	line.WriteString("Benchmark" + v.name() + "\t" + strconv.FormatUint(s.Segs, 10))
	for _, val := range s.values(b.clock) {
		line.WriteString("\t" + format(val) + " " + val.Unit)
	}
	line.WriteString("\n")
	return line.String()
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
