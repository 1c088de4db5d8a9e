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
//
// Some kinds protect single blocks instead of sections: see Objects.
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
	// Offline says that cpu, which is in no section, has nothing to do for now. Between sections a kind may wait for a CPU until it
	// says so: who stops, sleeps or idles calls it, and need not take it back. At rest anybody may call it for a cpu.
	Offline(cpu int)
	// Advance returns the goal for what the caller unlinked before the call.
	Advance() Seq
	// Poll reports whether every section that may have seen what was unlinked before the Advance that
	// returned goal is over. It never waits; once true, it stays true. It becomes true when those sections
	// are over and all CPUs have since ended another, gone Offline, or been so.
	Poll(goal Seq) bool
	// Wait returns when Poll(goal) is true, yielding the CPU meanwhile. Called within a section, or by a CPU
	// that did not go Offline, it would wait for its own caller.
	Wait(goal Seq)
	// Recycles reports whether memory may be reused at all after Poll. Where it is false the caller drops
	// the block and allocates a new one.
	Recycles() bool
	// Stats returns counts since the Domain was made; while others work, each is right for some moment
	// of the call.
	Stats() Stats
}

// Stats counts what a Domain or Objects did.
type Stats struct {
	Advances  uint64 // calls of Advance: grace periods begun
	Observed  uint64 // of these, found to be over
	PollFails uint64 // calls of Poll that returned false
	Scans     uint64 // calls of Scan
	Spared    uint64 // calls of Held that returned true
	Readers   uint64 // now: sections that are open, CPUs that are online, slots that hold something; 0 where nobody can tell
}

// A Kind is one way to reclaim memory. It protects either sections or objects: one of New and NewObjects is nil.
type Kind struct {
	Name       string
	Doc        string
	Source     string
	Cost       string // what a reader pays
	Bound      string // of the garbage: blocks that are retired and not free
	New        func(cpus int) Domain
	NewObjects func(cpus int) Objects
}

// Kinds lists all kinds in the order in which to read them.
var Kinds = []Kind{
	{
		Name:   "gus",
		Doc:    "readers announce the write sequence they saw; memory older than all of these is free",
		Source: "FreeBSD smr(9), sys/kern/subr_smr.c, Jeff Roberson 2020",
		Cost:   "two stores to a line of its own a section; loads a line that changes with every Advance",
		Bound:  "none: one open section holds up all that is retired after it began",
		New:    newGUS,
	},
	{
		Name:   "epoch",
		Doc:    "readers announce the epoch, which moves on when all have; memory is free two epochs later",
		Source: "Fraser 2004, section 5.2.3; FreeBSD 12's epoch(9), sys/kern/subr_epoch.c, Matthew Macy 2018",
		Cost:   "two stores to a line of its own a section; loads a line that changes with every epoch",
		Bound:  "none: one open section holds up all that is retired after it began, and what was in the epoch before",
		New:    newEpoch,
	},
	{
		Name:   "qsbr",
		Doc:    "readers announce nothing but moments at which they hold nothing; who rests must say so",
		Source: "McKenney and Slingwine, PDCS 1998; liburcu's qsbr flavour, Desnoyers et al. 2012",
		Cost:   "nothing on entering; at the end of a section a load of a line that changes with every Advance, and a store if it has",
		Bound:  "none: one open section, or one CPU that stops and does not go offline, holds up all that is retired after",
		New:    newQSBR,
	},
	{
		Name:       "hazard",
		Doc:        "readers publish each block before they look at it; memory that no slot names is free",
		Source:     "Michael, IEEE TPDS 15(6), 2004",
		Cost:       "a store to a line of its own and a second look at the link, a block",
		Bound:      "2 x slots a writer: O(slots x CPUs), whatever readers do",
		NewObjects: newHazard,
	},
	{
		Name:       "refcount",
		Doc:        "readers count themselves in each block; memory whose count is zero is free",
		Source:     "Valois, PODC 1995; corrected by Michael and Scott, TR 599, Rochester 1995",
		Cost:       "two read-modify-writes of the block's own line, which all its readers share, and a second look at the link, a block",
		Bound:      "slots + 1 a writer: O(slots x CPUs), whatever readers do",
		NewObjects: newRefcount,
	},
	{
		Name:   "gc",
		Doc:    "Go's garbage collector is the grace period; memory is never reused by hand",
		Source: "Go",
		Cost:   "nothing",
		Bound:  "none: what the collector has not come to yet",
		New:    newGC,
	},
}

// Find returns the named kind; the error lists all.
func Find(kind string) (*Kind, error) {
	var names []string
	for i := range Kinds {
		if Kinds[i].Name == kind {
			return &Kinds[i], nil
		}
		names = append(names, Kinds[i].Name)
	}
	return nil, fmt.Errorf("unknown reclamation %q: want %s", kind, strings.Join(names, " or "))
}

// New makes a Domain of the named kind, which protects sections, for readers 0 to cpus-1.
func New(kind string, cpus int) (Domain, error) {
	k, err := Find(kind)
	if err != nil {
		return nil, err
	}
	if k.New == nil {
		return nil, fmt.Errorf("reclamation %q protects single blocks, not sections", kind)
	}
	return watch(k.New(cpus)), nil
}

// NewObjects makes Objects of the named kind, which protects single blocks, for readers and writers 0 to cpus-1.
func NewObjects(kind string, cpus int) (Objects, error) {
	k, err := Find(kind)
	if err != nil {
		return nil, err
	}
	if k.NewObjects == nil {
		return nil, fmt.Errorf("reclamation %q protects sections, not single blocks", kind)
	}
	return watchObjects(k.NewObjects(cpus)), nil
}
