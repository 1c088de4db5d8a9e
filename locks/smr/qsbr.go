// qsbr.go: reclamation by quiescent states. From McKenney and Slingwine, "Read-Copy Update: Using Execution History to
// Solve Concurrency Problems", PDCS 1998; in user space liburcu's qsbr flavour (Desnoyers et al., IEEE TPDS 2012). A reader
// announces no sections but the moments between them: the end of each is one. Costs a reader nothing on entering and, while
// nothing is retired, a load on leaving; loses when a CPU stops without saying so, as all memory then waits for it. Writers
// work as in gus.go. Holds: a record is what its CPU saw at a moment when it held nothing, or idle while it is offline.

package smr

import (
	"fmt"

	"pcbbench/locks/probe"
)

// State. The counter, rd and the writers' side are gus's. What differs is when a record is written: at the end of a section, and by the first
// Enter after Offline.
//
// Why it may be. In the terms of gus.go: let the poll have seen s in a record, L its reader's load of wr, S the Store, L < S.
//   - s ≥ g: L saw A's value or a later one, so U < A < L. Sections of this CPU lie before L, and then are over, or after L, and then meet no
//     block unlinked before A. So it does not matter which section is open when the poll looks.
//   - idle: no section is open, or its Enter stores after the poll's look; then U < A < P < S < D as there.
//   - s < g: then the poll would not have answered true, though perhaps nobody is in a section. It is held up until the next Exit or Offline.
//
// An Exit that finds wr as it is in the record stores nothing: no Advance came in between, so that no goal waits for this CPU to say it again.
type qsbr struct{ gus }

func newQSBR(cpus int) Domain {
	q := &qsbr{gus{cpus: make([]record, cpus)}}
	q.wr.Store(first)
	q.rd.Store(first)
	return q
}

// Enter comes online if the CPU was not.
func (q *qsbr) Enter(cpu int) {
	r := &q.cpus[cpu]
	if r.inside {
		panic(fmt.Sprintf("smr: Enter of cpu %d, which is in a section", cpu))
	}
	r.inside = true
	if r.seq.Load() == idle { // our own line
		r.enter(cpu, &q.wr)
	}
}

// Exit is a quiescent state. The Store orders the section's loads before the reuse that a poll allows.
func (q *qsbr) Exit(cpu int) {
	r := &q.cpus[cpu]
	if !r.inside {
		panic(fmt.Sprintf("smr: Exit of cpu %d, which is in no section", cpu))
	}
	r.inside = false
	probe.Load(&q.wr)
	if now := q.wr.Load(); now != r.seq.Load() {
		probe.Store(&r.seq)
		r.seq.Store(now)
	}
}

// Offline is a quiescent state that lasts until the next Enter.
func (q *qsbr) Offline(cpu int) {
	r := &q.cpus[cpu]
	if r.inside {
		panic(fmt.Sprintf("smr: Offline of cpu %d, which is in a section", cpu))
	}
	if r.seq.Load() != idle {
		r.exit(cpu)
	}
}
