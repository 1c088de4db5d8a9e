package lockbench

import (
	"slices"
	"sync/atomic"
)

// A trace is the stamped sections of a part. Each worker fills chunks of its own, which it takes from all that there are: an unfair lock gives one worker
// nearly all sections, and a share for each would end the part early.
type trace struct {
	from, ended int64 // of the measured time
	workers     int
	events      []event
	chunks      []chunk
	next        atomic.Int64 // chunk that nobody has
}

// An event is a section of a worker, in clock ticks.
type event struct {
	arrived, acquired, released int64
	// before is when the section before it let go, if that was another worker's and this one had arrived by then; else 0. Not of shared ones.
	before int64
}

// A chunk is one worker's.
type chunk struct{ worker, used int }

// The size of a trace: 16 MiB, which takes some 20 ms of the fastest locks, and a chunk for each of as many workers as there may be.
const (
	traceEvents = maxWorkers * chunkEvents
	chunkEvents = 1 << 7
)

// newTrace has its memory in place: what is measured meets no page fault.
func newTrace(events int) *trace {
	t := &trace{events: make([]event, events), chunks: make([]chunk, events/chunkEvents)}
	for i := range t.events {
		t.events[i].arrived = -1
	}
	return t
}

// reset empties t.
func (t *trace) reset(workers int) {
	t.workers = workers
	t.next.Store(0)
}

// A pen is where a worker writes.
type pen struct {
	t     *trace
	id    int
	page  []event
	chunk *chunk
}

// newPen has a chunk from the beginning, so that who waits until the trace is full still has room to say so.
func (t *trace) newPen(worker int) pen {
	p := pen{t: t, id: worker}
	if !p.turn() {
		panic("lockbench: more workers than chunks")
	}
	return p
}

// log notes e, and reports whether there was room.
func (p *pen) log(e event) bool {
	if len(p.page) == 0 && !p.turn() {
		return false
	}
	p.page[0] = e
	p.page = p.page[1:]
	return true
}

// turn takes the next chunk.
func (p *pen) turn() bool {
	p.lift()
	i := p.t.next.Add(1) - 1
	if i >= int64(len(p.t.chunks)) {
		return false
	}
	p.chunk = &p.t.chunks[i]
	p.chunk.worker = p.id
	p.page = p.t.events[i*chunkEvents:][:chunkEvents]
	return true
}

// lift says how far the chunk is filled. It is the worker's last act, too.
func (p *pen) lift() {
	if p.chunk != nil {
		p.chunk.used = chunkEvents - len(p.page)
		p.chunk = nil
	}
}

// each calls f for every section, one worker's in their order.
func (t *trace) each(f func(worker int, e *event)) {
	for i, c := range t.chunks[:min(int(t.next.Load()), len(t.chunks))] {
		events := t.events[i*chunkEvents:][:c.used]
		for j := range events {
			f(c.worker, &events[j])
		}
	}
}

// within reports whether e's worker got in in the measured time. Of each worker one section may lie beyond it.
func (t *trace) within(e *event) bool { return e.acquired >= t.from && e.acquired <= t.ended }

// An entry is who got in when.
type entry struct {
	at     int64 // since the measured time began
	worker int
}

// entries are those of the measured time, in order. Clocks of two CPUs may be tens of ns apart, so that neighbours may be the wrong way round: it moves a
// section from one window to the next.
func (t *trace) entries() []entry {
	const bits = 12 // of a worker's number
	var keys []uint64
	t.each(func(worker int, e *event) {
		if t.within(e) {
			keys = append(keys, uint64(e.acquired-t.from)<<bits|uint64(worker))
		}
	})
	slices.Sort(keys) // as numbers: three times as fast as entries
	list := make([]entry, len(keys))
	for i, k := range keys {
		list[i] = entry{int64(k >> bits), int(k & (1<<bits - 1))}
	}
	return list
}
