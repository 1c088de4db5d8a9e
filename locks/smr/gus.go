// gus.go: Global Unbounded Sequences, the reclamation of smr(9). From sys/kern/subr_smr.c, FreeBSD 13 (2020),
// without its lazy and deferred modes. A writer moves the write sequence on; a reader announces the value
// it saw; memory tagged with a value that no open section is below is free. Costs a reader two stores to a
// line of its own and a load of a line that writers change, a poll one load a CPU; one stuck reader holds
// up all memory unlinked since. Holds: read sequence ≤ write sequence, and neither moves back.

package smr

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"pcbbench/locks/probe"
)

// first is the initial write and read sequence.
const first = 1

// State. wr counts Advances. A CPU's record holds the value of wr that its open section announced. rd is a
// lower bound of wr and of all open records but stale ones (see below): sections that can see memory tagged
// up to rd are over.
//
//	first ............ rd ........ cpu A .... cpu B ....... wr
//	 ── may be reused ──│── waits for A ──│── for B ──│
//
// Why a reader need not look at wr again after announcing it, as readers of some epoch schemes must. Go's
// atomics are sequentially consistent: there is one total order < of all of them. Call
//
//	U  the writer's unlinking,  A  its Advance (goal g),   U < A
//	L  a reader's load of wr (value s),  S  its store of s to the record,  D  its later loads,  L < S < D
//	W  a poll's load of wr (value ≥ g, so A < W),  P  its later load of that record,  A < W < P
//
// Let the poll answer true by scanning. What did P see of that reader's section?
//   - s ≥ g: L saw A's or a later value, so U < A < L < D: D sees the unlinking and not the block.
//   - idle, before S: U < A < P < S < D. D sees the unlinking too, however long ago L was.
//   - idle or a later section's value, after Exit: the section is over.
//   - s < g: then the poll would not have answered true.
//
// The second case leaves a stale record: S comes after a poll that passed it over, and announces an s below
// the rd that this poll stored. It is harmless to goals up to rd, as shown, and it holds up goals beyond rd
// just as an announcement of rd itself would, until its Exit. So it must not pull rd back, and that is why
// rd only moves forward; FreeBSD, whose 32-bit sequence wraps, clamps such a record to rd before it compares
// it, which amounts to the same. An answer from rd alone rests on the scan of the poll that stored rd.
type gus struct {
	_     [linePad]byte
	wr    atomic.Uint64 // written by Advance, read by Enter
	_     [linePad]byte
	rd    atomic.Uint64 // written by polls that get further
	_     [linePad]byte
	fails atomic.Uint64 // Polls that were false
	_     [linePad]byte
	cpus  []record // constant
	_     [linePad]byte
}

func newGUS(cpus int) Domain {
	g := &gus{cpus: make([]record, cpus)}
	g.wr.Store(first)
	g.rd.Store(first)
	return g
}

func (g *gus) Enter(cpu int) { g.cpus[cpu].enter(cpu, &g.wr) } // pairs with the load in observed
func (g *gus) Exit(cpu int)  { g.cpus[cpu].exit(cpu) }

// Offline has nothing to say: between sections nobody waits for a CPU.
func (g *gus) Offline(int) {}

func (g *gus) Advance() Seq {
	probe.RMW(&g.wr)
	return Seq(g.wr.Add(1))
}

func (g *gus) Poll(goal Seq) bool {
	if g.observed(uint64(goal)) {
		return true
	}
	probe.RMW(&g.fails)
	g.fails.Add(1)
	return false
}

func (g *gus) Wait(goal Seq) {
	for !g.observed(uint64(goal)) {
		probe.Pause()
		runtime.Gosched() // a section may belong to a worker that waits for this very CPU
	}
}

// observed reports whether goal has been passed by all, and moves rd as far as the open sections allow.
func (g *gus) observed(goal uint64) bool {
	probe.Load(&g.rd)
	rd := g.rd.Load()
	if goal <= rd {
		return true // most polls end here
	}
	probe.Load(&g.wr)
	oldest := g.wr.Load() // before the records are loaded: W < P above
	if goal > oldest {
		panic(fmt.Sprintf("smr: poll for %d, but Advance got no further than %d", goal, oldest))
	}
	for i := range g.cpus {
		probe.Load(&g.cpus[i].seq)
		if seq := g.cpus[i].seq.Load(); seq != idle {
			oldest = min(oldest, seq)
		}
	}
	for rd < oldest {
		probe.RMW(&g.rd)
		if g.rd.CompareAndSwap(rd, oldest) {
			break
		}
		rd = g.rd.Load() // another poll moved it
	}
	return goal <= oldest
}

func (g *gus) Recycles() bool { return true }

func (g *gus) Stats() Stats {
	rd := g.rd.Load() // before wr, so that Observed ≤ Advances
	probe.Load(&g.wr)
	return Stats{Advances: g.wr.Load() - first, Observed: rd - first, PollFails: g.fails.Load(), Readers: busy(g.cpus)}
}
