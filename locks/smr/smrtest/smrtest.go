// Package smrtest tortures reclamation, after the kernel's rcutorture (kernel/rcu/rcutorture.c, Linux): readers hold what
// writers unlink, age and reuse, and the age at which a reader finds it says how nearly the grace period was too short.
package smrtest

import (
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/locks"
	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// Config sets the size of a torture.
type Config struct {
	Readers  int              // CPUs of the domain and goroutines, ≥ 1; may exceed the CPUs there are
	Writers  int              // goroutines that replace nodes, ≥ 1
	Updates  int              // nodes that each writer replaces
	Seed     uint64           // of all choices but the scheduler's
	Beat     func(worker int) // if not nil, called once a step; readers are workers 0 to Readers-1, writers follow
	Patience time.Duration    // for what must come, see crew.Crew; 0 means its default
}

// A Report says how near a torture came to a failure, and what the grace periods cost.
type Report struct {
	// Age counts nodes by the age at which a section that held them found them at its end: 0 live, 1 unlinked. More,
	// a grace period that did not wait for the section, is a failure.
	Age [maxAge + 1]uint64
	// Batch counts sections by how many grace periods ended while they were open: none, 1, 2 to 3, 4 to 7 and so on, the last
	// also those with more. All of these must have begun before the section: the more there are, the nearer came the first that
	// would not have waited for it.
	Batch [16]uint64
	Grace *hdrhistogram.Histogram // ns from an Advance to the first Poll that was true
	// Backlog is the most nodes that waited for the end of a grace period, summed over the writers.
	Backlog int
}

// newReport has a histogram up to a minute: whoever waits for longer counts as waiting a minute.
func newReport() Report { return Report{Grace: hdrhistogram.New(1, int64(time.Minute), 2)} }

// Add makes r the report of both. The zero Report is none.
func (r *Report) Add(other Report) {
	if r.Grace == nil {
		*r = newReport()
	}
	for i, n := range other.Age {
		r.Age[i] += n
	}
	for i, n := range other.Batch {
		r.Batch[i] += n
	}
	if other.Grace != nil {
		r.Grace.Merge(other.Grace)
	}
	r.Backlog += other.Backlog
}

// maxAge is the age at which a node leaves the pipe and is reused, if it is not before.
const maxAge = 4

// A node is in its age-th stage: 0 live, 1 unlinked, from 2 on its (age-1)-th grace period is over and nobody holds it any more.
// From then on it is poison, until it is live again in its next life.
type node struct {
	age   atomic.Int32
	life  atomic.Uint64
	plain uint64 // life, or poison: ordinary, so that the race detector sees whether Exit, Poll and reuse are ordered
}

const poison = ^uint64(0)

func (n *node) revive() {
	life := n.life.Add(1)
	n.plain = life
	n.age.Store(0)
}

// A torturer is what the workers of a torture share.
type torturer struct {
	crew.Crew
	c     Config
	d     smr.Domain
	cells [4]atomic.Pointer[node]
	pins  []pin         // of each cpu
	ended atomic.Uint64 // grace periods, so far
	live  atomic.Int64  // writers that are not done
}

// A pin is a goal that an open section has advanced to; it cannot pass before the section is over. 0 is none.
type pin struct {
	goal atomic.Uint64
	_    [locks.LinePad - 8]byte
}

// Torture holds a kind to the promises of smr.Domain: first one call at a time, then with readers and writers at once, and at
// rest in the end. It returns the first of them found broken.
func Torture(kind smr.Kind, c Config) (Report, error) {
	r := newReport()
	err := oracle.Guard(func() error {
		if err := alone(kind, c); err != nil {
			return err
		}
		t := &torturer{c: c, d: kind.New(c.Readers), pins: make([]pin, c.Readers), Crew: crew.Crew{Patience: c.Patience}}
		return t.torture(&r)
	})
	if err != nil {
		err = oracle.Violated(oracle.Of(err), "smr %s, seed %d: %w", kind.Name, c.Seed, err)
	}
	return r, err
}

func (t *torturer) torture(r *Report) error {
	for i := range t.cells {
		n := new(node)
		n.revive()
		t.cells[i].Store(n)
	}
	readers := make([]reader, t.c.Readers)
	writers := make([]writer, t.c.Writers)
	t.live.Store(int64(t.c.Writers))
	for i := range readers {
		readers[i] = reader{worker: t.worker(i), cpu: i}
		t.Go(readers[i].run)
	}
	for i := range writers {
		writers[i] = writer{worker: t.worker(t.c.Readers + i)}
		t.Go(writers[i].run)
	}
	if err := t.Join(); err != nil {
		return err
	}
	var calls calls
	for i := range readers {
		calls.add(readers[i].calls)
		r.Add(readers[i].report)
	}
	for i := range writers {
		calls.add(writers[i].calls)
		r.Add(writers[i].report)
		for _, w := range writers[i].waiting {
			if !calls.ends(t.d, w.goal) {
				return oracle.Violated(oracle.Grace, "no section is open, and goal %d has not passed: %+v", w.goal, t.d.Stats())
			}
		}
	}
	return calls.check(t.d)
}

// A worker is one goroutine.
type worker struct {
	*torturer
	i      int
	rng    *rand.Rand
	calls  calls
	report Report
	_      [locks.LinePad]byte
}

func (t *torturer) worker(i int) worker {
	return worker{torturer: t, i: i, rng: rand.New(rand.NewPCG(t.c.Seed, uint64(i))), report: newReport()}
}

func (w *worker) beat() {
	if w.c.Beat != nil {
		w.c.Beat(w.i)
	}
}

// dwell stretches a step by up to n times something.
func (w *worker) dwell(n int) {
	for range w.rng.IntN(n + 1) {
		if w.rng.IntN(4) == 0 {
			runtime.Gosched()
		} else {
			locks.Delay(w.rng.Uint32N(256))
		}
	}
}

// A reader passes through sections until the writers are done.
type reader struct {
	worker
	cpu int
}

// run ends also when there have been far more sections than writers that get on could allow: no beat hides one that does not.
func (r *reader) run() error {
	for n := 0; n < 1000+2*r.c.Writers*r.c.Updates && r.live.Load() > 0 && !r.Failed(); n++ {
		r.beat()
		if err := r.section(); err != nil {
			return err
		}
		switch r.rng.IntN(64) {
		case 0:
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
