package netisrtest

import (
	"slices"

	"pcbbench/locks/oracle"
	"pcbbench/workloads/netisr"
)

// account compares what was handled with what was sent, and the model's counts with both. It is called at rest.
func (r *rig) account() error {
	for _, check := range []func() error{r.once, r.places, r.ordered, r.turns, r.requests, r.counts} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// once: what was accepted was handled once, as it was sent, and nothing else was.
func (r *rig) once() error {
	times := make(map[*packet]int)
	for i := range r.handlers {
		for j := range r.handlers[i].notes {
			n := &r.handlers[i].notes[j]
			p := r.sent(n.seg)
			if n.content != p.as {
				return oracle.Violated(oracle.Conservation, "a packet of context %d was changed: %+v, handled %+v", p.context, p.as, n.content)
			}
			times[p]++
		}
	}
	for _, x := range r.contexts {
		for i := range x.packets {
			want := 0
			if x.packets[i].accepted {
				want = 1
			}
			if got := times[&x.packets[i]]; got != want {
				return oracle.Violated(oracle.Conservation, "packet %d of context %d, of %s, was handled %d times, want %d",
					i, x.index, kinds[x.packets[i].seg.Proto].name, got, want)
			}
		}
	}
	return nil
}

// stream is the workstream that a handle is; ok is false if it is none.
func (r *rig) stream(handle int) (i int, ok bool) {
	i = handle - len(r.contexts)
	return i, i >= 0 && i < r.streams
}

// places: packets were handled where they had to be.
func (r *rig) places() error {
	met := make(map[place]int)
	for handle := range r.handlers {
		for j := range r.handlers[handle].notes {
			p := r.sent(r.handlers[handle].notes[j].seg)
			if err := r.placed(p, handle, met); err != nil {
				return err
			}
		}
	}
	return nil
}

// placed: p was handled where it had to be. met are the handles of places.
func (r *rig) placed(p *packet, handle int, met map[place]int) error {
	i, queued := r.stream(handle)
	switch {
	case r.p.deep && p.outer != nil && !p.queue: // where the packet around it was: unwrap has seen it
		return nil
	case p.outer == nil && !p.queue && (r.p.inPlace || r.p.either && !queued):
		if handle != p.context {
			return oracle.Violated(oracle.Key, "a packet of context %d was handled on handle %d", p.context, handle)
		}
		return nil
	case !queued:
		return oracle.Violated(oracle.Key, "a packet of context %d was queued, and handled on handle %d, which is no workstream's", p.context, handle)
	}
	pl, any := r.place(&p.seg)
	if any || r.p.either {
		return nil
	}
	if pl.by == netisr.CPU && i != pl.value {
		return oracle.Violated(oracle.Key, "a packet for CPU %d was handled on workstream %d", pl.value, i)
	}
	if first, ok := met[pl]; ok && first != i {
		return oracle.Violated(oracle.Key, "packets of %v %d were handled on workstreams %d and %d", pl.by, pl.value, first, i)
	}
	met[pl] = i
	return nil
}

// ordered: packets that have an order were handled in it. Where one handle has all packets of an order its notes tell; else the clock does.
func (r *rig) ordered() error {
	var all []note
	for i := range r.handlers {
		all = append(all, r.handlers[i].notes...)
	}
	if r.c.Clock {
		slices.SortFunc(all, func(a, b note) int { return int(a.at) - int(b.at) })
	}
	last := make(map[order]uint32) // number after the last one's
	for i := range all {
		p := r.sent(all[i].seg)
		o := r.order(p)
		if p.seg.Seq < last[o] {
			return oracle.Violated(oracle.Order, "of %s, packet %d of context %d was handled after packet %d", kinds[p.seg.Proto].name, p.seg.Seq, p.context, last[o]-1)
		}
		last[o] = p.seg.Seq + 1
	}
	return nil
}

// turns: of a protocol's packets that are handled on one workstream, those are handled first that were accepted before others were dispatched,
// whatever their contexts; but for what was handled in place of the packet around it. Without a clock nobody knows.
func (r *rig) turns() error {
	if !r.c.Clock {
		return nil
	}
	for handle := range r.handlers {
		if _, ok := r.stream(handle); !ok {
			continue
		}
		var latest [protocols]uint64
		for i := range r.handlers[handle].notes {
			p := r.sent(r.handlers[handle].notes[i].seg)
			if r.p.deep && p.outer != nil && !p.queue {
				continue
			}
			if p.end < latest[p.seg.Proto] {
				return oracle.Violated(oracle.Order, "workstream %d: a packet of %s, context %d, was handled after one that was dispatched when the first had been accepted",
					handle-len(r.contexts), kinds[p.seg.Proto].name, p.context)
			}
			latest[p.seg.Proto] = max(latest[p.seg.Proto], p.begin)
		}
	}
	return nil
}

// requests were each made once, where they had to be, each user's in order on every handle, and before packets that were dispatched later.
func (r *rig) requests() error {
	made := 0
	for handle := range r.handlers {
		h := &r.handlers[handle]
		last := make(map[int]int) // by user: number after the last one's
		latest, next := uint64(0), 0
		for _, q := range h.asked {
			made++
			if _, ok := r.stream(handle); ok != r.p.owns || !ok && handle != r.user(q.user) {
				return oracle.Violated(oracle.Key, "%s %d of user %d was made on handle %d", requestNames[q.kind], q.number, q.user, handle)
			}
			if q.number < last[q.user] {
				return oracle.Violated(oracle.Order, "on handle %d, request %d of user %d was made after request %d", handle, q.number, q.user, last[q.user]-1)
			}
			last[q.user] = q.number + 1
			for ; next < q.after; next++ {
				latest = max(latest, r.sent(h.notes[next].seg).begin)
			}
			if r.c.Clock && r.p.owns && q.end < latest {
				return oracle.Violated(oracle.Order, "on handle %d, request %d of user %d was made after a packet that was dispatched later had been handled",
					handle, q.number, q.user)
			}
		}
	}
	for _, u := range r.users {
		made -= len(u.requests)
	}
	if made != 0 {
		return oracle.Violated(oracle.Conservation, "%+d requests were made beside those that users made", made)
	}
	return nil
}
