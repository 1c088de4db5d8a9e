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
	slices  [Slices]int // the most that were retired and not free in each
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
		start := w.clock.Now()
		for range slab {
			w.retire(w.replace())
			if phase == measuring {
				w.peak = max(w.peak, w.retired)
			}
		}
		now := w.clock.Now()
		if phase == measuring {
			w.retires += slab
			w.busy += now - start
			i := min(Slices-1, max(0, int((now-w.began)*Slices/w.lasts)))
			w.slices[i] = max(w.slices[i], w.retired)
		}
		for w.clock.Now() < start+pause && w.phase.Load() < over {
			w.yield()
		}
	}
}

// wait replaces a block and waits until it is free, again and again (rcuscale's synchronous writers).
func (w *writer) wait() {
	for phase := w.phase.Load(); phase < over; phase = w.phase.Load() {
		old := w.replace()
		start := w.clock.Now()
		free := w.begin(old)
		for !free() && w.phase.Load() < over {
			w.yield()
		}
		if w.phase.Load() == over {
			w.in, w.retired, w.pending = w.in+1, w.retired+1, append(w.pending, old) // drain sees to it
			return
		}
		if took := w.clock.Now() - start; phase == measuring {
			_ = w.grace.RecordValue(min(max(1, took), maxTicks))
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
