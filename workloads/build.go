package workloads

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"pcbbench/pcbinfo"
)

// A builder collects the scripts of a mix and lays them out.
type builder struct {
	p      Params
	rng    *rand.Rand
	lap    int // slots in a lap, about as many as inbound segments
	flows  []*flow
	chunks []chunk
	steps  []step
	ops    []op
	replay bool     // a capture is replayed: see Workload
	ports  []uint16 // to listen on, if not the default ones
	path   path     // nil: ip_input's
	local  bool     // packets come from this host: they are queued
	async  bool     // a packet may not have been handled when its handler returns, even in place
}

const (
	// Short workloads repeat themselves until a lap has minLap segments, and minShare a worker.
	minLap   = 1 << 14
	minShare = 1 << 12
	// Under spray a lap has phases of a batch a worker, and a worker may be ahead of the slowest by fewer than this many. Pieces of one
	// connection that go to different workers lie at least as many phases apart, which keeps their order without a lock.
	aheadLimit = 4
)

// Build makes the workload that p describes, for one run on one table.
func Build(p Params) (*Workload, error) {
	p, mix, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &builder{p: p, rng: rand.New(rand.NewPCG(p.Seed, 0x70636262656e6368))}
	if err := mix.write(b); err != nil {
		return nil, err
	}
	return b.assemble(), nil
}

// A Batch is what one dispatch takes: segments, then our users' requests.
type Batch struct {
	Segs  []*pcbinfo.Segment
	ops   []op
	first int // index of Segs[0] in the ring
	phase int
	gap   int // how many batches on, this one included, the last one may be that it has to wait for; at most slots
}

// A Ring is one worker's share of a lap, in order.
type Ring struct {
	segs    []pcbinfo.Segment
	ptrs    []*pcbinfo.Segment
	steps   []advance
	ops     []op
	batches []Batch
	again   []*pcbinfo.Segment          // room for those of a batch that were refused
	plan    [pcbinfo.NumOutcomes]uint64 // what a lap's segments must come to
	fates   [maxFates]uint64            // and those that the table never sees, which are apart of them all
	apart   int
}

// An advance is what a lap adds to a segment's numbers.
type advance struct{ seq, ack uint32 }

func (b *builder) assemble() *Workload {
	w := &Workload{Params: b.p, lap: b.lap, flows: b.flows, chunks: b.chunks, ops: b.ops, replay: b.replay, ports: b.ports,
		path: b.path, local: b.local, async: b.async}
	if b.p.Affinity == Spray {
		w.phases = max(1, b.lap/(b.p.Batch*b.p.Workers))
		w.Sprayed = b.spray(w.phases)
	}
	for _, f := range b.flows {
		if !b.replay {
			b.boundary(f)
		}
	}
	w.segOf = make([]*pcbinfo.Segment, len(b.steps))
	for worker, order := range b.byTime() {
		w.Rings = append(w.Rings, b.ring(worker, order, w.phases, w.segOf))
	}
	b.patch(w.segOf)
	return w
}

// byTime gives each worker's chunks in the order of their slots; equal slots keep the order of the scripts.
func (b *builder) byTime() [][]int32 {
	start := make([]int32, b.lap+1)
	for i := range b.chunks {
		start[int(b.chunks[i].at)%b.lap+1]++
	}
	for s := range b.lap {
		start[s+1] += start[s]
	}
	sorted := make([]int32, len(b.chunks))
	for i := range b.chunks {
		s := int(b.chunks[i].at) % b.lap
		sorted[start[s]] = int32(i)
		start[s]++
	}
	orders := make([][]int32, b.p.Workers)
	for _, i := range sorted {
		w := b.chunks[i].worker
		orders[w] = append(orders[w], i)
	}
	return orders
}

// ring copies a worker's segments into one array and cuts it into batches.
func (b *builder) ring(worker int, order []int32, phases int, segOf []*pcbinfo.Segment) *Ring {
	n, ops := 0, 0
	for _, i := range order {
		n += int(b.chunks[i].lastStep - b.chunks[i].firstStep)
		ops += int(b.chunks[i].lastOp - b.chunks[i].firstOp)
	}
	r := &Ring{segs: make([]pcbinfo.Segment, 0, n), ptrs: make([]*pcbinfo.Segment, n), steps: make([]advance, 0, n), ops: make([]op, 0, ops)}
	cut := cutter{r: r, b: b, worker: int32(worker), phases: phases, gap: slots}
	for _, i := range order {
		cut.chunk(&b.chunks[i], segOf)
	}
	cut.flush()
	for _, i := range order {
		cut.wrap(b.chunks[i].flow.first)
	}
	for i := range r.batches {
		r.batches[i].gap = min(r.batches[i].gap, len(r.batches)) // before it is sent again it must have been handled
	}
	r.again = make([]*pcbinfo.Segment, 0, b.p.Batch)
	return r
}

// A cutter makes batches: none larger than Params.Batch, none over a phase's end, and none with a segment that follows a
// request of its own connection.
type cutter struct {
	b      *builder
	r      *Ring
	first  int // segment of the batch in the making
	op     int // its first request
	phase  int
	phases int // in a lap; 0: the order of workers among each other does not matter
	worker int32
	gap    int // the batch's, see Batch
}

func (k *cutter) chunk(c *chunk, segOf []*pcbinfo.Segment) {
	phase := int(c.at) % k.b.lap * k.phases / k.b.lap
	if phase != k.phase || c.flow.first.asked == k.batch() {
		k.flush()
	}
	k.phase = phase
	r := k.r
	for s := c.firstStep; s < c.lastStep; s++ {
		if len(r.segs)-k.first == k.b.p.Batch {
			k.flush()
		}
		step := &k.b.steps[s]
		r.segs = append(r.segs, step.seg)
		seg := &r.segs[len(r.segs)-1]
		seg.Source = uint16(k.worker)
		k.follow(c.flow.first)
		r.ptrs[len(r.segs)-1] = seg
		segOf[s] = seg
		r.steps = append(r.steps, advance{c.flow.seqStep, c.flow.ackStep})
		switch {
		case step.out < pcbinfo.NumOutcomes:
			r.plan[step.out]++
		case step.out >= firstFate:
			r.fates[step.out-firstFate]++
			r.apart++
		}
	}
	for o := c.firstOp; o < c.lastOp; o++ {
		op := k.b.ops[o]
		if op.kind != opConnect && c.firstStep < c.lastStep {
			op.inc = &segOf[c.lastStep-1].Inc
		}
		r.ops = append(r.ops, op)
		c.flow.first.asked = k.batch()
	}
}

// follow notes that the batch in the making has a segment of f's four-tuple, which knows of the requests made before.
func (k *cutter) follow(f *flow) {
	if f.asked.worker == k.worker+1 { // under spray phases keep it behind other workers' requests
		k.gap = min(k.gap, len(k.r.batches)-int(f.asked.batch))
	}
	if f.begun.worker != k.worker+1 {
		f.begun = k.batch()
	}
}

// wrap makes the worker's first batch of f's four-tuple wait for the requests of the lap before.
func (k *cutter) wrap(f *flow) {
	if f.begun.worker != k.worker+1 || f.asked.worker != k.worker+1 {
		return
	}
	first := &k.r.batches[f.begun.batch]
	first.gap = min(first.gap, len(k.r.batches)+int(f.begun.batch-f.asked.batch))
}

// batch names the batch in the making; it is never the zero batchName.
func (k *cutter) batch() batchName { return batchName{k.worker + 1, int32(len(k.r.batches))} }

func (k *cutter) flush() {
	r := k.r
	if k.first == len(r.segs) && k.op == len(r.ops) {
		return
	}
	// Kinds together: mixed ones cost the driver a mispredicted branch each. The order of one connection's requests stays, since in a
	// chunk they come in the order of the kinds.
	slices.SortStableFunc(r.ops[k.op:], func(a, b op) int { return cmp.Compare(a.kind, b.kind) })
	r.batches = append(r.batches, Batch{Segs: r.ptrs[k.first:len(r.segs)], ops: r.ops[k.op:], first: k.first, phase: k.phase, gap: k.gap})
	k.first, k.op, k.gap = len(r.segs), len(r.ops), slots
}

// patch tells each connect which segments wait for its answer: those of its flow up to the next connect.
func (b *builder) patch(segOf []*pcbinfo.Segment) {
	for _, f := range b.flows {
		if !f.outbound {
			continue
		}
		var next *answers
		for i := f.firstChunk; i < f.lastChunk; i++ {
			c := &b.chunks[i]
			for s := c.firstStep; s < c.lastStep; s++ {
				next.patches = append(next.patches, patch{segOf[s], segOf[s].Ack})
			}
			for o := c.firstOp; o < c.lastOp; o++ {
				if b.ops[o].kind == opConnect {
					next = b.ops[o].answers
				}
			}
		}
	}
}

// wraps reports whether the flow's script runs over the lap's end: its tail then belongs to the lap before.
func (b *builder) wraps(f *flow) bool {
	return f.lastChunk > f.firstChunk && int(b.chunks[f.lastChunk-1].at) >= b.lap
}

// boundary works out where the flow stands at the end of a lap: after its whole script, or after the part before the wrap.
func (b *builder) boundary(f *flow) {
	if !b.wraps(f) {
		if f.open {
			f.state, f.rcv, f.snd = pcbinfo.Established, f.startSeq, f.startAck
		}
		if n := f.lastChunk; n > f.firstChunk {
			f.state = b.chunks[n-1].state
		}
		return
	}
	for i := f.firstChunk; i < f.lastChunk && int(b.chunks[i].at) < b.lap; i++ {
		f.state, f.rcv, f.snd = b.chunks[i].state, b.chunks[i].seq, b.chunks[i].ack
	}
}

// spray gives each chunk to a random worker where its neighbours lie far enough away, and to their worker where not. It returns the
// share of neighbours that went to different workers.
func (b *builder) spray(phases int) float64 {
	phase := func(c *chunk) int { return int(int64(c.at) * int64(phases) / int64(b.lap)) }
	pairs, moved := 0, 0
	for _, f := range b.flows {
		chunks := b.chunks[f.firstChunk:f.lastChunk]
		if len(chunks) == 0 || f.fixed {
			continue
		}
		worker := b.rng.IntN(b.p.Workers)
		for i := range chunks {
			if i > 0 && phase(&chunks[i])-phase(&chunks[i-1]) >= aheadLimit {
				worker = b.rng.IntN(b.p.Workers)
			}
			chunks[i].worker = int16(worker)
		}
		b.closeLap(chunks, phases, phase)
		for i := 1; i < len(chunks); i++ {
			pairs++
			if chunks[i].worker != chunks[i-1].worker {
				moved++
			}
		}
	}
	return float64(moved) / float64(max(1, pairs))
}

// closeLap keeps the last chunks with the first, if these come soon after them in the next lap.
func (b *builder) closeLap(chunks []chunk, phases int, phase func(*chunk) int) {
	first, last := &chunks[0], len(chunks)-1
	if phase(first)+phases-phase(&chunks[last]) >= aheadLimit {
		return
	}
	for i := last; i == last || i >= 0 && phase(&chunks[i+1])-phase(&chunks[i]) < aheadLimit; i-- {
		chunks[i].worker = first.worker
	}
}

// lapOf sets the lap's length to a multiple of unit segments, no shorter than least, and returns the multiple.
func (b *builder) lapOf(unit, least int) (times int) {
	times, b.lap = b.p.lapOf(unit, least)
	return times
}

func (p *Params) lapOf(unit, least int) (times, lap int) {
	least = max(least, minLap, minShare*p.Workers)
	times = (least + unit - 1) / unit
	return times, times * unit
}
