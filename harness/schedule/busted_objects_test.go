//go:build sim

package schedule

import (
	"slices"
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
)

// A hazardFault is what a hazard does wrong.
type hazardFault int

const (
	hazardSound hazardFault = iota
	oneSlot                 // Scan looks at the first of each CPU
	skipsFirstCPU
	publishesLate // with the next call
)

// hazard is smr's hazard in short, with a fault.
type hazard struct {
	fault hazardFault
	slots [][smr.Slots]atomic.Pointer[smr.Object]
	late  []func()
	named []map[*smr.Object]bool
}

func newHazard(f hazardFault) func(int) smr.Objects {
	return func(cpus int) smr.Objects {
		return &hazard{fault: f, slots: make([][smr.Slots]atomic.Pointer[smr.Object], cpus), late: make([]func(), cpus), named: make([]map[*smr.Object]bool, cpus)}
	}
}

func (h *hazard) Enter(int) {}

func (h *hazard) Exit(cpu int) {
	for i := range h.slots[cpu] {
		probe.Store(&h.slots[cpu][i])
		h.slots[cpu][i].Store(nil)
	}
}

func (h *hazard) Protect(cpu, slot int, o *smr.Object) {
	publish := func() {
		probe.Store(&h.slots[cpu][slot])
		h.slots[cpu][slot].Store(o)
	}
	if h.fault != publishesLate {
		publish()
		return
	}
	if f := h.late[cpu]; f != nil {
		f()
	}
	h.late[cpu] = publish
}

func (h *hazard) Scan(cpu int) {
	h.named[cpu] = map[*smr.Object]bool{}
	for i := range h.slots {
		if i == 0 && h.fault == skipsFirstCPU {
			continue
		}
		for j := range h.slots[i] {
			if j > 0 && h.fault == oneSlot {
				continue
			}
			probe.Load(&h.slots[i][j])
			if o := h.slots[i][j].Load(); o != nil {
				h.named[cpu][o] = true
			}
		}
	}
}

func (h *hazard) Held(cpu int, o *smr.Object) bool { return h.named[cpu][o] }
func (h *hazard) Batch() int                       { return 1 }
func (h *hazard) Bound(int) int                    { return 0 }
func (h *hazard) Stats() smr.Stats                 { return smr.Stats{} }

func bustedObjects(name string, open func(int) smr.Objects, programs ...string) (list []busted) {
	for _, p := range objectPrograms {
		if slices.Contains(programs, p.name) {
			list = append(list, busted{objectSubject(name+"/"+p.name, p, open), oracle.Reclaim})
		}
	}
	return list
}
