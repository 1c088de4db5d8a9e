//go:build profile

package witness

import "runtime"

// profileCalls is how many calls name a site: the one that takes the lock, which may be one line for all of a scheme, and who calls it.
const profileCalls = 2

// taken are the acts of taking a lock.
var taken = [...]Act{Exclusive: Locked, Shared: RLocked}

// A worker is what was recorded of one goroutine, which alone writes it.
type worker struct {
	_        [128]byte
	rows     map[point]*row // grows as far as there are ways through the code
	wanted   wish
	busy     any   // the lock that was found taken, if none was taken since
	since    int64 // when
	held     []hold
	sections []section
	_        [128]byte
}

// A point is where a hold began. The stack tells more sites apart than have different names.
type point struct {
	class *string
	act   Act
	at    stack
}

// A stack is return addresses of physical frames, innermost first, zero beyond the end. It is found by a walk along frame pointers, which is some nanoseconds;
// what it means is asked once for each, when there is a new row.
type stack [10]uintptr

// A row is what was recorded of a point, on lines of its own.
type row struct {
	Times
	name string
	_    [128 - 72]byte
}

// A wish is what is looked up before a lock is held.
type wish struct {
	lock  any
	known *lock
	act   Act
	row   *row
}

// A hold is one lock held.
type hold struct {
	lock    any
	known   *lock
	row     *row
	since   int64
	refused uint64 // the lock's, then
}

// A section is one cpu's part of an SMR domain.
type section struct {
	dom   any
	cpu   int
	row   *row
	since int64
}

func newWorker() *worker { return &worker{rows: make(map[point]*row)} }

// row finds the caller's.
func (w *worker) row(class *string, act Act) *row {
	p := point{class: class, act: act}
	frames(&p.at)
	r := w.rows[p]
	if r == nil {
		var pcs [24]uintptr
		r = &row{name: outside(pcs[:runtime.Callers(2, pcs[:])], profileCalls)}
		w.rows[p] = r
	}
	return r
}

func (w *worker) want(l any, act Act) {
	if w.busy == l && w.wanted.lock == l && w.wanted.act == act {
		return // it was tried just now: that is where it is taken
	}
	known := lockOf(l)
	w.wanted = wish{l, known, act, w.row(known.class, act)}
}

// refuse counts the first refusal: who was refused by a try and waits then is one who waits.
func (w *worker) refuse(l any) {
	if w.busy != l {
		lockOf(l).refused.Add(1)
		w.busy, w.since = l, now()
	}
}

func (w *worker) got(l any, act Act) {
	if w.wanted.lock != l || w.wanted.act != act { // a change, or what had begun before the recording
		w.want(l, act)
	}
	at, r := now(), w.wanted.row
	if r.Count++; w.busy == l {
		r.Waited++
		r.waits(w.since, at)
	}
	w.held = append(w.held, hold{l, w.wanted.known, r, at, w.wanted.known.refused.Load()})
	w.busy, w.wanted = nil, wish{}
}

// late takes in an acquisition that waited when the recording ended.
func (w *worker) late(l any, act Act) {
	if w.busy == l && w.wanted.lock == l && w.wanted.act == act {
		r := w.wanted.row
		r.Count++
		r.Waited++
		r.waits(w.since, now())
	}
	w.busy, w.wanted = nil, wish{}
}

func (r *row) waits(from, to int64) {
	wait := max(0, to-from) // the clocks of two CPUs may differ
	r.Wait += wait
	r.MaxWait = max(r.MaxWait, wait)
}

// drop reports whether l's hold was recorded.
func (w *worker) drop(l any) bool {
	for i := len(w.held) - 1; i >= 0; i-- {
		h := &w.held[i]
		if h.lock != l {
			continue
		}
		h.row.hold(h.since)
		h.row.Blocked += h.known.refused.Load() - h.refused
		last := len(w.held) - 1
		w.held[i], w.held[last] = w.held[last], hold{}
		w.held = w.held[:last]
		return true
	}
	return false
}

func (w *worker) enter(dom any, cpu int) {
	r := w.row(&inSection, Entered)
	r.Count++
	w.sections = append(w.sections, section{dom, cpu, r, now()})
}

// inSection is the class of sections, which have none.
var inSection string

func (w *worker) exit(dom any, cpu int) {
	for i := range w.sections {
		if s := &w.sections[i]; s.dom == dom && s.cpu == cpu {
			s.row.hold(s.since)
			last := len(w.sections) - 1
			w.sections[i], w.sections[last] = w.sections[last], section{}
			w.sections = w.sections[:last]
			return
		}
	}
}

// hold adds a hold that ends now.
func (r *row) hold(since int64) {
	held := max(0, now()-since)
	r.Held += held
	r.MaxHeld = max(r.MaxHeld, held)
}
