package netisr

import (
	"slices"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
)

// An isr is what models with workstreams share. Its contexts differ by model.
type isr struct {
	c       Config
	streams []*workstream
	inputs  []Dispatcher // the input contexts
	all     []*context   // theirs, those of the handlers that they call, and those of workstreams' handlers
}

// A context is where packets come in: an input context, or handlers, whose packets are not refused.
type context struct {
	_ [locks.LinePad]byte // contexts are allocated one by one, and each is written by its thread at every batch
	*isr
	at      At
	cpu     int                  // the workstream of its CPU
	place   int                  // the CPU itself, see Config.Contexts
	open    int                  // where packets go that may go anywhere; negative: where their source does
	inner   bool                 // what it dispatches came out of packets that had been let in
	to      [][]*pcbinfo.Segment // by workstream, for scatter
	touched []int                // workstreams with something in to
	ends    []uint64             // by workstream: the position of what flush queued there last, see enqueue; 0 if it skipped it
	refused []*pcbinfo.Segment
	full    []int              // workstreams that have refused something in this call: what comes after must not overtake it
	direct  [MaxProtocols]Work // what it handled in place, by protocol
	handoff uint64             // packets queued for another CPU
	_       [locks.LinePad]byte
}

// newIsr makes workstreams and contexts; dispatcher makes a context what the model has it be.
func newIsr(c Config, dispatcher func(*context) Dispatcher) *isr {
	n := &isr{c: c}
	for i := range c.Contexts {
		x := n.context(c.Contexts[i], i%len(c.Streams), false, dispatcher)
		in := n.context(c.Contexts[i], x.cpu, true, dispatcher) // its handlers'
		x.place, in.place = i, i
		n.inputs = append(n.inputs, x.at.Dispatcher)
		x.at = in.at
	}
	for i, handle := range c.Streams {
		x := n.context(handle, i, true, dispatcher)
		x.place = i % len(c.Contexts)
		n.streams = append(n.streams, newWorkstream(&n.c, handle, x.at.Dispatcher))
	}
	return n
}

func (n *isr) context(handle, cpu int, inner bool, dispatcher func(*context) Dispatcher) *context {
	x := &context{isr: n, cpu: cpu, open: -1, inner: inner, to: make([][]*pcbinfo.Segment, len(n.c.Streams)), touched: make([]int, 0, max(16, len(n.c.Streams))),
		ends: make([]uint64, len(n.c.Streams), max(16, len(n.c.Streams))), full: make([]int, 0, max(16, len(n.c.Streams))),
		refused: make([]*pcbinfo.Segment, 0, 32)}
	for i := range x.to {
		x.to[i] = make([]*pcbinfo.Segment, 0, 32) // a batch, and no line that another context writes
	}
	x.at = At{handle, dispatcher(x)}
	n.all = append(n.all, x)
	return x
}

func (n *isr) Context(i int) Dispatcher { return n.inputs[i] }

func (n *isr) User(i int) pcbinfo.CPU { return n.c.Table.CPU(n.c.Users[i]) }

func (n *isr) Workers() (ws []Worker) {
	for _, s := range n.streams {
		ws = append(ws, s)
	}
	return ws
}

func (n *isr) Stop() {
	for _, ws := range n.streams {
		ws.stop()
	}
}

// stream is the workstream that p's policy names for seg (netisr_select_cpuid).
func (x *context) stream(p *Protocol, seg *pcbinfo.Segment) int {
	streams := uint32(len(x.streams))
	if streams == 1 {
		return 0
	}
	switch {
	case p.Policy == CPU && p.M2cpuid != nil:
		if cpu := p.M2cpuid(seg); cpu >= 0 {
			return cpu % int(streams)
		}
		if x.open >= 0 {
			return x.open
		}
	case p.Policy == Flow && p.M2flow != nil:
		return int(p.M2flow(seg) % streams)
	case p.Policy == Flow:
		return int(seg.FlowID % streams)
	}
	return int(uint32(seg.Source) % streams)
}

// Queue queues segs with the workstreams that their policies name, each workstream locked once, and returns what was refused.
func (x *context) Queue(segs []*pcbinfo.Segment) (refused []*pcbinfo.Segment) {
	x.begin()
	for len(segs) > 0 {
		n := sameProto(segs)
		x.scatter(segs[:n])
		segs = segs[n:]
	}
	return x.refused
}

// begin starts a call of Dispatch or Queue.
func (x *context) begin() { x.refused, x.full = x.refused[:0], x.full[:0] }

// sameProto is how many of segs, from the first on, are of one protocol.
func sameProto(segs []*pcbinfo.Segment) int {
	n := 1
	for n < len(segs) && segs[n].Proto == segs[0].Proto {
		n++
	}
	return n
}

// scatter queues packets of one protocol.
func (x *context) scatter(segs []*pcbinfo.Segment) {
	p := &x.c.Protocols[segs[0].Proto]
	for _, seg := range segs {
		x.put(x.stream(p, seg), seg)
	}
	x.flush(segs[0].Proto)
}

// put notes that seg is to be queued with workstream i.
func (x *context) put(i int, seg *pcbinfo.Segment) {
	if len(x.to[i]) == 0 {
		x.touched = append(x.touched, i)
	}
	x.to[i] = append(x.to[i], seg)
}

// flush queues what was put, all of one protocol.
func (x *context) flush(proto uint8) {
	for _, i := range x.touched {
		accepted := 0
		x.ends[i] = 0
		if slices.Contains(x.full, i) {
			x.streams[i].refuse(proto, len(x.to[i]))
		} else {
			accepted, x.ends[i] = x.streams[i].enqueue(proto, x.to[i], x.inner)
		}
		if accepted < len(x.to[i]) {
			x.refused = append(x.refused, x.to[i][accepted:]...)
			x.full = append(x.full, i)
		}
		if i%len(x.c.Contexts) != x.place {
			x.handoff += uint64(accepted)
		}
		x.to[i] = x.to[i][:0]
	}
	x.touched = x.touched[:0]
}

// inPlace handles packets of one protocol in this context, with at's handle.
func (x *context) inPlace(at *At, segs []*pcbinfo.Segment) {
	proto := segs[0].Proto
	x.c.Protocols[proto].Handler(at, segs)
	x.direct[proto].Handled += uint64(len(segs))
}
