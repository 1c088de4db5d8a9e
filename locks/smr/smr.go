// Package smr holds safe memory reclamation: how a writer that has unlinked a block learns that no reader
// still looks at it, so that the block may be reused. One scheme a file, behind one interface.
//
// The protocol is smr(9)'s. A reader brackets its walk by Enter and Exit. A writer unlinks the block, calls
// Advance, tags the block with the sequence number returned, and may reuse it once Poll of that number is
// true. It need not poll at once: memory freed in batches is tagged once a batch and polled when it is
// wanted again, by when the answer is nearly always yes.
//
// Readers must load the links they follow with sync/atomic, and writers must store them so: the argument
// in gus.go rests on the single total order that Go gives all atomic operations.
package smr

import (
	"fmt"
	"strings"
)

// Seq is a point in the history of a Domain's unlinkings. It does not wrap.
type Seq uint64

// A Domain is one set of readers and the memory they may look at. All methods may be called concurrently,
// except that one cpu's Enter and Exit belong to one worker at a time.
type Domain interface {
	// Enter begins a read section of cpu, 0 ≤ cpu < cpus. What the worker reaches by atomic loads within
	// the section is not reused before Exit. Sections do not nest, and a long one holds up all reuse.
	Enter(cpu int)
	// Exit ends the section. Pointers loaded in it must not be used any more.
	Exit(cpu int)
	// Advance returns the goal for what the caller unlinked before the call.
	Advance() Seq
	// Poll reports whether every section that may have seen what was unlinked before the Advance that
	// returned goal is over. It never waits; once true, it stays true.
	Poll(goal Seq) bool
	// Wait returns when Poll(goal) is true, yielding the CPU meanwhile. Called within a section it would
	// wait for its own caller.
	Wait(goal Seq)
	// Recycles reports whether memory may be reused at all after Poll. Where it is false the caller drops
	// the block and allocates a new one.
	Recycles() bool
	// Stats returns counts since the Domain was made; while others work, each is right for some moment
	// of the call.
	Stats() Stats
}

// Stats counts what a Domain did.
type Stats struct {
	Advances  uint64 // calls of Advance: grace periods begun
	Observed  uint64 // of these, found to be over
	PollFails uint64 // calls of Poll that returned false
}

// A Kind is one way to reclaim memory.
type Kind struct {
	Name   string
	Doc    string
	Source string
	New    func(cpus int) Domain
}

// Kinds lists all kinds in the order in which to read them.
var Kinds = []Kind{
	{
		Name:   "gus",
		Doc:    "readers announce the write sequence they saw; memory older than all of these is free",
		Source: "FreeBSD smr(9), sys/kern/subr_smr.c, Jeff Roberson 2020",
		New:    newGUS,
	},
	{
		Name:   "epoch",
		Doc:    "readers announce the epoch, which moves on when all have; memory is free two epochs later",
		Source: "Fraser 2004, section 5.2.3; FreeBSD 12's epoch(9), sys/kern/subr_epoch.c, Matthew Macy 2018",
		New:    newEpoch,
	},
	{
		Name:   "gc",
		Doc:    "Go's garbage collector is the grace period; memory is never reused by hand",
		Source: "Go",
		New:    newGC,
	},
}

// New makes a Domain of the named kind for readers 0 to cpus-1.
func New(kind string, cpus int) (Domain, error) {
	var names []string
	for _, k := range Kinds {
		if k.Name == kind {
			return watch(k.New(cpus)), nil
		}
		names = append(names, k.Name)
	}
	return nil, fmt.Errorf("unknown reclamation %q: want %s", kind, strings.Join(names, " or "))
}
