package schedule

import (
	"errors"

	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
)

// maxPoints is when a run counts as a livelock: many times what any subject takes.
const maxPoints = 20_000

// A Subject is a small configuration of the code under test, and what must hold under every schedule.
type Subject struct {
	Name string
	Doc  string
	// New makes what one run needs, all of it fresh and the same each time.
	New func() (Trial, error)
}

// A Trial is one run's workers, and what must hold when all of them have ended. Neither may depend on anything but the schedule: not
// on time, on addresses, on the order of maps.
type Trial struct {
	Workers []func() error
	Rest    func() error
}

// A result is what came of one run.
type result struct {
	err      error    // a Violation of the promise that was broken, or nil
	schedule Schedule // what was chosen
	points   int
	trace    uint64 // a hash of who did what in which order
	sites    []string
}

// run lets choose schedule a new trial of s. With sites it tells for each switch where it happened.
func (s *Subject) run(choose chooser, sites bool) (r result) {
	r.err = oracle.Guard(func() error {
		t, err := s.New()
		if err != nil {
			return err
		}
		if err := simulate(t.Workers, choose, sites, &r); err != nil {
			return err
		}
		return t.Rest()
	})
	return r
}

func simulate(workers []func() error, choose chooser, sites bool, r *result) error {
	guarded := make([]func() error, len(workers))
	for i, w := range workers {
		guarded[i] = func() error { return oracle.Guard(w) }
	}
	const prime = 0x100000001b3 // FNV-1a's
	r.trace = 0xcbf29ce484222325
	err := probe.Simulate(guarded, maxPoints, func(c *probe.Choice) int {
		next := choose(c)
		if next != c.Next() {
			r.schedule = append(r.schedule, Switch{c.Step, next})
			if sites {
				r.sites = append(r.sites, c.Site())
			}
		}
		r.points = c.Step + 1
		r.trace = (r.trace ^ uint64(c.Op)<<8 ^ uint64(next)) * prime
		return next
	})
	if errors.As(err, new(*probe.Stuck)) {
		err = oracle.Violated(oracle.Progress, "%w", err)
	}
	return err
}
