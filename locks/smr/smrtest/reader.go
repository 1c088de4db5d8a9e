package smrtest

import (
	"math/bits"

	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// A reader passes through sections until the writers are done.
type reader struct {
	worker
	cpu int
}

// run ends also when there have been far more sections than writers that get on could allow: no beat hides one that does not.
func (r *reader) run() error {
	defer r.d.Offline(r.cpu)
	for n := 0; n < 1000+2*r.c.Writers*r.c.Updates && r.live.Load() > 0 && !r.Failed(); n++ {
		r.beat()
		if err := r.section(); err != nil {
			return err
		}
		switch r.rng.IntN(64) {
		case 0:
			r.d.Offline(r.cpu)
			r.dwell(256) // out for long
		case 1, 2, 3, 4, 5, 6, 7, 8:
			r.dwell(2)
		}
	}
	return nil
}

// A hold is a node as a section found it.
type hold struct {
	n    *node
	life uint64
}

// section holds a few nodes for a while, some of them taken late, and looks at its end what has become of them.
func (r *reader) section() error {
	before := r.ended.Load()
	r.d.Enter(r.cpu)
	goal := r.pin()
	var held [3]hold
	for i := range held {
		n := r.cells[r.rng.IntN(len(r.cells))].Load()
		held[i] = hold{n, n.life.Load()}
		if r.rng.IntN(128) == 0 {
			r.dwell(64) // stalls
		} else {
			r.dwell(2)
		}
	}
	err := r.unpin(goal)
	for _, h := range held {
		age := h.n.age.Load()
		r.report.Age[age]++
		if err == nil && (age > 1 || h.n.life.Load() != h.life || h.n.plain != h.life) {
			err = oracle.Violated(oracle.Reclaim, "cpu %d holds a node of age %d in life %d (%d), found in life %d: it was reused within the section",
				r.cpu, age, h.n.life.Load(), int64(h.n.plain), h.life)
		}
	}
	r.d.Exit(r.cpu)
	batch := r.ended.Load() - before
	r.report.Batch[min(bits.Len64(batch), len(r.report.Batch)-1)]++
	return err
}

// pin is called within a section and now and then advances, for all to see that the goal does not pass.
func (r *reader) pin() smr.Seq {
	if !r.d.Recycles() || r.rng.IntN(4) != 0 {
		return 0
	}
	goal := r.calls.advance(r.d)
	r.pins[r.cpu].goal.Store(uint64(goal))
	return goal
}

func (r *reader) unpin(goal smr.Seq) error {
	if goal == 0 {
		return nil
	}
	r.pins[r.cpu].goal.Store(0)
	if r.calls.poll(r.d, goal) {
		return oracle.Violated(oracle.Reclaim, "cpu %d: goal %d passed before the end of the section that advanced to it", r.cpu, goal)
	}
	return nil
}
