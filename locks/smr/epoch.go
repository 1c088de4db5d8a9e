// epoch.go: epochs, the scheme that gus replaced. From Fraser, "Practical Lock-Freedom", PhD thesis, Cambridge
// 2004, section 5.2.3; in the kernel as epoch(9), sys/kern/subr_epoch.c, FreeBSD 12 (2018), on Concurrency
// Kit's ck_epoch. A reader announces the epoch; memory unlinked in one epoch is free two epochs later; the
// epoch moves on when every open section has announced the current one. Costs a reader what gus costs, but
// the line it loads changes once an epoch instead of once an unlinking; loses in memory, as a grace period is
// two epochs and readers that entered after an unlinking hold it up too. Holds: the epoch never moves back.

package smr

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"pcbbench/locks/probe"
)

// lag is how many epochs after the unlinking memory is free.
const lag = 2

// State. now is the epoch. A CPU's record holds the value of now that its open section announced. Fraser's
// epochs count modulo 3 and limbo lists go with them; ours are unbounded, and goals take the place of lists.
//
// Why two epochs, and why a reader need not look at now again after announcing it. Go's atomics are sequentially
// consistent: there is one total order < of all of them. Call
//
//	U  the writer's unlinking,  A  its load of now in Advance (value a, goal a+2),   U < A
//	L  a reader's load of now (value s),  S  its store of s to the record,  D  a later load that meets the block,
//	   L < S < D < U, since after U no load meets it; and so s ≤ a, since now never moves back
//	W  the load of now (value a+1) by the poll that moved it to a+2,  P  its later load of that record,
//	   A < W < P, since now was a at A still
//
// So S < P: P sees s, which is not a+1 and keeps the epoch where it is, or the section is over. How long ago L
// was does not matter. An announcement that is stale because now moved between L and S is below now, and holds
// up the next move until its Exit. Where epochs wrap it could be taken for a current one.
//
// One epoch would not do. The poll that moves now from a to a+1 may have loaded it before A, and the record
// before S: then S, D, U and A follow, and the move lets the goal pass with the section open.
type epoch struct {
	_        [linePad]byte
	now      atomic.Uint64 // written by polls that move it, read by Enter
	_        [linePad]byte
	advances atomic.Uint64 // calls of Advance
	_        [linePad]byte
	observed atomic.Uint64    // of these, found to be over
	begun    [2]atomic.Uint64 // by epoch modulo 2: advances at some moment not after it ended
	fails    atomic.Uint64    // Polls that were false
	_        [linePad]byte
	cpus     []record // constant
	_        [linePad]byte
}

func newEpoch(cpus int) Domain {
	e := &epoch{cpus: make([]record, cpus)}
	e.now.Store(first)
	return e
}

func (e *epoch) Enter(cpu int) { e.cpus[cpu].enter(cpu, &e.now) } // pairs with the load in quiet
func (e *epoch) Exit(cpu int)  { e.cpus[cpu].exit(cpu) }

// Offline has nothing to say: between sections nobody waits for a CPU.
func (e *epoch) Offline(int) {}

func (e *epoch) Advance() Seq {
	probe.RMW(&e.advances)
	e.advances.Add(1)
	probe.Load(&e.now)
	return Seq(e.now.Load() + lag)
}

func (e *epoch) Poll(goal Seq) bool {
	if e.reached(uint64(goal)) {
		return true
	}
	probe.RMW(&e.fails)
	e.fails.Add(1)
	return false
}

func (e *epoch) Wait(goal Seq) {
	for !e.reached(uint64(goal)) {
		probe.Pause()
		runtime.Gosched() // a section may belong to a worker that waits for this very CPU
	}
}

// reached reports whether the epoch is goal, after moving it as far towards it as the open sections allow.
func (e *epoch) reached(goal uint64) bool {
	for {
		begun := e.advances.Load() // before now: the grace periods begun so far count for this epoch or for one before
		probe.Load(&e.now)
		now := e.now.Load()
		if goal <= now {
			return true // most polls end here
		}
		if goal > now+lag {
			panic(fmt.Sprintf("smr: poll for %d, but Advance got no further than %d", goal, now+lag))
		}
		if !e.quiet(now) {
			return false
		}
		e.move(now, begun)
	}
}

// quiet reports whether every open section has announced now.
func (e *epoch) quiet(now uint64) bool {
	for i := range e.cpus {
		probe.Load(&e.cpus[i].seq)
		if seq := e.cpus[i].seq.Load(); seq != idle && seq != now {
			return false
		}
	}
	return true
}

// move ends the epoch now, unless another poll did. Whoever ends it has found those grace periods to be over that
// had begun by the end of the epoch before.
func (e *epoch) move(now, begun uint64) {
	over := e.begun[(now-1)%2].Load() // written for this epoch's successor only after the CAS
	e.begun[now%2].Store(begun)
	probe.RMW(&e.now)
	if !e.now.CompareAndSwap(now, now+1) {
		return
	}
	for seen := e.observed.Load(); seen < over && !e.observed.CompareAndSwap(seen, over); {
		seen = e.observed.Load()
	}
}

func (e *epoch) Recycles() bool { return true }

func (e *epoch) Stats() Stats {
	observed := e.observed.Load() // before advances, so that Observed ≤ Advances
	return Stats{Advances: e.advances.Load(), Observed: observed, PollFails: e.fails.Load(), Readers: busy(e.cpus)}
}
