package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// An answer is what an operation came to.
type answer struct {
	err   error
	port  uint16
	stats pcbinfo.Stats // what the CPU counted for it
}

// An entry is what a table holds of one inpcb, without what it may choose: initial numbers of its own, generations, references. It is
// comparable.
type entry struct {
	inc              pcbinfo.ConnInfo
	state            pcbinfo.State
	irs, rcvd, acked uint32
	sent             uint32
	got, gave        uint64
	unsent           uint32
}

// A history is all that is seen of a run.
type history struct {
	answers []answer // of the workers' operations, worker by worker, and then of those after
	table   []entry  // in the end, before those after; by name
}

func (h *history) equal(o *history) bool {
	return slices.Equal(h.answers, o.answers) && slices.Equal(h.table, o.table)
}

// A world is one run of a scenario on a table.
type world struct {
	sc      *scenario
	in      pcbinfo.Info
	iss     map[int]uint32 // of connections that we opened
	history history
	times   []interval // of the workers' operations
	clock   int
	walks   [][]entry
	were    map[identity]bool // in the table before the workers began; only where somebody walks
}

// An interval is when an operation began and ended.
type interval struct{ began, ended int }

// An identity tells an inpcb from all others that there ever were in its table.
type identity struct {
	inc pcbinfo.ConnInfo
	gen uint64
}

// world makes the table and does what comes before.
func (sc *scenario) world(sp pcbinfo.Spec) (*world, error) {
	cfg, err := sc.config(sp)
	if err != nil {
		return nil, err
	}
	in, err := sp.New(cfg)
	if err != nil {
		return nil, err
	}
	w := &world{sc: sc, in: in, iss: map[int]uint32{}}
	n := 0
	for _, ops := range sc.workers {
		n += len(ops)
	}
	w.history.answers = make([]answer, n, n+len(sc.after))
	w.times = make([]interval, n)
	for i := range sc.before {
		o := &sc.before[i]
		if a := w.do(o, o.cpu); a.err != nil {
			return nil, fmt.Errorf("before the workers began, %s: %w", o.name, a.err)
		}
		in.CPU(o.cpu).Idle()
	}
	if sc.walk() {
		w.were = w.identities()
	}
	return w, nil
}

// walk reports whether a worker walks.
func (sc *scenario) walk() bool {
	return slices.ContainsFunc(sc.workers, func(ops []op) bool {
		return slices.ContainsFunc(ops, func(o op) bool { return o.walks })
	})
}

// first is the index of a worker's first operation.
func (sc *scenario) first(worker int) (n int) {
	for _, ops := range sc.workers[:worker] {
		n += len(ops)
	}
	return n
}

// work does a worker's operations.
func (w *world) work(worker int) error {
	defer w.in.CPU(worker).Idle()
	first := w.sc.first(worker)
	for i := range w.sc.workers[worker] {
		o := &w.sc.workers[worker][i]
		began := w.now()
		if o.walks {
			w.walks = append(w.walks, w.walk())
		} else {
			w.history.answers[first+i] = w.do(o, worker)
		}
		w.times[first+i] = interval{began, w.now()}
	}
	return nil
}

func (w *world) now() int {
	w.clock++
	return w.clock
}

// do does o as that CPU.
func (w *world) do(o *op, cpu int) (a answer) {
	c := w.in.CPU(cpu)
	old := *c.Stats()
	if o.request != nil {
		a.port, a.err = o.request(w, c)
	} else {
		segs := make([]*pcbinfo.Segment, len(o.segs))
		for i, s := range o.segs {
			segs[i] = s(w)
		}
		c.Input(segs)
	}
	a.stats = c.Stats().Since(old)
	return a
}

// walk collects what a walk shows.
func (w *world) walk() (table []entry) {
	w.in.Walk(func(x *pcbinfo.Xinpcb) bool {
		table = append(table, entry{inc: x.Inc, state: x.State, irs: x.Irs, rcvd: x.RcvNxt - x.Irs,
			acked: x.SndUna - x.Iss, sent: x.SndNxt - x.Iss, got: x.Rcvd, gave: x.Sent, unsent: x.Unsent})
		return true
	})
	slices.SortFunc(table, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.inc.Fport, b.inc.Fport), cmp.Compare(a.inc.Lport, b.inc.Lport))
	})
	return table
}

func (w *world) identities() map[identity]bool {
	ids := map[identity]bool{}
	w.in.Walk(func(x *pcbinfo.Xinpcb) bool {
		ids[identity{x.Inc, x.Gencnt}] = true
		return true
	})
	return ids
}

// finish looks at the table when all workers have ended, and does what comes after.
func (w *world) finish() {
	w.history.table = w.walk()
	for i := range w.sc.after {
		w.history.answers = append(w.history.answers, w.do(&w.sc.after[i], 0))
	}
}

// rest checks the run.
func (w *world) rest(ref *reference) error {
	if err := w.checkWalks(); err != nil {
		return err
	}
	n := w.in.Len()
	w.finish()
	if n != len(w.history.table) {
		return oracle.Violated(oracle.Structure, "a walk at rest shows %d inpcbs, the table counts %d", len(w.history.table), n)
	}
	for i, e := range w.history.table {
		if i > 0 && e.inc == w.history.table[i-1].inc {
			return oracle.Violated(oracle.Structure, "%v is in the table twice", e.inc)
		}
	}
	if !ref.explains(w) {
		return oracle.Violated(oracle.Linearizable, "no order of the operations explains\n%v", w)
	}
	if err := w.in.Close(); err != nil {
		return oracle.Violated(oracle.Conservation, "%w", err)
	}
	return nil
}

// checkWalks wants of every walk what was there throughout, and nothing twice.
func (w *world) checkWalks() error {
	if len(w.walks) == 0 {
		return nil
	}
	var throughout []pcbinfo.ConnInfo
	w.in.Walk(func(x *pcbinfo.Xinpcb) bool {
		if w.were[identity{x.Inc, x.Gencnt}] {
			throughout = append(throughout, x.Inc)
		}
		return true
	})
	for _, shown := range w.walks {
		met := map[pcbinfo.ConnInfo]int{}
		for _, e := range shown {
			met[e.inc]++
			if met[e.inc] > 1 || e.state > pcbinfo.TimeWait || e.state == pcbinfo.Closed {
				return oracle.Violated(oracle.Walk, "a walk shows %v in %v, %d times", e.inc, e.state, met[e.inc])
			}
		}
		for _, inc := range throughout {
			if met[inc] == 0 {
				return oracle.Violated(oracle.Walk, "a walk does not show %v, which was there throughout", inc)
			}
		}
	}
	return nil
}

// String tells what was answered, in the order in which operations began.
func (w *world) String() string {
	var b strings.Builder
	for worker, ops := range w.sc.workers {
		for i, o := range ops {
			k := w.sc.first(worker) + i
			fmt.Fprintf(&b, "  worker %d, from %d to %d: %s: %v\n", worker, w.times[k].began, w.times[k].ended, o.name, w.history.answers[k])
		}
	}
	for i, o := range w.sc.after {
		fmt.Fprintf(&b, "  afterwards: %s: %v\n", o.name, w.history.answers[len(w.times)+i])
	}
	for _, e := range w.history.table {
		fmt.Fprintf(&b, "  the table held %v in %v: %d received, %d sent, %d acknowledged\n", e.inc, e.state, e.rcvd, e.sent, e.acked)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// String tells the error, the port, and the outcomes.
func (a answer) String() string {
	var words []string
	if a.err != nil {
		words = append(words, a.err.Error())
	}
	if a.port != 0 {
		words = append(words, fmt.Sprint("port ", a.port))
	}
	for out, n := range a.stats.Outcomes {
		for range n {
			words = append(words, pcbinfo.Outcome(out).String())
		}
	}
	if len(words) == 0 {
		return "done"
	}
	return strings.Join(words, ", ")
}
