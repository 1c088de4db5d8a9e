// refcount.go: references counted in the block. From Valois, "Lock-Free Linked Lists Using Compare-and-Swap", PODC 1995, as corrected by Michael
// and Scott, "Correction of a Memory Management Method for Lock-Free Data Structures", TR 599, Rochester 1995. A reader adds itself to each block's
// count before it looks at it, looks again whether it is still linked, and takes itself off later; an unlinked block whose count is zero is free. Costs a reader two
// read-modify-writes of a line that all readers of the block share: where they meet, it is as dear as a lock. Wins in memory, as a block is free when its last
// reader leaves. Holds: a count is the number of slots that hold the block, in whatever life.

package smr

import "pcbbench/locks/probe"

// State. A reader that comes too late adds to the count of a block that is free, or to a later life's, until it has looked again: so a count is
// never set, least of all when a block becomes new (the bug that Michael and Scott found had a block freed twice by such a reader). Nor does a reader
// free what it was the last to leave: whoever retired the block asks again, so that each is freed by one.
type refcount struct {
	_    [linePad]byte
	cpus []counters // constant
	_    [linePad]byte
}

// counters are one CPU's: what its reader holds, and what its writer counts.
type counters struct {
	slot [Slots]*Object // its CPU's own
	walker
	_ [linePad - 8*Slots - 8]byte
	tally
	_ [linePad - 16]byte
}

func newRefcount(cpus int) Objects { return &refcount{cpus: make([]counters, cpus)} }

func (r *refcount) Enter(cpu int) { r.cpus[cpu].enter(cpu) }

func (r *refcount) Exit(cpu int) {
	c := &r.cpus[cpu]
	c.exit(cpu)
	for i := range c.slot {
		c.leave(i)
	}
}

// leave orders what was loaded from the block before the reuse that a Held allows.
func (c *counters) leave(slot int) {
	o := c.slot[slot]
	if o == nil {
		return
	}
	c.slot[slot] = nil
	probe.RMW(&o.count)
	if o.count.Add(-1) < 0 {
		panic("smr: a block has fewer references than none")
	}
}

// Protect's Add pairs with the Load in Held.
func (r *refcount) Protect(cpu, slot int, o *Object) {
	c := &r.cpus[cpu]
	c.protect(cpu)
	c.leave(slot)
	probe.RMW(&o.count)
	o.count.Add(1)
	c.slot[slot] = o
}

// Batch is one: a block's own line says whether it is free.
func (r *refcount) Batch() int { return 1 }

func (r *refcount) Scan(cpu int) { r.cpus[cpu].scan() }

func (r *refcount) Held(cpu int, o *Object) bool {
	probe.Load(&o.count)
	if o.count.Load() == 0 {
		return false
	}
	r.cpus[cpu].spare()
	return true
}

// Bound is, for each writer, what slots may have held when it looked last, and the block that it looks at next.
func (r *refcount) Bound(writers int) int { return writers * (Slots*len(r.cpus) + 1) }

// Stats cannot tell of readers: who holds what is known to them alone.
func (r *refcount) Stats() (s Stats) {
	for i := range r.cpus {
		s.Scans += r.cpus[i].scans.Load()
		s.Spared += r.cpus[i].spared.Load()
	}
	return s
}
