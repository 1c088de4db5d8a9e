package probe

import (
	"fmt"
	"strings"
)

// An Op is what a worker is about to do when it passes a point.
type Op uint8

const (
	OpLoad Op = iota
	OpStore
	OpRMW
	OpPause
	OpPark
	OpUnpark
	OpWork
	OpStart // before the first point: nobody has run
	OpEnd   // the worker has ended
)

// A Choice is a moment of a simulation at which it is open who goes on. It is valid until the chooser returns.
type Choice struct {
	Step    int   // choices before this one
	Current int   // the worker that stands at the point; -1 at OpStart
	Op      Op    // what it is about to do
	Ready   []int // who can go on, in ascending order; never empty
	// Stays reports whether Current can go on: whoever else is chosen then preempts it. If it waits for others, or has ended, the switch
	// is none of the scheduler's doing.
	Stays bool
}

// Next is who goes on where nobody interferes: Current, else the next after it in turn.
func (c *Choice) Next() int {
	if c.Stays {
		return c.Current
	}
	for _, w := range c.Ready {
		if w > c.Current {
			return w
		}
	}
	return c.Ready[0]
}

// Stuck is the error of a simulation that does not end.
type Stuck struct {
	What  string   // what kind of standstill it is
	Where []string // where each worker stands
}

func (s *Stuck) Error() string {
	var b strings.Builder
	b.WriteString(s.What)
	for i, where := range s.Where {
		fmt.Fprintf(&b, "\n  worker %d: %s", i, where)
	}
	return b.String()
}
