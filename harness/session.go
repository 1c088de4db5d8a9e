package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
	"pcbbench/harness/proof"
	"pcbbench/locks"
)

// A Session measures the same experiments by several arms that take turns, in processes that live side by side and of which one measures at a time. The order is
// random, and reversed in every second round, so that no arm comes first more often. After a few rounds all processes are started afresh, since what memory layout does to a
// process stays with it. Results go into one file as they come; the file's key toolchain says whose each is, and its values pair and restart, which belong together.
type Session struct {
	Experiments []Experiment
	Arms        []Arm
	Facts       []machine.KeyValue // more for the file, which stay set: benchseries' keys
	Measure     time.Duration      // of a sample
	Warm        time.Duration      // before it, at least
	Budget      time.Duration      // of the whole
	Looks       int                // how often Look is called, after equal shares of Budget, of which its own time is no part
	Look        func(path string, look int) (done bool, notes []machine.KeyValue, err error)
	Seed        uint64
	Dir         string // results folder
	Stderr      io.Writer
}

// roundsASitting is for how many rounds processes live; even, since every second one has the first one's order reversed.
const roundsASitting = 4

// A session is a Session under way.
type session struct {
	Session
	out      *wholeLines
	path     string
	rng      *rand.Rand
	perNS    float64
	progress *progress
	spent    time.Duration // on sittings
	restart  int
	pair     int // rounds so far
	failed   []string
}

// Run measures until a look says that all is decided, or the budget is spent, and returns the file's path. It needs a result of every experiment and arm to begin with: what
// fails there ends it. A sample that fails its check later is told of, and in the end is the error.
func (o Session) Run(ctx context.Context) (path string, err error) {
	s := &session{Session: o, rng: rand.New(rand.NewPCG(o.Seed, 2)), perNS: locks.CalibrateDelay(), progress: newProgress(o.Stderr)}
	job := s.job(time.Millisecond)
	codes, err := s.try(ctx, job)
	if err != nil {
		return "", err
	}
	facts := machine.Gather()
	run := append(facts.Run(), machine.KeyValue{Key: "seed", Value: fmt.Sprint(o.Seed)}, machine.KeyValue{Key: "code", Value: strings.Join(codes, " ")},
		machine.KeyValue{Key: "torture", Value: s.tortured(codes)})
	f, err := create(filepath.Join(o.Dir, facts.Slug()), run)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s.out, s.path = &wholeLines{f: f}, f.Name()
	if err := writeHeader(s.out, facts.Stable(), run); err != nil {
		return s.path, err
	}
	for _, kv := range o.Facts {
		if _, err := fmt.Fprintf(s.out, "%s: %s\n", kv.Key, kv.Value); err != nil {
			return s.path, err
		}
	}
	return s.path, s.run(ctx)
}

func (s *session) job(measure time.Duration) Job {
	return Job{Experiments: s.Experiments, Timing: Timing{s.Warm, measure}, Seed: s.Seed, PerNS: s.perNS}
}

// try has every arm measure everything once, very shortly, and returns their codes' digests.
func (s *session) try(ctx context.Context, job Job) (codes []string, err error) {
	s.progress.say("trying each of %d experiments by %d arms", len(s.Experiments), len(s.Arms))
	for _, a := range s.Arms {
		at, err := sit(ctx, a, job)
		if err != nil {
			return nil, interrupted(ctx, err)
		}
		codes = append(codes, at.code)
		for i := range s.Experiments {
			_, res, why, err := at.measure(i)
			if err == nil && res == nil {
				err = errors.Join(fmt.Errorf("%s: %s", a.Name, why), at.rise())
			}
			if err != nil {
				return nil, interrupted(ctx, err)
			}
		}
		if err := at.rise(); err != nil {
			return nil, interrupted(ctx, err)
		}
	}
	return codes, nil
}

func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	return err
}

// tortured says what is known of each arm's code.
func (s *session) tortured(codes []string) (said string) {
	for i, code := range codes {
		if i > 0 && code == codes[0] {
			continue // an arm of the same code
		}
		if i > 0 {
			said += "; " + s.Arms[i].Name + " "
		}
		said += proof.OfCode(s.Dir, code, subjects(s.Experiments))
	}
	return said
}

// run measures sittings until it is time for a look, and so on.
func (s *session) run(ctx context.Context) error {
	for look := 1; look <= s.Looks; look++ {
		for s.spent < s.Budget*time.Duration(look)/time.Duration(s.Looks) {
			start := time.Now()
			if err := s.sitting(ctx); err != nil {
				return interrupted(ctx, err)
			}
			s.spent += time.Since(start)
			s.progress.report("%v of at most %v, %d samples of each experiment and arm", s.spent.Round(time.Second), s.Budget, s.pair)
		}
		done, notes, err := s.Look(s.path, look)
		if err != nil {
			return interrupted(ctx, err)
		}
		if done || look == s.Looks {
			s.progress.finishLine()
			if err := s.verdict(); err != nil {
				return err
			}
			return s.out.end(notes)
		}
	}
	return nil
}

func (s *session) verdict() error {
	if len(s.failed) > 0 {
		return fmt.Errorf("%d samples failed their check; the first: %s", len(s.failed), s.failed[0])
	}
	return nil
}

// sitting starts all processes, measures some rounds, and ends them.
func (s *session) sitting(ctx context.Context) (err error) {
	sittings := make([]*sitting, len(s.Arms))
	defer func() {
		for _, at := range sittings {
			if at != nil {
				err = errors.Join(err, at.rise())
			}
		}
	}()
	job := s.job(s.Measure)
	for _, a := range s.rng.Perm(len(s.Arms)) {
		if sittings[a], err = sit(ctx, s.Arms[a], job); err != nil {
			return err
		}
	}
	s.restart++
	orders := make([][]int, len(s.Experiments))
	for round := range roundsASitting {
		s.pair++
		for _, e := range s.rng.Perm(len(s.Experiments)) {
			if round%2 == 0 {
				orders[e] = s.rng.Perm(len(s.Arms))
			} else {
				slices.Reverse(orders[e])
			}
			for _, a := range orders[e] {
				if err := s.sample(sittings[a], e); err != nil {
					sittings[a] = nil // it has told how it ended
					return err
				}
			}
		}
	}
	return nil
}

// sample has one sample measured and writes it down.
func (s *session) sample(at *sitting, experiment int) error {
	text, res, why, err := at.measure(experiment)
	if err != nil {
		return err
	}
	if res == nil {
		s.failed = append(s.failed, at.arm.Name+": "+why)
		s.progress.say("FAILED %s: %s", at.arm.Name, why)
		return nil
	}
	text = fmt.Sprintf("toolchain: %s\n%s\t%d pair\t%d restart\n", at.arm.Name, text[:len(text)-1], s.pair, s.restart)
	_, err = s.out.Write([]byte(text))
	if err != nil {
		return errors.Join(fmt.Errorf("writing results: %w", err), at.rise())
	}
	return nil
}

// Names are the benchmark names of experiments, which are valid.
func Names(es []Experiment) (names []string) {
	vs, _, err := resolveAll(es)
	if err != nil {
		panic("harness: " + err.Error()) // Validate has told
	}
	for _, v := range vs {
		names = append(names, string(benchfmt.Name(v.name())))
	}
	return names
}
