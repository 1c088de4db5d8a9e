// Package smrtest tortures reclamation, after the kernel's rcutorture (kernel/rcu/rcutorture.c, Linux): readers hold what
// writers unlink, age and reuse, and the age at which a reader finds it says how nearly the grace period was too short.
package smrtest

import (
	"math/rand/v2"
	"runtime"
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
		if kind.NewObjects != nil {
			return tortureObjects(kind, c, &r)
		}
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
