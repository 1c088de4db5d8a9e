// Package netisrtest tortures dispatch models: input contexts send numbered segments into handlers that take notes.
package netisrtest

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// Config sets the size of a torture.
type Config struct {
	Workers  int              // input contexts, and handlers; ≥ 1
	Segments int              // that each context sends
	Flows    int              // that each context's segments belong to, ≥ 1; flows have segments from all contexts
	Seed     uint64           // of all choices but the scheduler's
	Beat     func(worker int) // if not nil, called once a batch
	Patience time.Duration    // for segments to be handled, see crew.Crew; 0 means its default
}

// A promise is what a model says of where and in which order segments are handled. Whatever it says, every segment is handled, once and
// as it was, in batches that no handler gets two of at a time, and those of one context that meet on one handler in order.
type promise struct {
	inPlace bool // on the context's own handler and in its goroutine, before Dispatch returns: so all of a context's segments are in order
}

// promises are said here again so that the torture does not believe what the code under torture says of itself.
var promises = map[string]promise{
	"direct": {inPlace: true},
}

// maxBatch is of segments.
const maxBatch = 8

// A note is one segment as it was handled.
type note struct {
	seg     *pcbinfo.Segment
	content pcbinfo.Segment
}

// A handler keeps what it is given. All but busy belongs to whoever is busy.
type handler struct {
	busy  atomic.Bool
	notes []note
	by    goroutine // of the last batch
	_     [128]byte
}

func (h *handler) handle(segs []*pcbinfo.Segment) {
	if h.busy.Swap(true) {
		panic(oracle.Violated(oracle.Exclusion, "a handler was given a batch while it was busy with another"))
	}
	h.by = current()
	for _, seg := range segs {
		h.notes = append(h.notes, note{seg, *seg})
		if len(h.notes)%16 == 0 {
			runtime.Gosched()
		}
	}
	h.busy.Store(false)
}

// A context sends its segments in order. Seq is a segment's number among them, Ack its context, FlowID its flow.
type context struct {
	segs []pcbinfo.Segment
	out  netisr.Dispatcher
	rng  *rand.Rand
}

// Torture holds a model to its promises, and returns the first found broken.
func Torture(m netisr.Model, c Config) error {
	p, known := promises[m.Name]
	if !known {
		panic("netisrtest: model " + m.Name + " is not in the list of promises")
	}
	err := oracle.Guard(func() error { return torture(m, p, c) })
	if err != nil {
		err = oracle.Violated(oracle.Of(err), "dispatch %s, seed %d: %w", m.Name, c.Seed, err)
	}
	return err
}

func torture(m netisr.Model, p promise, c Config) error {
	handlers := make([]handler, c.Workers)
	var handled atomic.Int64
	var handles []int
	for i := range handlers {
		handles = append(handles, i)
	}
	isr := m.New(netisr.Config{Contexts: handles, Streams: handles, Users: handles, Poll: true, Protocols: []netisr.Protocol{{Name: "ip", Policy: netisr.Flow,
		Handler: func(at *netisr.At, segs []*pcbinfo.Segment) {
			handlers[at.Handle].handle(segs)
			handled.Add(int64(len(segs)))
		}}}}, netisr.Options{})
	contexts := make([]context, c.Workers)
	team := crew.Crew{Patience: c.Patience}
	for i := range contexts {
		x := newContext(i, isr.Context(i), c)
		contexts[i] = x
		team.Go(func() error {
			return x.send(&team, func(sent int) error {
				if c.Beat != nil {
					c.Beat(i)
				}
				if h := &handlers[i]; p.inPlace && (len(h.notes) != sent || sent > 0 && h.by != current()) {
					return oracle.Violated(oracle.Conservation, "context %d has sent %d segments; its handler got %d before Dispatch returned, last in %s",
						i, sent, len(h.notes), h.by)
				}
				return nil
			})
		})
	}
	if err := team.Join(); err != nil {
		return err
	}
	all := int64(c.Workers) * int64(c.Segments)
	if !team.Until(func() bool { return handled.Load() >= all }) {
		return oracle.Violated(oracle.Conservation, "%d of %d segments were handled", handled.Load(), all)
	}
	return account(handlers, contexts, p)
}

func newContext(i int, out netisr.Dispatcher, c Config) context {
	x := context{make([]pcbinfo.Segment, c.Segments), out, rand.New(rand.NewPCG(c.Seed, uint64(i)))}
	for k := range x.segs {
		flow := uint32(x.rng.IntN(c.Flows))
		x.segs[k] = pcbinfo.Segment{Seq: uint32(k), Ack: uint32(i), FlowID: flow, Win: x.rng.Uint32(), Len: uint16(x.rng.Uint32())}
	}
	return x
}

// send sends all in batches, one array for all of them, and has each looked after.
func (x *context) send(team *crew.Crew, after func(sent int) error) error {
	var batch [maxBatch]*pcbinfo.Segment
	for sent := 0; sent < len(x.segs) && !team.Failed(); {
		n := min(x.rng.IntN(maxBatch+1), len(x.segs)-sent) // empty ones too
		for k := range n {
			batch[k] = &x.segs[sent+k]
		}
		x.out.Dispatch(batch[:n])
		sent += n
		if err := after(sent); err != nil {
			return err
		}
		clear(batch[:])
		if x.rng.IntN(4) == 0 {
			runtime.Gosched()
		}
	}
	return nil
}

// account compares what was handled with what was sent.
func account(handlers []handler, contexts []context, p promise) error {
	times := make([][]int, len(contexts))
	for i := range times {
		times[i] = make([]int, len(contexts[i].segs))
	}
	for i := range handlers {
		last := make(map[uint32]uint32) // context → number after its last segment here
		for _, n := range handlers[i].notes {
			from, number := n.content.Ack, n.content.Seq
			if int(from) >= len(contexts) || int(number) >= len(times[from]) || n.seg != &contexts[from].segs[number] || n.content != *n.seg {
				return oracle.Violated(oracle.Conservation, "handler %d got a segment that nobody sent: %+v", i, n.content)
			}
			if p.inPlace && int(from) != i {
				return oracle.Violated(oracle.Conservation, "handler %d got a segment of context %d", i, from)
			}
			if number < last[from] {
				return oracle.Violated(oracle.Order, "handler %d got segment %d of context %d after segment %d", i, number, from, last[from]-1)
			}
			last[from] = number + 1
			times[from][number]++
		}
	}
	for from := range times {
		for number, n := range times[from] {
			if n != 1 {
				return oracle.Violated(oracle.Conservation, "segment %d of context %d was handled %d times", number, from, n)
			}
		}
	}
	return nil
}

// goroutine is the name of one: "goroutine 18".
type goroutine string

// current is the caller's. It reads the first line of its stack: slow, and for checks only.
func current() goroutine {
	var buf [64]byte
	line := buf[:runtime.Stack(buf[:], false)]
	name, _, _ := bytes.Cut(line, []byte(" ["))
	return goroutine(name)
}
