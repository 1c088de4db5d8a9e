package smrtest

import (
	"slices"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// A writer replaces nodes and reuses those that it has unlinked itself, last in first out, so as soon as may be.
type writer struct {
	worker
	waiting []retired // for the end of their grace periods, in the order of their goals
	free    []*node
	passed  smr.Seq // the last goal that was polled true
}

// A retired node waits for goal.
type retired struct {
	n     *node
	goal  smr.Seq
	since time.Time
}

func (w *writer) run() error {
	defer w.live.Add(-1)
	for i := 0; i < w.c.Updates && !w.Failed(); i++ {
		w.beat()
		w.replace()
		if err := w.reap(); err != nil {
			return err
		}
		if err := w.checkPin(); err != nil {
			return err
		}
		if err := w.calls.checkStats(w.d.Stats()); err != nil {
			return err
		}
		if w.rng.IntN(2) == 0 {
			w.dwell(4)
		}
	}
	return nil
}

// replace puts a node in place of another and retires that one.
func (w *writer) replace() {
	n := new(node)
	if last := len(w.free) - 1; last >= 0 {
		n, w.free = w.free[last], w.free[:last]
	}
	n.revive()
	w.retire(w.cells[w.rng.IntN(len(w.cells))].Swap(n))
}

// retire begins the grace period after which n is one stage older.
func (w *writer) retire(n *node) {
	if n.age.Load() == 0 {
		n.age.Store(1)
	}
	goal := w.calls.advance(w.d)
	w.waiting = append(w.waiting, retired{n, goal, time.Now()})
	w.report.Backlog = max(w.report.Backlog, len(w.waiting))
}

// reap ages the nodes whose grace periods are over and frees them, at once or after more grace periods: the longer they are
// not reused, the longer is wrong reuse to be seen.
func (w *writer) reap() error {
	over := 0
	for over < len(w.waiting) && w.calls.poll(w.d, w.waiting[over].goal) {
		over++
	}
	ready := slices.Clone(w.waiting[:over])
	w.waiting = slices.Delete(w.waiting, 0, over)
	w.ended.Add(uint64(over))
	for _, r := range ready {
		w.passed = r.goal
		_ = w.report.Grace.RecordValue(min(int64(time.Since(r.since)), int64(time.Minute)))
		if w.d.Recycles() {
			w.older(r.n)
		}
	}
	if over > 0 && w.d.Recycles() {
		return w.checkPassed()
	}
	return nil
}

func (w *writer) older(n *node) {
	n.plain = poison
	if n.age.Add(1) < maxAge && w.rng.IntN(2) == 0 {
		w.retire(n)
		return
	}
	w.free = append(w.free, n)
}

// checkPassed: what has passed remains so, and a new goal lies ahead of it.
func (w *writer) checkPassed() error {
	if !w.calls.poll(w.d, w.passed) {
		return oracle.Violated(oracle.Grace, "goal %d had passed and has not any more: %+v", w.passed, w.d.Stats())
	}
	if goal := w.calls.advance(w.d); goal <= w.passed {
		return oracle.Violated(oracle.Reclaim, "goal %d, though goal %d had passed", goal, w.passed)
	}
	return nil
}

// checkPin polls for a goal of an open section. If the section is open still, it was open when the goal passed.
func (w *writer) checkPin() error {
	cpu := w.rng.IntN(len(w.pins))
	pin := &w.pins[cpu].goal
	goal := pin.Load()
	if goal != 0 && w.calls.poll(w.d, smr.Seq(goal)) && pin.Load() == goal {
		return oracle.Violated(oracle.Reclaim, "goal %d passed while the section of cpu %d that advanced to it is open", goal, cpu)
	}
	return nil
}
