// Package netisr holds the models of how a packet reaches a CPU, after FreeBSD's netisr(9): one model a file.
//
// Packets come in at input contexts, which stand for a network card's receive queues with their interrupt threads. A model hands each to the
// handler of its protocol, at once or through the queue of a workstream, of which there is one a CPU. Whatever the model, packets that come in at one
// context and are of one flow, or of one source if that is their protocol's policy, are handled in the order in which they came; and no workstream
// handles two at a time.
package netisr

import (
	"pcbbench/pcbinfo"
)

// A Protocol is what takes packets from netisr (struct netisr_handler). Segment.Proto is its index in Config.Protocols.
type Protocol struct {
	Name   string
	Policy Policy
	// QLimit is the most packets of this protocol that a workstream queues (nh_qlimit); 0: Config.QLimit.
	QLimit int
	// M2flow is the flow that a packet belongs to, for Flow; nil: Segment.FlowID (nh_m2flow).
	M2flow func(seg *pcbinfo.Segment) uint32
	// M2cpuid is the CPU that a packet is to be handled on, for CPU; negative: any (nh_m2cpuid, NETISR_CPUID_NONE).
	M2cpuid func(seg *pcbinfo.Segment) int
	// Handler processes packets in order (nh_handler). It may dispatch what it finds in them through at, but keeps no pointer of the slice.
	Handler func(at *At, segs []*pcbinfo.Segment)
}

// A Policy says what a protocol's packets are steered by (NETISR_POLICY_*).
type Policy uint8

const (
	Source Policy = iota + 1 // where they came in: what has no flows keeps its order so
	Flow                     // their flow: one flow's packets all go to one workstream
	CPU                      // what M2cpuid says
)

var policyNames = [...]string{Source: "source", Flow: "flow", CPU: "cpu"}

func (p Policy) String() string { return policyNames[p] }

// An At is where a handler runs.
type At struct {
	Handle     int // the CPU of the table that is the handler's to use, see Config
	Dispatcher     // for what a handler takes out of packets: these are not refused
}

// A Dispatcher is one input context's way in. It is used by one goroutine at a time.
type Dispatcher interface {
	// Dispatch sees to it that segs are handled (netisr_dispatch); whether before it returns is the model's choice. It keeps no pointer of
	// the slice itself. Those that a full queue had no room for are returned, in an order in which they may be dispatched again; the slice is
	// valid until the next call. What was refused once is followed by no other of its workstream in the same call.
	Dispatch(segs []*pcbinfo.Segment) (refused []*pcbinfo.Segment)
	// Queue is Dispatch, but never handles anything in place (netisr_queue).
	Queue(segs []*pcbinfo.Segment) (refused []*pcbinfo.Segment)
}

// A Worker handles what a workstream has queued. It is used by one goroutine: one that calls Run now and then among other things, if
// Config.Poll, or one that is in Serve.
type Worker interface {
	// Run handles what is queued, and returns how many packets and requests that were.
	Run() int
	// Serve handles what is queued, sleeps when there is nothing, and returns after Stop.
	Serve()
	// Idle says that the worker's CPU of the table has nothing to do for now, see pcbinfo.CPU; for who calls Run. Serve says so itself.
	Idle()
}

// An Isr is a model at work.
type Isr interface {
	// Context is input context i's way in.
	Context(i int) Dispatcher
	// User is user thread i's way to the table: the table's own CPU, unless the model keeps the table to its workers.
	User(i int) pcbinfo.CPU
	// Workers are those of the workstreams that have one.
	Workers() []Worker
	// Stop ends Serve, when all that was queued has been handled. Nothing may be dispatched after it, not by handlers either.
	Stop()
	// Stats are the counts so far. Call it at rest.
	Stats() Stats
}

// A Config says for whom a model works. Handles are CPUs of the table: the same one may stand for a context, a workstream and a user if it is one
// thread that does their work.
type Config struct {
	Table     pcbinfo.Info
	Contexts  []int      // the handle of each input context; context i runs on the CPU of workstream i modulo their number
	Streams   []int      // the handle of each workstream: as many as Spec.Streams says
	Users     []int      // the handle of each user thread
	Protocols []Protocol // at most MaxProtocols
	QLimit    int        // of protocols that set none; 0: DefaultQLimit. Spec's qlimit= overrides both
	Poll      bool       // nobody sleeps in Serve: Run is called instead
	// Yield lets other threads run, for who waits without sleeping; nil: runtime.Gosched.
	Yield func()
	// Now is a clock for the latency of wake-ups, in units of the caller's; nil: it is not measured.
	Now func() int64
}

// DefaultQLimit is net.isr.defaultqlimit.
const DefaultQLimit = 256

// MaxProtocols is NETISR_MAXPROT.
const MaxProtocols = 16
