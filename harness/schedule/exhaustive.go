package schedule

import (
	"math/rand/v2"

	"pcbbench/locks/probe"
)

// maxPreemptions bounds the exhaustive search. Most known faults need no more than two (Musuvathi and Qadeer, PLDI 2007, section 5).
const maxPreemptions = 2

// maxPending bounds the search's memory; what does not fit is not explored, and the search not exhausted.
const maxPending = 1 << 20

// A search enumerates schedules: each run adds to a schedule every switch that it could have made after its last one. Every schedule
// comes from exactly one shorter one, so none is run twice.
type search struct {
	pending [maxPreemptions + 1][]*prefix // by preemptions
	total   int
	full    bool       // some did not fit
	rng     *rand.Rand // draws among equals, so that what a budget leaves out is spread over the whole run
}

// A prefix is a schedule as its last switch and the schedule before that.
type prefix struct {
	before      *prefix // nil: none
	last        Switch
	preemptions int
}

// newSearch begins with the schedule without switches.
func newSearch() *search {
	s := &search{rng: rand.New(rand.NewPCG(0, 2))}
	s.push(&prefix{last: Switch{Step: -1}})
	return s
}

func (s *search) push(p *prefix) {
	if s.total == maxPending {
		s.full = true
		return
	}
	s.total++
	s.pending[p.preemptions] = append(s.pending[p.preemptions], p)
}

// next takes one of those with the fewest preemptions; nil if none is left.
func (s *search) next() *prefix {
	for i := range s.pending {
		q := s.pending[i]
		if n := len(q); n > 0 {
			k := s.rng.IntN(n)
			p := q[k]
			q[k] = q[n-1]
			q[n-1] = nil
			s.pending[i] = q[:n-1]
			s.total--
			return p
		}
	}
	return nil
}

func (p *prefix) schedule() Schedule {
	if p.before == nil {
		return nil
	}
	return append(p.before.schedule(), p.last)
}

// chooser follows p and enters what could have been chosen after its last switch.
func (s *search) chooser(p *prefix) chooser {
	follow := p.schedule().follow
	return func(c *probe.Choice) int {
		if c.Step <= p.last.Step {
			return follow(c)
		}
		next, cost := c.Next(), p.preemptions
		if c.Stays {
			cost++
		}
		for _, w := range c.Ready {
			if w != next && cost <= maxPreemptions {
				s.push(&prefix{p, Switch{c.Step, w}, cost})
			}
		}
		return next
	}
}

// exhausted reports whether all schedules within the bound have been taken.
func (s *search) exhausted() bool { return s.total == 0 && !s.full }
