//go:build sim

package probe

import (
	"context"
	"fmt"
	"iter"
	"path"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// Enabled reports whether points disturb their caller in this build.
const Enabled = true

// Simulating reports whether this build can Simulate.
const Simulating = true

// Load marks a load of *p.
func Load[T any](p *T) { point(OpLoad) }

// Store marks a store to *p.
func Store[T any](p *T) { point(OpStore) }

// RMW marks an atomic read-modify-write of *p.
func RMW[T any](p *T) { point(OpRMW) }

// Pause marks one turn of a busy wait. A simulated worker that passes it does not go on before another one has
// written, or all of them pause.
func Pause() { point(OpPause) }

// Work marks local computation of that many units of locks.Delay.
func Work(units uint32) { point(OpWork) }

// Park marks a wait for the semaphore *sema. In a simulation it is the wait, and returns true.
func Park(sema *uint32) (done bool) {
	w := running()
	if w == nil {
		return false
	}
	w.sema = sema
	point(OpPark)
	w.sema = nil
	return true
}

// Unpark marks a post of the semaphore *sema. In a simulation it is the post, and returns true.
func Unpark(sema *uint32) (done bool) {
	if running() == nil {
		return false
	}
	point(OpUnpark)
	*sema++
	return true
}

// Seed does nothing in this flavour.
func Seed(seed int64) {}

// SetRates replaces the rates and returns the old ones. It does nothing in this flavour.
func SetRates(r Rates) Rates { return r }

// Counts returns nil in this flavour.
func Counts() map[string]uint64 { return nil }

// A simulation runs its workers as coroutines, so that a switch costs a tenth of a microsecond and no scheduler but
// ours has a say. Only one goroutine of them runs at any time, so nothing here needs to be atomic.
type simulation struct {
	workers []*worker
	choose  func(*Choice) int
	limit   int
	choice  Choice
	next    int   // who goes on; none if nobody does
	turns   int   // times in a row that a pausing worker went on because nobody else could
	err     error // why the simulation ended early
}

const none = -1

type worker struct {
	id       int
	s        *simulation
	resume   func() (struct{}, bool)
	stop     func()
	yield    func(struct{}) bool
	op       Op      // of the point that it passed last, and so what it has done since
	sema     *uint32 // what it is parked on
	pausedAt int     // step of the Pause it stands at; 0: it does not
	ended    bool
	dying    bool   // the simulation is over, and this worker's stack is being unwound
	where    string // where it was when that began
}

// killed is the panic that unwinds the stack of a worker whose simulation is over.
type killed struct{}

// all finds the worker of a goroutine by its profiler labels, the one thing that a goroutine carries with it. They are a worker's own, so that
// simulations may run in parallel and goroutines that are in none pass all points.
var all sync.Map // unsafe.Pointer → *worker

// getProfLabel returns this goroutine's labels. The runtime keeps it linkable for other modules
// (golang.org/issue/67401).
//
//go:linkname getProfLabel runtime/pprof.runtime_getProfLabel
func getProfLabel() unsafe.Pointer

func running() *worker {
	label := getProfLabel()
	if label == nil {
		return nil
	}
	w, _ := all.Load(label)
	found, _ := w.(*worker)
	return found
}

// Worker is the number of the simulated worker that calls; 0 outside of a simulation.
func Worker() int {
	if w := running(); w != nil {
		return w.id
	}
	return 0
}

// Simulate runs the workers one at a time to their ends. At the start, at every point that one of them passes, and at
// each end, choose says which of the ready ones goes on; a point comes before the access that it marks. Equal choices
// give equal runs if the workers are deterministic but for the schedule. Workers must not start goroutines, nor wait for anything but what
// Park, Pause and Unpark tell of.
//
// The first error of a worker, or panic, ends the simulation and is returned; so is a *Stuck if no worker can go
// on, or after limit choices. The other workers are then unwound by a panic, during which points do nothing, and which what
// recovers panics may swallow.
func Simulate(workers []func() error, limit int, choose func(*Choice) int) error {
	s := &simulation{choose: choose, limit: limit}
	for i, f := range workers {
		w := &worker{id: i, s: s, op: OpStart}
		w.resume, w.stop = iter.Pull(w.run(f))
		s.workers = append(s.workers, w)
	}
	s.next = s.pick(none, OpStart)
	for s.next != none {
		w := s.workers[s.next]
		if _, more := w.resume(); !more && s.err == nil {
			s.next = s.pick(w.id, OpEnd)
		}
		if s.err != nil {
			s.next = none
		}
	}
	for _, w := range s.workers {
		w.dying = true
		w.stop()
	}
	if stuck, ok := s.err.(*Stuck); ok {
		stuck.Where = s.where()
	}
	return s.err
}

// run is a worker as a coroutine.
func (w *worker) run(f func() error) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		w.yield = yield
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("simulated worker", strconv.Itoa(w.id))))
		label := getProfLabel()
		all.Store(label, w)
		defer func() {
			all.Delete(label)
			w.ended = true
			if p := recover(); p != nil && !w.dying {
				w.s.err = fmt.Errorf("worker %d: panic: %v", w.id, p)
			}
		}()
		if err := f(); err != nil && !w.dying {
			w.s.err = err
		}
	}
}

// point asks who goes on, and hands over if it is another worker.
func point(op Op) {
	w := running()
	if w == nil {
		return
	}
	if w.dying {
		if op == OpPause || op == OpPark { // nobody is left to wait for
			panic(killed{})
		}
		return
	}
	s := w.s
	if s.next = s.pick(w.id, op); s.next != w.id && !w.yield(struct{}{}) {
		w.where = site()
		panic(killed{})
	}
}

// pick is one choice: current is about to do op, or has ended. It returns none, with the reason in err, if nobody can go on or nobody is
// left.
func (s *simulation) pick(current int, op Op) int {
	if current != none {
		s.passed(s.workers[current], op)
	}
	c := &s.choice
	c.Current, c.Op = current, op
	c.Ready = s.ready(c.Ready[:0])
	switch {
	case len(c.Ready) == 0 && !slices.ContainsFunc(s.workers, (*worker).here):
		return none
	case len(c.Ready) == 0:
		s.err = &Stuck{What: "deadlock: all wait for one another"}
		return none
	case c.Step == s.limit:
		s.err = &Stuck{What: fmt.Sprintf("livelock: no end after %d points", s.limit)}
		return none
	}
	c.Stays = slices.Contains(c.Ready, current)
	next := s.choose(c)
	if !slices.Contains(c.Ready, next) {
		panic(fmt.Sprintf("probe: worker %d was chosen, ready are %v", next, c.Ready))
	}
	c.Step++
	w := s.workers[next]
	w.pausedAt = 0
	if w.sema != nil {
		*w.sema--
		w.sema = nil
	}
	return next
}

// passed notes that w has done what it stood before and now stands before op. If that was a write, who pauses may look again.
func (s *simulation) passed(w *worker, op Op) {
	if w.op.writes() || op == OpEnd {
		s.turns = 0
		for _, o := range s.workers {
			o.pausedAt = 0
		}
	}
	w.op = op
	if op == OpPause {
		w.pausedAt = s.choice.Step
	}
}

// writes reports whether others may wait for what the operation does.
func (o Op) writes() bool { return o == OpStore || o == OpRMW || o == OpUnpark }

func (w *worker) here() bool { return !w.ended }

// ready appends who can go on. If all that can are pausing it is the one that has paused longest, until each of them has looked
// several times and nobody has written: then all wait for one another.
func (s *simulation) ready(ready []int) []int {
	var oldest *worker
	for _, w := range s.workers {
		switch {
		case w.ended, w.sema != nil && *w.sema == 0:
		case w.pausedAt == 0:
			ready = append(ready, w.id)
		case oldest == nil || w.pausedAt < oldest.pausedAt:
			oldest = w
		}
	}
	const looks = 3
	if len(ready) == 0 && oldest != nil && s.turns < looks*len(s.workers) {
		s.turns++
		ready = append(ready, oldest.id)
	}
	return ready
}

func (s *simulation) where() (where []string) {
	for _, w := range s.workers {
		switch {
		case w.where != "":
			where = append(where, w.where)
		case w.op == OpStart:
			where = append(where, "not started")
		default:
			where = append(where, "ended")
		}
	}
	return where
}

// Site tells where Current stands: "dir/file.go:line", and after " < " its callers. It may be called while choosing.
func (c *Choice) Site() string {
	switch c.Op {
	case OpStart:
		return "start"
	case OpEnd:
		return "end"
	}
	return site()
}

// site names the innermost functions that stand above point.
func site() string {
	const us, depth = "pcbbench/locks/probe.", 4
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var sites []string
	above := false
	for f, more := frames.Next(); more && len(sites) < depth; f, more = frames.Next() {
		switch ours := strings.HasPrefix(f.Function, us); {
		case f.Function == us+"point":
			above = true
		case above && ours && len(sites) > 0: // the coroutine's beginning
			return strings.Join(sites, " < ")
		case above && !ours:
			sites = append(sites, path.Join(path.Base(path.Dir(f.File)), path.Base(f.File))+":"+strconv.Itoa(f.Line))
		}
	}
	return strings.Join(sites, " < ")
}
