package reclaim

import (
	"fmt"
	"math/rand/v2"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/locks"
	"pcbbench/locks/smr"
)

const (
	// A writer replaces a slab of blocks in no less than slabNS, so that what is retired under a reader that stalls fits into memory: a million blocks a second.
	slabNS = slab * 1000
	// Slices is into how many the measured time is cut, to tell how the backlog grew.
	Slices = 8
)

// A writer replaces blocks.
type writer struct {
	pool
	rng     *rand.Rand
	retires uint64 // in the measured time, as is what follows
	busy    int64  // ticks
	peak    int
	slices  [Slices]int // the most that were retired and not free in each, peak in all
	grace   *hdrhistogram.Histogram
	_       [locks.LinePad]byte
}

// fill makes the chains.
func (w *writer) fill() {
	for i := range w.chains {
		for range hops {
			b := w.take()
			b.next.Store(w.chains[i].head.Load())
			w.chains[i].head.Store(b)
		}
	}
}

// replace puts a block in place of another, which it returns, but not of the last.
func (w *writer) replace() (old *block) {
	at := &w.chains[w.rng.IntN(chains)].head
	for range w.rng.IntN(hops - 1) {
		at = &at.Load().next
	}
	old = at.Load()
	b := w.take()
	b.next.Store(old.next.Load())
	if w.objs != nil {
		old.obj.Unlink(inChain)
	}
	at.Store(b)
	return old
}

// update replaces blocks, and retires them.
func (w *writer) update() {
	pause := int64(slabNS / w.clock.NS(1))
	for phase := w.phase.Load(); phase < over; phase = w.phase.Load() {
		start, most := w.clock.Now(), 0
		for range slab {
			w.retire(w.replace())
			most = max(most, w.retired)
		}
		now := w.clock.Now()
		if phase == measuring {
			w.retires += slab
			w.busy += now - start
		}
		w.note(phase, most, start, now)
		for w.clock.Now() < start+pause && w.phase.Load() < over {
			w.yield()
		}
		w.note(phase, w.retired, now, w.clock.Now())
	}
}

// note notes the most blocks that were retired and not free from one clock reading to another, between which the writer may have been off its CPU. It is of
// the measured time if that had begun and not ended at one of them; phase was at the first.
func (w *writer) note(phase int32, most int, from, to int64) {
	if phase != measuring && w.phase.Load() != measuring {
		return
	}
	w.peak = max(w.peak, most)
	for i := w.slice(from); i <= w.slice(to); i++ {
		w.slices[i] = max(w.slices[i], most)
	}
}

// slice is the part of the measured time that a clock reading lies in, or is nearest to.
func (w *writer) slice(at int64) int { return int(min(Slices-1, max(0, (at-w.began)*Slices/w.lasts))) }

// wait replaces a block and waits until it is free, again and again (rcuscale's synchronous writers).
func (w *writer) wait() {
	for phase := w.phase.Load(); phase < over; phase = w.phase.Load() {
		old := w.replace()
		start := w.clock.Now()
		free := w.begin(old)
		for !free() && w.phase.Load() < over {
			w.yield()
		}
		if took := w.clock.Now() - start; phase == measuring { // or longer, if the end cuts it off
			_ = w.grace.RecordValue(min(max(1, took), maxTicks))
		}
		if w.phase.Load() == over {
			w.in, w.retired, w.pending = w.in+1, w.retired+1, append(w.pending, old) // drain sees to it
			return
		}
		w.in, w.retired = w.in+1, w.retired+1
		w.put(old)
	}
}

// begin begins b's grace period, and returns what says whether it is over.
func (w *writer) begin(b *block) func() bool {
	if w.objs != nil {
		return func() bool {
			w.objs.Scan(w.cpu)
			return !w.objs.Held(w.cpu, &b.obj)
		}
	}
	goal := w.dom.Advance()
	return func() bool { return w.dom.Poll(goal) }
}

// check drains, and says what does not add up.
func (w *writer) check() error {
	if w.dom != nil && !w.dom.Recycles() {
		return nil
	}
	w.drain()
	if w.retired != 0 || w.in != w.out {
		return fmt.Errorf("reclaim: smr=%s: nobody reads, and of %d blocks that were retired %d came back", w.SMR, w.in, w.out)
	}
	if w.objs != nil {
		if most := w.objs.Bound(1); w.peak > most {
			return fmt.Errorf("reclaim: smr=%s: %d blocks were retired and not free, and there can be no more than %d", w.SMR, w.peak, most)
		}
	}
	return nil
}

// bound is the most blocks that can be retired and not free, -1 if there is no most.
func bound(objs smr.Objects) int {
	if objs == nil {
		return -1
	}
	return objs.Bound(1)
}
