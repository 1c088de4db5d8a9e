package netisrtest

import (
	"bytes"
	"runtime"
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// A note is one packet as it was handled.
type note struct {
	seg     *pcbinfo.Segment
	content pcbinfo.Segment
	at      uint64 // when, by the rig's clock
}

// asked is a request as it was made, when so many packets had been handled.
type asked struct {
	*request
	after int
}

// A handler is what happens on one handle of the table, which is one goroutine's at a time: it keeps what it is given. All but busy belongs to whoever is
// busy.
type handler struct {
	busy  atomic.Bool
	notes []note
	asked []asked
	by    goroutine // of the last batch, if the model handles in place
	_     [128]byte
}

func (h *handler) enter() {
	if h.busy.Swap(true) {
		panic(oracle.Violated(oracle.Exclusion, "a handle was given something to do while it was busy"))
	}
}

func (h *handler) leave() { h.busy.Store(false) }

// handle is the handler of all protocols.
func (r *rig) handle(at *netisr.At, proto uint8, segs []*pcbinfo.Segment) {
	h := &r.handlers[at.Handle]
	h.enter()
	if r.p.inPlace {
		h.by = current()
	}
	var inside [maxBatch]*packet
	for len(segs) > 0 {
		n := min(len(segs), maxBatch)
		opened := inside[:0]
		for _, seg := range segs[:n] {
			p := r.sent(seg)
			if seg.Proto != proto {
				panic(oracle.Violated(oracle.Key, "the handler of %s got a packet of %s", kinds[proto].name, kinds[seg.Proto].name))
			}
			h.notes = append(h.notes, note{seg, *seg, r.now()})
			if len(h.notes)%16 == 0 {
				runtime.Gosched()
			}
			if p.inner != nil {
				opened = append(opened, p.inner)
			}
		}
		r.unwrap(h, at, opened)
		for _, seg := range segs[:n] {
			r.contexts[seg.Ack].handled.Add(1) // pairs with the Load in settled: all that the handler does with seg is done
		}
		segs = segs[n:]
	}
	h.leave()
}

// sent is the packet that seg is of.
func (r *rig) sent(seg *pcbinfo.Segment) *packet {
	if int(seg.Ack) < len(r.contexts) {
		if x := r.contexts[seg.Ack]; int(seg.Seq) < len(x.packets) && seg == &x.packets[seg.Seq].seg {
			return &x.packets[seg.Seq]
		}
	}
	panic(oracle.Violated(oracle.Conservation, "a handler got a packet that nobody sent: %+v", *seg))
}

// unwrap dispatches what was inside of packets, in order.
func (r *rig) unwrap(h *handler, at *netisr.At, inside []*packet) {
	for _, p := range inside {
		before := len(h.notes)
		p.parent = at.Handle
		p.begin = r.now()
		var one = [1]*pcbinfo.Segment{&p.seg}
		dispatch := at.Dispatch
		if p.queue {
			dispatch = at.Queue
		}
		if r.p.deep {
			h.leave() // it may come back to this handle
		}
		refused := dispatch(one[:])
		if r.p.deep {
			h.enter()
		}
		p.end = r.now()
		if len(refused) > 0 {
			panic(oracle.Violated(oracle.Conservation, "what was inside of a packet was refused"))
		}
		if r.p.deep && !p.queue && len(h.notes) != before+1 {
			panic(oracle.Violated(oracle.Conservation, "what was inside of a packet was not handled in place"))
		}
	}
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
