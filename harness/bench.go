package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pcbbench"
	"pcbbench/harness/handoff"
	"pcbbench/harness/lockbench"
	"pcbbench/harness/machine"
	"pcbbench/harness/proof"
	"pcbbench/harness/reclaim"
)

// Options are a bench run's.
type Options struct {
	Experiments []Experiment
	Handoffs    []handoff.Case
	Locks       []lockbench.Case
	Reclaims    []reclaim.Case
	Processes   int           // fresh processes, at least 1
	Rounds      int           // samples of each experiment a process
	Budget      time.Duration // about how long the whole may take; the measured time of a sample follows from it
	Measure     time.Duration // the measured time of a sample, if not 0; Budget then means nothing
	Seed        uint64
	Dir         string // results folder; the file goes into <Dir>/<machine>/, or
	Folder      string // if not "", into <Dir>/<Folder>/<machine>/
	Notes       string // lines for the file, as comments
	Profiles    Profiles
	Counters    bool // hardware's
	Stderr      io.Writer
	Command     []string // the command that runs Child
}

// The measured time of a sample is not chosen outside these limits: a shorter one sees no preemption and few batches,
// a longer one buys less than another sample does.
const (
	minMeasure = 20 * time.Millisecond
	maxMeasure = 200 * time.Millisecond
	warmTime   = 5 * time.Millisecond
	probeTime  = 5 * time.Millisecond
)

// ErrInterrupted says that the run was ended from outside; its file is complete up to there.
var ErrInterrupted = errors.New("interrupted")

// Validate says what is wrong with experiments, before anything is started.
func Validate(es []Experiment) error {
	_, _, err := resolveAll(es)
	return err
}

// Run measures o.Experiments, which are valid, and returns the file with the results, written as they come.
func Run(ctx context.Context, o Options) (path string, err error) {
	facts := machine.Gather()
	run := append(facts.Run(), machine.KeyValue{Key: "seed", Value: fmt.Sprint(o.Seed)}, machine.KeyValue{Key: "code", Value: pcbbench.Code()},
		machine.KeyValue{Key: "torture", Value: proof.Of(o.Dir, slices.Concat(subjects(o.Experiments), handoffSubjects(o.Handoffs), reclaimSubjects(o.Reclaims), lockbench.Subjects(o.Locks)))})
	stable, folder := facts.Stable(), filepath.Join(o.Folder, facts.Slug())
	if o.Profiles != (Profiles{}) {
		stable, folder = append(stable, o.Profiles.fact()), profileFolder
	}
	f, err := create(filepath.Join(o.Dir, folder), run)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := &wholeLines{f: f}
	if err := writeHeader(out, stable, run); err != nil {
		return f.Name(), err
	}
	if len(o.Locks) > 0 {
		if err := writeLockUnits(out); err != nil {
			return f.Name(), err
		}
	}
	notes := []string{o.Notes}
	if o.Counters {
		notes = append(notes, o.counters())
	}
	for _, text := range notes {
		if err := comment(out, text); err != nil {
			return f.Name(), err
		}
	}
	r := &runner{Options: o, out: out, progress: newProgress(o.Stderr)}
	if err := r.run(ctx); err != nil {
		return f.Name(), err
	}
	return f.Name(), out.end(nil)
}

// create opens a new file <date>-<commit>.txt in folder.
func create(folder string, run []machine.KeyValue) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("results folder: %w", err)
	}
	name := time.Now().UTC().Format("20060102T150405")
	for _, kv := range run {
		if kv.Key == "commit" {
			name += "-" + kv.Value[:min(12, len(kv.Value))]
		}
	}
	for n := 1; ; n++ {
		f, err := os.OpenFile(filepath.Join(folder, name+".txt"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) || n > 9 {
			return f, err
		}
		name = fmt.Sprintf("%s-%d", strings.TrimSuffix(name, fmt.Sprintf("-%d", n)), n+1) // another run in the same second
	}
}

// A wholeLines is a file that stays valid when the disk is full: what did not go in whole is taken out again.
type wholeLines struct {
	f       *os.File
	size    int64
	results int // lines of benchmarks
}

// end writes facts that are known in the end only, and how many results there are: without this a file was cut off.
func (w *wholeLines) end(facts []machine.KeyValue) error {
	return writeFacts(w, append(facts, machine.KeyValue{Key: "results", Value: fmt.Sprint(w.results)}))
}

func (w *wholeLines) Write(line []byte) (int, error) {
	n, err := w.f.Write(line)
	if err != nil {
		return 0, errors.Join(err, w.f.Truncate(w.size))
	}
	w.size += int64(n)
	for line := range bytes.Lines(line) {
		if bytes.HasPrefix(line, []byte("Benchmark")) {
			w.results++
		}
	}
	return n, nil
}

// A runner is a bench run under way.
type runner struct {
	Options
	out      io.Writer
	progress *progress
	failed   int // processes that reported failed samples
}

func (r *runner) run(ctx context.Context) error {
	measure, err := r.plan(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(r.out, "# %d experiments, %d processes x %d rounds, each sample %v after at least %v of warm-up\n",
		r.each(), r.Processes, r.Rounds, measure, warmTime); err != nil {
		return err
	}
	r.progress.start(r.samples(r.Rounds) * r.Processes)
	for p := range r.Processes {
		job := Job{Experiments: r.Experiments, Handoffs: r.Handoffs, Locks: r.Locks, Reclaims: r.Reclaims, Rounds: r.Rounds, Timing: Timing{warmTime, measure}, Seed: r.Seed + uint64(p), Profiles: r.Profiles.part(p + 1), Counters: r.Counters}
		if err := r.process(ctx, job, r.line); err != nil {
			return err
		}
	}
	r.progress.finish()
	if r.failed > 0 {
		return fmt.Errorf("%d of %d processes had samples that failed their check; the file has no number for them", r.failed, r.Processes)
	}
	return nil
}

// each is how many samples a round has.
func (r *runner) each() int {
	return len(r.Experiments) + len(r.Handoffs) + len(r.Locks) + len(r.Reclaims)
}

// samples is how many samples that many rounds of a process have.
func (r *runner) samples(rounds int) int {
	loaded := slices.DeleteFunc(slices.Clone(r.Experiments), func(e Experiment) bool { return e.Load == 0 })
	vs, _, err := resolveAll(loaded)
	if err != nil {
		panic("harness: " + err.Error()) // Validate has told
	}
	return r.each()*rounds + peakSamples*len(peaks(vs))
}

// line writes one line of a process's output to the file.
func (r *runner) line(line []byte) error {
	if bytes.HasPrefix(line, []byte("Benchmark")) {
		r.progress.step()
	}
	_, err := r.out.Write(line)
	return err
}

// plan runs every experiment once, very shortly, to see that all of them work and what a sample costs beside its measured time, and
// chooses that time so that the whole fits the budget. What does not fit at all loses worker counts, and then loads.
func (r *runner) plan(ctx context.Context) (time.Duration, error) {
	if r.Measure != 0 {
		return r.Measure, nil
	}
	r.progress.say("trying each of %d experiments", r.each())
	start := time.Now()
	job := Job{Experiments: r.Experiments, Handoffs: r.Handoffs, Locks: r.Locks, Reclaims: r.Reclaims, Rounds: 1, Timing: Timing{warmTime, time.Millisecond}, Seed: r.Seed}
	if err := r.process(ctx, job, func([]byte) error { return nil }); err != nil {
		return 0, err
	}
	r.failed = 0 // the file was to have nothing of this
	took := time.Since(start)
	overhead := took / time.Duration(r.samples(1))
	for {
		samples := time.Duration(r.samples(r.Rounds) * r.Processes)
		measure := (r.Budget-took)/samples - overhead
		if measure >= minMeasure || !r.thin() {
			if measure < minMeasure {
				r.progress.say("the budget of %v is too small: this will take about %v", r.Budget, (took + samples*(minMeasure+overhead)).Round(time.Second))
			}
			return min(max(measure, minMeasure), maxMeasure).Round(time.Millisecond), nil
		}
	}
}

// thin leaves out worker counts, or loads where there are no more than two counts, and says so; it reports whether there was anything to leave out.
func (r *runner) thin() (ok bool) {
	if len(r.Locks) > 0 {
		return r.thinLocks()
	}
	what := "worker counts"
	fewer, ok := thin(r.Experiments, (*Experiment).workers)
	if !ok {
		what = "loads"
		fewer, ok = thin(r.Experiments, (*Experiment).load)
	}
	if ok {
		r.Experiments = fewer
		r.progress.say("the budget of %v is too small for all %s: %d experiments left", r.Budget, what, len(fewer))
	}
	return ok
}

// process runs job in a process of its own and hands each whole line of its output to take.
func (r *runner) process(ctx context.Context, job Job, take func([]byte) error) error {
	input, err := json.Marshal(job)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Command[0], r.Command[1:]...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = r.progress
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		return err
	}
	takeErr := eachLine(out, take)
	if takeErr != nil {
		cancel()
	}
	err = cmd.Wait()
	switch {
	case takeErr != nil:
		return fmt.Errorf("writing results: %w", takeErr)
	case context.Cause(ctx) != nil:
		return ErrInterrupted
	}
	return r.verdict(err)
}

// verdict sorts out how a process ended.
func (r *runner) verdict(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == ExitFailedSamples {
		r.failed++
		return nil
	}
	if err != nil {
		return fmt.Errorf("a process ended with %w", err)
	}
	return nil
}

// ExitFailedSamples is the exit status of a process that went through its job, but some samples failed their check.
const ExitFailedSamples = 3

// eachLine calls take for every line with its newline; a last line without one was cut off and is left out.
func eachLine(r io.Reader, take func([]byte) error) error {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if err != nil {
			return nil // EOF, or the process is gone
		}
		if err := take(line); err != nil {
			return err
		}
	}
}
