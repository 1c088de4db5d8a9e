package smr

import (
	"fmt"
	"sync/atomic"

	"pcbbench/locks/probe"
)

// linePad keeps what one CPU writes off the lines of others: two 64-byte lines, since amd64 fetches them in
// pairs, or one of Apple's.
const linePad = 128

// idle in a record means that its CPU is in no section. No sequence and no epoch is 0.
const idle = 0

// A record is what one CPU announces to those who wait for its sections.
type record struct {
	seq    atomic.Uint64 // idle, or what the open section saw in the domain's counter; written by its CPU only
	inside bool          // qsbr, where seq does not tell: a section is open; its CPU's own
	_      [linePad - 16]byte
}

// busy is how many of records announce something.
func busy(records []record) (n uint64) {
	for i := range records {
		if records[i].seq.Load() != idle {
			n++
		}
	}
	return n
}

// enter announces a section of cpu, whose record it is, with what counter says; the domain pairs the Store with a load of its own.
func (r *record) enter(cpu int, counter *atomic.Uint64) {
	if r.seq.Load() != idle { // our own line: a cheap check
		panic(fmt.Sprintf("smr: Enter of cpu %d, which is in a section", cpu))
	}
	probe.Load(counter)
	now := counter.Load()
	probe.Store(&r.seq)
	r.seq.Store(now)
}

func (r *record) exit(cpu int) {
	if r.seq.Load() == idle {
		panic(fmt.Sprintf("smr: Exit of cpu %d, which is in no section", cpu))
	}
	probe.Store(&r.seq)
	r.seq.Store(idle) // orders the section's loads before the reuse that a poll allows
}
