package harness

import (
	"fmt"
	"io"
	"math/rand/v2"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/lockbench"
	"pcbbench/harness/machine"
	"pcbbench/locks"
)

// A lockCase is a lock among what a job measures.
type lockCase struct{ lockbench.Case }

func (l lockCase) name() string { return l.Case.Name() }

// measure takes a sample, and tells what the machine did while workers ran.
func (l lockCase) measure(b *bench, job Job) (line string, err error) {
	s := &Sample{NSMul: 1 / locks.CalibrateDelay()}
	s.OneWay[0] = b.pingPong(l.Workers)
	var res *lockbench.Result
	if err := bounded(stuckAfter, "taking turns under the lock", b.locks.Progress, func() (err error) {
		res, err = b.locks.Measure(l.Case, job.Seed, job.Timing.Warm, job.Timing.Measure)
		return err
	}); err != nil {
		return "", err
	}
	s.Noise, s.Watched = res.Noise, res.Watched
	s.OneWay[1] = b.pingPong(l.Workers)
	s.judge(l.Workers, res.Places)
	return l.line(res, s), nil
}

// line is what the results file says of a sample.
func (l lockCase) line(res *lockbench.Result, s *Sample) string {
	var vs []benchfmt.Value
	put := func(unit string, v float64) { vs = append(vs, benchfmt.Value{Value: v, Unit: unit}) }
	res.Values(put)
	s.distance(put)
	put("mul-ns", s.NSMul)
	s.others(put)
	if vol, invol := res.Locked.VoluntarySwitches, res.Locked.InvoluntarySwitches; vol.Known && invol.Known {
		put("ctxsw/lock", float64(vol.N+invol.N)/float64(res.All()))
	}
	s.mark(put)
	line := resultLine(l.name(), res.Sections(), vs)
	if note := res.Note(); note != "" {
		line = fmt.Sprintf("# %s\n", note) + line
	}
	return s.told(line)
}

// thinLocks leaves out every second value of the first knob that has more than two.
func (r *runner) thinLocks() (ok bool) {
	for _, key := range lockbench.Keys {
		if r.Locks, ok = thin(r.Locks, key); ok {
			r.progress.say("the budget of %v is too small for all loads: %d left", r.Budget, len(r.Locks))
			return true
		}
	}
	return false
}

// writeLockUnits writes the metadata of the metrics that only locks have.
func writeLockUnits(w io.Writer) error {
	for _, u := range lockbench.Units {
		if _, err := io.WriteString(w, unit{name: u.Name, better: u.Better}.metadata()); err != nil {
			return err
		}
	}
	return nil
}

// judge says whether so many threads on so many places were disturbed, and where their CPUs were.
func (s *Sample) judge(threads, places int) {
	if s.OneWay[0] > 0 && s.OneWay[1] > 0 {
		s.Class = machine.Classify(s.OneWay[0], s.OneWay[1])
	}
	if bad, why := s.Noise.Disturbed(s.Watched, threads, places); bad {
		s.Disturbed = why
	}
}

// checkLocks holds the lock benchmark to what it measures, as SelfCheck does the table's.
func (b *bench) checkLocks(rng *rand.Rand) error {
	lb := &lockbench.Bench{Clock: b.clock, CPUs: b.cpus, PerNS: b.perNS}
	return lb.SelfCheck(rng)
}
