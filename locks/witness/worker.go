//go:build witness

package witness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"pcbbench/locks/oracle"
)

// A worker is what is known of one goroutine.
type worker struct {
	id       uintptr
	mu       sync.Mutex // taken by its goroutine, and by others only for reports
	held     []hold     // in the order of acquisition
	sections []section
	wanted   hold // waited for; no lock if none
	pairs    map[pair]*tally
}

// A hold is one lock, held or wanted.
type hold struct {
	lock any
	*name
	mode Mode
	at   site
}

// A section is one cpu's part of an SMR domain.
type section struct {
	dom any
	cpu int
	at  site
}

// A tally is how often a pair was seen, and where first.
type tally struct {
	outer, inner site
	count        uint64
}

// check calls f for the caller's record and panics with the violation that it returns.
func check(f func(w *worker) error) {
	id := goroutine()
	v, ok := workers.Load(id)
	if !ok {
		v, _ = workers.LoadOrStore(id, &worker{id: id, pairs: make(map[pair]*tally)})
	}
	w := v.(*worker)
	w.mu.Lock()
	err := f(w)
	w.mu.Unlock()
	if err != nil {
		panic(err)
	}
}

// all returns the records, in a fixed order.
func all() (ws []*worker) {
	workers.Range(func(_, v any) bool {
		ws = append(ws, v.(*worker))
		return true
	})
	slices.SortFunc(ws, func(a, b *worker) int { return cmp.Compare(a.id, b.id) })
	return ws
}

func violated(format string, args ...any) error {
	return oracle.Violated(oracle.Witness, format, args...)
}

// taking is l as the caller takes it here.
func taking(l any, m Mode) hold { return hold{l, nameOf(l), m, *here()} }

func (h *hold) String() string { return fmt.Sprintf("%s (%v, %v)", h.class, h.mode, &h.at) }

func (s *section) String() string { return fmt.Sprintf("SMR section of cpu %d (%v)", s.cpu, &s.at) }

// find returns the place of l among what the worker holds, or -1.
func (w *worker) find(l any) int {
	return slices.IndexFunc(w.held, func(h hold) bool { return h.lock == l })
}

func (w *worker) want(h hold) error {
	if err := w.outside(h.class, &h.at); err != nil {
		return err
	}
	if err := w.again(&h); err != nil {
		return err
	}
	for i := range w.held {
		o := &w.held[i]
		if o.class == h.class {
			if err := order.twice(o, &h); err != nil {
				return err
			}
		}
		if i+1 < len(w.held) && w.held[i+1].class == o.class {
			continue // the pair is judged with that one: who holds all groups holds thousands
		}
		if err := w.judge(o, &h); err != nil {
			return err
		}
	}
	w.wanted = h
	return nil
}

// outside is a violation if the worker is in a section while it waits.
func (w *worker) outside(what string, at *site) error {
	if len(w.sections) == 0 {
		return nil
	}
	return violated("wait inside a section: for %s (%v), in %v", what, at, &w.sections[0])
}

// again is a violation if the worker holds already what h takes.
func (w *worker) again(h *hold) error {
	i := w.find(h.lock)
	if i < 0 {
		return nil
	}
	what := "recursion"
	if w.held[i].mode == Shared && h.mode == Exclusive {
		what = "upgrade by waiting"
	}
	return violated("%s: wanted %v, held %v", what, h, &w.held[i])
}

// judge is called when o is held and i is wanted. A pair of classes that was admitted once is only counted.
func (w *worker) judge(o, i *hold) error {
	p := pair{o.class, i.class}
	t := w.pairs[p]
	if t == nil {
		if err := order.admit(o, i); err != nil {
			return err
		}
		t = &tally{outer: o.at, inner: i.at}
		w.pairs[p] = t
	}
	t.count++
	return nil
}

// got books what was wanted, or what a try got.
func (w *worker) got(l any, m Mode) error {
	h := w.wanted
	if h.lock != l {
		h = taking(l, m)
		if err := w.again(&h); err != nil {
			return err
		}
	}
	w.wanted = hold{}
	w.held = append(w.held, h)
	return nil
}

func (w *worker) drop(l any, m Mode) error {
	i := w.find(l)
	if i < 0 || w.held[i].mode != m {
		return w.missing("release", l, m)
	}
	w.held = slices.Delete(w.held, i, i+1)
	return nil
}

func (w *worker) change(l any, to Mode) error {
	what, from := "upgrade", Shared
	if to == Shared {
		what, from = "downgrade", Exclusive
	}
	i := w.find(l)
	if i < 0 || w.held[i].mode != from {
		return w.missing(what, l, from)
	}
	w.held[i].mode = to
	return nil
}

// missing is the violation of who lets go of what it does not hold in that mode. It names who holds the lock.
func (w *worker) missing(what string, l any, m Mode) error {
	h := taking(l, m)
	w.mu.Unlock() // who looks at others keeps its own record free, or two would wait for each other
	defer w.mu.Lock()
	var holders []string
	for _, o := range all() {
		o.mu.Lock()
		if i := o.find(l); i >= 0 {
			holder := "another goroutine"
			if o == w {
				holder = "this one"
			}
			holders = append(holders, fmt.Sprintf("%s, %v", holder, &o.held[i]))
		}
		o.mu.Unlock()
	}
	if holders == nil {
		holders = []string{"nobody"}
	}
	return violated("%s of what is not held so: %v; held by %s", what, &h, strings.Join(holders, " and "))
}

func (w *worker) enter(s section) error {
	if i := w.inside(&s); i >= 0 {
		return violated("section entered twice: %v, in %v", &s, &w.sections[i])
	}
	w.sections = append(w.sections, s)
	return nil
}

func (w *worker) exit(s section) error {
	i := w.inside(&s)
	if i < 0 {
		return violated("exit of a section that the goroutine is not in: %v", &s)
	}
	w.sections = slices.Delete(w.sections, i, i+1)
	return nil
}

// inside returns the place of s among the sections that the worker is in, or -1.
func (w *worker) inside(s *section) int {
	return slices.IndexFunc(w.sections, func(o section) bool { return o.dom == s.dom && o.cpu == s.cpu })
}

// clear forgets all but the pairs.
func (w *worker) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.held)
	clear(w.sections)
	w.held, w.sections, w.wanted = w.held[:0], w.sections[:0], hold{}
}
