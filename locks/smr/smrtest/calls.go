package smrtest

import (
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// calls count what somebody asked of a domain, to hold its Stats to.
type calls struct {
	advances, fails uint64
	goal            smr.Seq   // the last
	last            smr.Stats // that were looked at
}

func (c *calls) advance(d smr.Domain) smr.Seq {
	c.advances++
	goal := d.Advance()
	if goal < c.goal {
		panic(oracle.Violated(oracle.Grace, "goal %d after goal %d", goal, c.goal))
	}
	c.goal = goal
	return goal
}

func (c *calls) poll(d smr.Domain, goal smr.Seq) bool {
	ok := d.Poll(goal)
	if !ok {
		c.fails++
	}
	return ok
}

// ends reports whether goal passes now that no section is open, within a few polls: one may do a part of the work.
func (c *calls) ends(d smr.Domain, goal smr.Seq) bool {
	for range 100 {
		if c.poll(d, goal) {
			return true
		}
	}
	return false
}

func (c *calls) add(other calls) {
	c.advances += other.advances
	c.fails += other.fails
}

// checkStats: at any time, no more is over than has begun, and no count goes back.
func (c *calls) checkStats(s smr.Stats) error {
	last := c.last
	c.last = s
	if s.Observed > s.Advances || s.Advances < last.Advances || s.Observed < last.Observed || s.PollFails < last.PollFails {
		return oracle.Violated(oracle.Conservation, "stats %+v after %+v", s, last)
	}
	return nil
}

// check is for rest: the counts are exact, and once the last goal has passed, all grace periods are over. A domain that does not
// recycle has none to count.
func (c *calls) check(d smr.Domain) error {
	if !d.Recycles() {
		return c.checkStats(d.Stats())
	}
	if s := d.Stats(); s.Advances != c.advances || s.PollFails != c.fails || s.Observed > s.Advances {
		return oracle.Violated(oracle.Conservation, "after %d advances and %d polls that were false: %+v", c.advances, c.fails, s)
	}
	if goal := c.advance(d); !c.ends(d, goal) {
		return oracle.Violated(oracle.Grace, "no section is open, and goal %d has not passed: %+v", goal, d.Stats())
	}
	if s := d.Stats(); s.Observed != c.advances {
		return oracle.Violated(oracle.Grace, "%d grace periods have begun and the last is over, but stats say %+v", c.advances, s)
	}
	return nil
}
