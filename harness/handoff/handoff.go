// Package handoff measures what it costs to hand a packet from one thread to another: through a netisr workstream, and through what a workstream is
// made of or could be made of instead. One way a file; Ways is the list.
package handoff

import (
	"fmt"

	"pcbbench/pcbinfo"
)

// A Way is one way to hand packets over.
type Way struct {
	Name, Doc, Source string
	Polls             bool // the receiver can poll; that it can sleep holds for all
	new               func(poll bool) link
}

// Ways are all of them, in reading order.
var Ways = []Way{
	{Name: "workstream", Polls: true, new: newWorkstream,
		Doc:    "netisr2's: a queue a protocol under a lock, taken as a whole; the worker is signalled if nobody is at it",
		Source: "FreeBSD 8-14, sys/net/netisr.c"},
	{Name: "spsc", Polls: true, new: newSPSC,
		Doc:    "a ring of one sender and one receiver without locks; a bell for a receiver that sleeps",
		Source: "Lamport 1977; cached indices: Lee, Bu, Chandranmenon, ANCS 2010"},
	{Name: "channel", new: func(bool) link { return newChannel(0) },
		Doc: "a Go channel without buffer: sender and receiver meet", Source: "runtime/chan.go"},
	{Name: "buffered", new: func(bool) link { return newChannel(room) },
		Doc: "a Go channel with as many places as the rings have", Source: "runtime/chan.go"},
	{Name: "wakeup", new: newWakeup,
		Doc: "nothing but a wake-up: a box for one batch and two of the runtime's semaphores", Source: "runtime/sema.go"},
}

// room is how many packets wait, at most, where a way has a queue: netisr's default limit.
const room = 256

// A link carries packets in one direction, each once and in order.
type link interface {
	// send hands over packets, of which no slice is kept; it waits where there is no room. One goroutine calls it.
	send(packets []*pcbinfo.Segment)
	// serve calls handle with what has come, as often as something has, until close. Another goroutine calls it.
	serve(handle func(packets []*pcbinfo.Segment))
	// close makes serve return when all that was sent has been handled. The sender calls it last.
	close()
}

// A Case is one setting.
type Case struct {
	Via   string // a Way's name
	Batch int    // packets a send
	Wait  string // Poll or Park
	CPUs  string // Other, Same or Any
	Pin   string // "cpu" or, with Any, "none"
}

// What a receiver does when there is nothing.
const (
	Poll = "poll"
	Park = "park"
)

// Where the two threads are.
const (
	Other = "other" // each on a CPU of its own
	Same  = "same"  // both on one
	Any   = "any"   // goroutines, where the scheduler puts them
)

// OneCPU is what to tell where there is one CPU.
const OneCPU = "One CPU: hand-offs between two are left out, and polling receivers with them."

// Cases are those that cpus CPUs allow. A receiver that polls on the sender's CPU would measure the kernel's time slice, so there is none.
func Cases(cpus int) (cs []Case) {
	for _, w := range Ways {
		for _, batch := range []int{1, 32} {
			at := func(wait, cpus, pin string) { cs = append(cs, Case{w.Name, batch, wait, cpus, pin}) }
			if w.Polls && cpus > 1 {
				at(Poll, Other, "cpu")
			}
			if cpus > 1 {
				at(Park, Other, "cpu")
			}
			at(Park, Same, "cpu")
			at(Park, Any, "none")
		}
	}
	return cs
}

// Name is the benchmark's.
func (c Case) Name() string {
	return fmt.Sprintf("Handoff/via=%s/batch=%d/wait=%s/cpus=%s/pin=%s", c.Via, c.Batch, c.Wait, c.CPUs, c.Pin)
}

// Check says whether there is such a case on a machine of cpus CPUs.
func (c Case) Check(cpus int) error {
	for _, known := range Cases(cpus) {
		if c == known {
			return nil
		}
	}
	return fmt.Errorf("no hand-off like %s with %d CPUs", c.Name(), cpus)
}
