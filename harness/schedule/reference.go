package schedule

import (
	"slices"

	"pcbbench/pcbinfo"
)

// A reference is every history that a scenario may have: those of all orders of its operations on a table without locks, one after another.
// A batch's segments are operations of their own.
type reference struct {
	sc      *scenario
	misses  bool        // a lookup may, see pcbinfo.Scheme.Misses
	once    bool        // and does not look again, see pcbinfo.Scheme.Once
	lenient bool        // the scheme is the scenario's exception
	plain   []explained // with no miss; made when first asked for
	missing []explained // with segments answered none: one or, where one race is enough for each, any
}

// explained is a history and the orders that lead to it.
type explained struct {
	history history
	orders  []order
}

// An order is the workers' operations by index, in turn; a batch stands there once for each of its segments.
type order struct {
	ops    []int
	misses []int // the operations of which a segment was answered none
}

const none = -1

func newReference(sc *scenario, sp pcbinfo.Spec) *reference {
	return &reference{sc: sc, misses: sp.Misses, once: sp.Once, lenient: slices.Contains(sc.except, sp.Name)}
}

// explains reports whether an order explains what w saw: its answers are the same, and no operation comes before one that had ended when
// it began.
func (r *reference) explains(w *world) bool {
	if r.lenient {
		return true
	}
	if r.plain == nil {
		r.plain = r.all(false)
	}
	if find(r.plain, w, r.once) {
		return true
	}
	if !r.misses {
		return false
	}
	if r.missing == nil {
		r.missing = r.all(true)
	}
	return find(r.missing, w, r.once)
}

func find(list []explained, w *world, once bool) bool {
	for i := range list {
		if list[i].history.equal(&w.history) {
			return slices.ContainsFunc(list[i].orders, func(o order) bool { return w.allows(o, once) })
		}
	}
	return false
}

// allows reports whether the operations may have taken effect in that order, and whether a miss is excused.
func (w *world) allows(o order, once bool) bool {
	for i, a := range o.ops {
		for _, b := range o.ops[i+1:] {
			if w.times[b].ended < w.times[a].began && a != b {
				return false
			}
		}
	}
	return !slices.ContainsFunc(o.misses, func(k int) bool { return !w.excuses(k, once) })
}

// excuses reports whether a lookup in operation k may have missed: two that fit it went meanwhile, or one went and one came; one that went is
// enough for a scheme that does not look again.
func (w *world) excuses(k int, once bool) bool {
	removed, inserted := 0, 0
	for worker, ops := range w.sc.workers {
		for i, o := range ops {
			at := w.times[w.sc.first(worker)+i]
			if at.ended < w.times[k].began || w.times[k].ended < at.began || w.sc.first(worker)+i == k {
				continue
			}
			if o.removes {
				removed++
			}
			if o.inserts {
				inserted++
			}
		}
	}
	return removed > 1 || removed > 0 && (inserted > 0 || once)
}

// A step is one operation of an order, or one segment of a batch.
type step struct{ worker, op, seg int }

// all runs every order, and for each, if misses are asked for, every variant in which one segment finds nobody, or some do.
func (r *reference) all(misses bool) (list []explained) {
	left := make([][]step, len(r.sc.workers))
	for worker, ops := range r.sc.workers {
		for i, o := range ops {
			switch {
			case o.walks:
			case o.request != nil:
				left[worker] = append(left[worker], step{worker, i, none})
			}
			for seg := range o.segs {
				left[worker] = append(left[worker], step{worker, i, seg})
			}
		}
	}
	interleave(left, nil, func(steps []step) {
		if !misses {
			list = r.add(list, steps, 0)
			return
		}
		segs := stepSet(0)
		for i, s := range steps {
			if s.seg != none {
				segs |= 1 << i
			}
		}
		for m := stepSet(1); m < 1<<len(steps); m++ {
			if m&^segs == 0 && (r.once || m&(m-1) == 0) {
				list = r.add(list, steps, m)
			}
		}
	})
	return list
}

// interleave calls f for each way to merge the workers' steps.
func interleave(left [][]step, done []step, f func([]step)) {
	ended := true
	for i, steps := range left {
		if len(steps) == 0 {
			continue
		}
		ended = false
		left[i] = steps[1:]
		interleave(left, append(done, steps[0]), f)
		left[i] = steps
	}
	if ended {
		f(done)
	}
}

// A stepSet is some of an order's steps, by bit.
type stepSet uint32

func (m stepSet) has(i int) bool { return m>>i&1 != 0 }

// add runs one order.
func (r *reference) add(list []explained, steps []step, miss stepSet) []explained {
	h := r.play(steps, miss)
	o := order{}
	for i, s := range steps {
		k := r.sc.first(s.worker) + s.op
		o.ops = append(o.ops, k)
		if miss.has(i) {
			o.misses = append(o.misses, k)
		}
	}
	for i := range list {
		if list[i].history.equal(&h) {
			list[i].orders = append(list[i].orders, o)
			return list
		}
	}
	return append(list, explained{h, []order{o}})
}

// play does the steps one after another.
func (r *reference) play(steps []step, miss stepSet) history {
	sp, err := pcbinfo.ParseSpec("unsync")
	if err != nil {
		panic("schedule: " + err.Error())
	}
	w, err := r.sc.world(sp)
	if err != nil {
		panic("schedule: " + r.sc.name + ": " + err.Error())
	}
	for i, s := range steps {
		o := r.sc.workers[s.worker][s.op]
		if s.seg != none {
			o.segs = o.segs[s.seg : s.seg+1]
		}
		var a answer
		if miss.has(i) {
			a.miss(o.segs[0](w))
		} else {
			a = w.do(&o, s.worker)
		}
		w.history.answers[r.sc.first(s.worker)+s.op].add(a)
	}
	w.finish()
	return w.history
}

// miss is the answer to a segment that finds nobody.
func (a *answer) miss(seg *pcbinfo.Segment) {
	a.stats.Outcomes[pcbinfo.DropNoPCB]++
	if seg.Flags&pcbinfo.RST == 0 {
		a.stats.Rsts++
	}
}

// add joins the answers to a batch's segments, or sets the one to a request.
func (a *answer) add(b answer) {
	a.err, a.port = b.err, b.port
	for i, n := range b.stats.Outcomes {
		a.stats.Outcomes[i] += n
	}
	a.stats.Acks += b.stats.Acks
	a.stats.Rsts += b.stats.Rsts
	a.stats.SynAcks += b.stats.SynAcks
	a.stats.Evicted += b.stats.Evicted
	a.stats.Reused += b.stats.Reused
	a.stats.Expired += b.stats.Expired
}
