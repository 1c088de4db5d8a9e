// Package torture holds everything that a number can come from to what it promises: locks, reclamation, connection tables, dispatch
// models, the workload and the harness. It goes round its subjects, one bounded round of one check at a time, each from a seed, under
// conditions that a round draws from that seed: workers up to four times the CPUs, few or many threads, the collector at rest or running hard,
// random yields and delays at the probe points (build tag torture), lock order watched (build tag witness).
package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"pcbbench/harness/proof"
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
	"pcbbench/pcbinfo"
)

// Config says what to torture, and for how long.
type Config struct {
	Duration time.Duration // of the whole; 0: until Rounds are done
	Rounds   int           // of each check, if not 0
	Seed     uint64        // of the first round; the n-th has Seed+n
	Workers  int           // of every round; 0: a round draws them, from 2 to 4 times the CPUs
	Only     []string      // subjects, or subject/check, by prefix; none: all
	Stuck    time.Duration // without progress for that long a round has failed
	Progress io.Writer     // a line every Every
	Every    time.Duration
}

// A Subject is something that is tortured, by its checks in turn.
type Subject struct {
	Name   string // kind and name, as in "lock ticket:spin": the names that records of tortures passed use
	Checks []Check
}

// A Check runs one round, which lasts a fraction of a second, of the same kind of check. It returns what was found broken, and then may leave
// goroutines behind.
type Check struct {
	Name  string
	Every int // it runs in one turn of so many, beginning with the first: what takes long, or varies little, less often
	Run   func(r *Round) error
}

// A Failure is what a check found.
type Failure struct {
	Subject, Check string
	Round          *Round
	Err            error
	After          time.Duration // since the start
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s, %s: %v", f.Subject, f.Check, f.Err)
}

func (f *Failure) Unwrap() error { return f.Err }

// ErrInterrupted says that the torture was ended from outside, before its time and without a failure.
var ErrInterrupted = errors.New("interrupted")

// Run tortures until the time is over or a check fails. The Report tells how far it got, either way. A process in which a check has failed is
// of no more use.
func Run(ctx context.Context, c Config) (*Report, error) {
	t := &torture{Config: c, start: time.Now(), report: newReport(c)}
	subjects, err := choose(t.subjects(), c.Only)
	if err != nil {
		return nil, err
	}
	t.report.Subjects = subjects
	witness.Order(pcbinfo.LockOrder...)
	defer func() { t.report.Took = time.Since(t.start) }()
	for n := 0; ; n++ {
		for i := range subjects {
			s := &subjects[i]
			for j := range s.Checks {
				if n%s.Checks[j].Every != 0 && c.Rounds == 0 {
					continue
				}
				if err := t.round(ctx, s, j, n); err != nil {
					return t.report, err
				}
			}
		}
		if c.Rounds > 0 && n+1 == c.Rounds || c.Duration > 0 && time.Since(t.start) >= c.Duration {
			return t.report, nil
		}
	}
}

// A torture under way.
type torture struct {
	Config
	start  time.Time
	rounds uint64
	said   time.Time // when progress was last told
	report *Report
}

// round runs one round of a check; all checks of the first turn are run, whatever the time.
func (t *torture) round(ctx context.Context, s *Subject, check, turn int) error {
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	if turn > 0 && t.Duration > 0 && time.Since(t.start) >= t.Duration {
		return nil
	}
	r := newRound(t.Seed+t.rounds, t.Workers)
	t.rounds++
	began := time.Now()
	err := r.run(ctx, s.Checks[check].Run, t.Stuck)
	took := time.Since(began)
	t.report.count(s, check, r, took)
	t.say(s)
	if err == nil || errors.Is(err, ErrInterrupted) {
		return err
	}
	f := &Failure{Subject: s.Name, Check: s.Checks[check].Name, Round: r, Err: err, After: time.Since(t.start)}
	t.report.Failure = f
	return f
}

// say tells how far it has got, now and then.
func (t *torture) say(s *Subject) {
	if t.Progress == nil || time.Since(t.said) < t.Every {
		return
	}
	t.said = time.Now()
	fmt.Fprintf(t.Progress, "torture: %v of %v, %d rounds, now %s; %s\n", time.Since(t.start).Round(time.Second), t.Duration, t.rounds, s.Name, memory())
}

// Proof is the record of a torture passed in full.
func (r *Report) Proof(text string) *proof.Record {
	rec := &proof.Record{Seed: r.config.Seed, Duration: r.Took, Flavour: flavour(), Report: text}
	for _, s := range r.Subjects {
		rec.Subjects = append(rec.Subjects, s.Name)
	}
	return rec
}

func flavour() string {
	if probe.Enabled {
		return "torture"
	}
	return "off"
}

// Oracle names the promise that was broken.
func (f *Failure) Oracle() string { return oracle.Of(f.Err) }
