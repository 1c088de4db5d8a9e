package reclaim

import (
	"fmt"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/smr"
)

// A reader passes through sections, or walks.
type reader struct {
	*trial
	cpu      int
	rng      uint64
	sections uint64 // in the measured time
	ticks    int64
	err      error
	_        [locks.LinePad]byte
}

// run goes on to the end of the trial, so that nobody is measured beside fewer than all.
func (r *reader) run() {
	section := r.section
	if r.objs != nil {
		section = r.walks
	}
	r.until(measuring, section)
	start := r.clock.Now()
	r.sections = r.until(cooling, section)
	r.ticks = r.clock.Now() - start
	r.recorded.Add(1)
	r.until(over, section)
	r.offline(r.cpu)
}

// until passes through sections, as many as have some dozen lookups between two looks at the phase.
func (r *reader) until(phase int32, section func() error) (n uint64) {
	burst := max(1, 64/r.Lookups)
	for r.phase.Load() < phase && r.err == nil {
		for range burst {
			if err := section(); err != nil {
				r.err = fmt.Errorf("reclaim: smr=%s, reader %d: %w", r.SMR, r.cpu, err)
				return n
			}
		}
		n += uint64(burst)
	}
	return n
}

// pick draws a chain (Marsaglia, "Xorshift RNGs", 2003).
func (r *reader) pick() *chain {
	r.rng ^= r.rng << 13
	r.rng ^= r.rng >> 7
	r.rng ^= r.rng << 17
	return &r.chains[r.rng%chains]
}

// reused says that a block was in another life at the end of a section than before.
func reused(b *block, life uint64) error {
	if now := b.life.Load(); now != life || life%2 != 0 {
		return fmt.Errorf("a block was in life %d and is in life %d at the end of the section: it was reused under its reader", life, now)
	}
	return nil
}

// section looks each of its keys up. What it finds first it must find unchanged at its end.
func (r *reader) section() error {
	r.dom.Enter(r.cpu)
	first := r.pick().head.Load()
	life := first.life.Load()
	for b, n := first, 1; ; n++ {
		for next := b.next.Load(); next != nil; next = b.next.Load() {
			b = next
		}
		if n == r.Lookups {
			break
		}
		b = r.pick().head.Load()
	}
	err := reused(first, life)
	r.dom.Exit(r.cpu)
	return err
}

// walks is section where single blocks are protected: what its last lookup stands on at the end must be as it was found.
func (r *reader) walks() error {
	r.objs.Enter(r.cpu)
	var b *block
	var life uint64
	for range r.Lookups {
		b, life = r.walk(r.pick())
	}
	err := reused(b, life)
	r.objs.Exit(r.cpu)
	return err
}

// walk goes to the end of c, and returns the block before the last, protected as that is, and its life.
func (r *reader) walk(c *chain) (at *block, life uint64) {
	for tries := 1; ; tries++ {
		if at, life, ok := r.try(c); ok {
			return at, life
		}
		if tries%64 == 0 {
			r.yield() // the writer may have lost its CPU between two stores
		}
	}
}

func (r *reader) try(c *chain) (_ *block, life uint64, ok bool) {
	var before, at *block
	var lives [2]uint64
	for link, slot := &c.head, 0; ; {
		b := link.Load()
		if b == nil {
			return before, lives[slot], true // slot is the next to be used: the one that holds before
		}
		r.objs.Protect(r.cpu, slot, &b.obj)
		still := link.Load() == b
		if at != nil && at.obj.Gone(inChain) {
			return nil, 0, false
		}
		if !still {
			continue
		}
		lives[slot] = b.life.Load()
		before, at, link, slot = at, b, &b.next, smr.Slots-1-slot
	}
}

// stall is a reader that stays inside, comes out, and goes in again.
func (r *reader) stall() {
	for done := false; !done && r.err == nil; {
		var err error
		if r.objs != nil {
			r.objs.Enter(r.cpu)
			b, life := r.walk(r.pick())
			done = r.sleep(r.Stall)
			err = reused(b, life)
			r.objs.Exit(r.cpu)
		} else {
			r.dom.Enter(r.cpu)
			b := r.pick().head.Load()
			life := b.life.Load()
			done = r.sleep(r.Stall)
			err = reused(b, life)
			r.dom.Exit(r.cpu)
		}
		r.offline(r.cpu)
		if err != nil {
			r.err = fmt.Errorf("reclaim: smr=%s, the reader that stalls: %w", r.SMR, err)
		}
		done = done || r.sleep(outside)
	}
}

// outside is how long a reader that stalls is out before it goes in again.
const outside = time.Millisecond

// sleep reports whether the trial is over.
func (r *reader) sleep(d time.Duration) bool {
	select {
	case <-r.ended:
		return true
	case <-time.After(d):
		return false
	}
}
