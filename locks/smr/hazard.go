// hazard.go: hazard pointers. From Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects", IEEE TPDS 15(6), 2004.
// A reader names in a slot of its own each block before it looks at it, and looks again whether it is still linked; a writer that
// has unlinked enough blocks reads all slots once, and those that none names are free. Costs a reader a store that must be seen before its next load, at
// every block; wins in memory, as a reader that sleeps keeps Slots blocks and no more. Holds: what a slot names since it was linked is not
// reused.

package smr

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"pcbbench/locks/probe"
)

// State. Michael's list of hazard records grows; here the number of CPUs is known, so it is an array. A retire list is the caller's.
type hazard struct {
	_    [linePad]byte
	cpus []hazards // constant
	_    [linePad]byte
}

// hazards are one CPU's: what its reader writes, and what its writer does.
type hazards struct {
	slot [Slots]atomic.Pointer[Object] // written by its CPU, read by all Scans
	walker
	_ [linePad - 8*Slots - 8]byte
	tally
	named []uintptr // addresses that the last Scan found, in order
	_     [linePad - 40]byte
}

func newHazard(cpus int) Objects {
	h := &hazard{cpus: make([]hazards, cpus)}
	for i := range h.cpus {
		h.cpus[i].named = make([]uintptr, 0, Slots*cpus)
	}
	return h
}

func (h *hazard) Enter(cpu int) { h.cpus[cpu].enter(cpu) }

func (h *hazard) Exit(cpu int) {
	c := &h.cpus[cpu]
	c.exit(cpu)
	for i := range c.slot {
		if c.slot[i].Load() != nil { // our own line
			probe.Store(&c.slot[i])
			c.slot[i].Store(nil) // orders the walk's loads before the reuse that a Scan allows
		}
	}
}

// Protect's Store pairs with the Load in Scan. It comes before whatever the caller loads next, in the order of all atomics: on amd64 it is an exchange, and that is
// the price of hazard pointers.
func (h *hazard) Protect(cpu, slot int, o *Object) {
	c := &h.cpus[cpu]
	c.protect(cpu)
	probe.Store(&c.slot[slot])
	c.slot[slot].Store(o)
}

// Batch is R of Michael's section 3.2: of 2H blocks, H at least are free after a Scan of H slots.
func (h *hazard) Batch() int { return 2 * Slots * len(h.cpus) }

// Scan need not see all slots at one moment: what is protected now and retired was protected before it was unlinked, in a slot that still names it.
func (h *hazard) Scan(cpu int) {
	c := &h.cpus[cpu]
	c.scan()
	c.named = c.named[:0]
	for i := range h.cpus {
		for j := range h.cpus[i].slot {
			probe.Load(&h.cpus[i].slot[j])
			if o := h.cpus[i].slot[j].Load(); o != nil {
				c.named = append(c.named, address(o))
			}
		}
	}
	slices.Sort(c.named)
}

func (h *hazard) Held(cpu int, o *Object) bool {
	c := &h.cpus[cpu]
	_, held := slices.BinarySearch(c.named, address(o))
	if held {
		c.spare()
	}
	return held
}

// address is a name for o: Go does not move what is on the heap.
func address(o *Object) uintptr { return uintptr(unsafe.Pointer(o)) }

func (h *hazard) Bound(writers int) int { return writers * h.Batch() }

func (h *hazard) Stats() (s Stats) {
	for i := range h.cpus {
		c := &h.cpus[i]
		s.Scans += c.scans.Load()
		s.Spared += c.spared.Load()
		for j := range c.slot {
			if c.slot[j].Load() != nil {
				s.Readers++
			}
		}
	}
	return s
}
