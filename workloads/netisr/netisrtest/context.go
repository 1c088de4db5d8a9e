package netisrtest

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// maxBatch is of packets.
const maxBatch = 8

// A packet is what a context sends, or what is inside of one. Its segment's Ack is the context, its Seq the number among that context's.
type packet struct {
	seg     pcbinfo.Segment
	as      pcbinfo.Segment // seg as it was sent
	context int
	flow    int
	queue   bool    // to be queued, never handled in place
	inner   *packet // what is inside
	outer   *packet // what it is inside of
	// What its sender notes:
	accepted   bool
	parent     int    // the handle on which it was dispatched, if it was inside of another
	begin, end uint64 // of the call that accepted it, by the rig's clock
}

// way says which of a packet and the one around it are queued.
func (p *packet) way() (w uint8) {
	if p.queue {
		w = 1
	}
	if p.outer != nil && p.outer.queue {
		w |= 2
	}
	return w
}

// A context sends its packets in order.
type context struct {
	*rig
	index   int
	out     netisr.Dispatcher
	rng     *rand.Rand
	packets []packet // those that are inside of others last
	next    int      // packet, of offerOnce
	drops   uint64   // how often one was refused
	_       [128]byte
	handled atomic.Uint64
	_       [128]byte
}

// write makes n packets, with others inside of some if nested.
func (x *context) write(n int, nested bool) {
	var inside []int
	x.packets = make([]packet, 2*n)
	x.packets = x.packets[:n]
	for i := range x.packets {
		x.packets[i] = x.make(i, uint8(x.rng.IntN(protocols)), x.rng.IntN(x.c.Flows))
		if nested && x.packets[i].seg.Proto == tunnel && x.rng.IntN(4) > 0 {
			inside = append(inside, i)
		}
	}
	for _, i := range inside {
		outer := &x.packets[i]
		x.packets = append(x.packets, x.make(len(x.packets), [...]uint8{ip, arp, pinned}[x.rng.IntN(3)], outer.flow))
		inner := &x.packets[len(x.packets)-1]
		inner.outer, outer.inner, inner.accepted = outer, inner, true
	}
	x.total += uint64(len(x.packets))
}

// make makes packet number. The flow stands where its protocol's policy looks for it; elsewhere stands anything.
func (x *context) make(number int, proto uint8, flow int) packet {
	p := packet{context: x.index, flow: flow, queue: x.rng.IntN(4) == 0}
	p.seg = pcbinfo.Segment{Proto: proto, Source: uint16(x.index), Ack: uint32(x.index), Seq: uint32(number),
		FlowID: x.rng.Uint32(), Win: x.rng.Uint32(), Len: uint16(x.rng.Uint32()), Slot: uint8(x.rng.Uint32())}
	switch proto {
	case arp:
	case marked:
		p.seg.Win = uint32(flow)
	default:
		p.seg.FlowID, p.seg.Inc = uint32(flow), inc(flow)
	}
	p.as = p.seg
	return p
}

// outer are the packets that x sends itself.
func (x *context) outer() []packet { return x.packets[:x.c.Segments] }

// send sends all in batches, waits now and then until all of them have been handled, and in the end until all contexts' have.
func (x *context) send() error {
	var batch [maxBatch]*pcbinfo.Segment
	patient := 1 << x.rng.IntN(8) // some wait after every batch, so that one lost wake-up is the end
	all := x.outer()
	inside := uint64(0)
	for sent := 0; sent < len(all) && !x.team.Failed(); {
		n := x.cut(all[sent:])
		for k := range n {
			p := &all[sent+k]
			batch[k] = &p.seg
			if p.inner != nil {
				inside++
			}
		}
		if err := x.offer(batch[:n], n > 0 && all[sent].queue); err != nil {
			return err
		}
		sent += n
		if x.c.Beat != nil {
			x.c.Beat(x.index)
		}
		clear(batch[:])
		x.poll()
		if x.shared && x.rng.IntN(4) == 0 {
			if err := x.users[x.index].ask(); err != nil {
				return err
			}
		}
		if x.rng.IntN(patient) == 0 && !x.until(func() bool { return x.handled.Load() >= uint64(sent)+inside }) {
			return x.lost()
		}
		if x.rng.IntN(4) == 0 {
			runtime.Gosched()
		}
	}
	if x.shared {
		if err := x.users[x.index].all(); err != nil {
			return err
		}
	}
	if !x.until(x.settled) {
		return x.lost()
	}
	return nil
}

// cut is how many of the packets make the next batch, which may be empty: those of one batch are all queued or all not.
func (x *context) cut(left []packet) int {
	n := min(x.rng.IntN(maxBatch+1), len(left))
	for k := 1; k < n; k++ {
		left[k].queue = left[0].queue
	}
	return n
}

// until is the crew's, with the workers polled that are this context's to poll.
func (x *context) until(cond func() bool) bool {
	return x.team.Until(func() bool { x.poll(); return cond() }) || x.team.Failed()
}

// poll runs the workers that this context's thread runs.
func (x *context) poll() {
	if !x.c.Poll {
		return
	}
	for i := x.index; i < len(x.workers); i += len(x.contexts) {
		x.workers[i].Run()
	}
}

// offer sends a batch, and what is refused again until all is accepted.
func (x *context) offer(segs []*pcbinfo.Segment, queue bool) error {
	var err error
	for left := slices.Clone(segs); ; {
		before := len(left)
		if !x.until(func() bool {
			left, err = x.try(left, queue)
			return err != nil || len(left) == 0 || len(left) < before
		}) {
			return oracle.Violated(oracle.Progress, "context %d: %d packets are refused again and again", x.index, len(left))
		}
		if err != nil || len(left) == 0 || x.team.Failed() {
			return err
		}
	}
}

// try sends a batch once.
func (x *context) try(segs []*pcbinfo.Segment, queue bool) ([]*pcbinfo.Segment, error) {
	h := &x.handlers[x.index]
	before, inside := len(h.notes), 0
	begin := x.now()
	for _, seg := range segs {
		p := x.sent(seg)
		p.begin = begin
		if p.inner != nil && !p.inner.queue {
			inside++
		}
	}
	offered := slices.Clone(segs)
	dispatch := x.out.Dispatch
	if queue {
		dispatch = x.out.Queue
	}
	refused := slices.Clone(dispatch(segs))
	end := x.now()
	clear(segs) // nobody keeps it
	x.drops += uint64(len(refused))
	if err := x.compare(offered, refused, end); err != nil {
		return nil, err
	}
	if x.p.inPlace && !queue && (len(refused) > 0 || len(h.notes) != before+len(offered)+inside || len(offered) > 0 && h.by != current()) {
		return nil, oracle.Violated(oracle.Conservation, "context %d has dispatched %d packets; its handler got %d before Dispatch returned, last in %s",
			x.index, len(offered), len(h.notes)-before, h.by)
	}
	return refused, nil
}

// compare notes which of the offered packets were accepted: all but refused. What was refused is followed by none other of its workstream.
func (x *context) compare(offered, refused []*pcbinfo.Segment, end uint64) error {
	full := make(map[place]bool)
	found := 0
	for _, seg := range offered {
		p := x.sent(seg)
		p.accepted = !slices.Contains(refused, seg)
		p.end = end
		pl, any := x.place(seg)
		switch {
		case !p.accepted:
			found++
			full[pl] = full[pl] || !any
		case full[pl] && !any:
			return oracle.Violated(oracle.Order, "context %d: packet %d was accepted after another of its workstream had been refused", x.index, seg.Seq)
		}
	}
	if found != len(refused) {
		return oracle.Violated(oracle.Conservation, "context %d: of %d packets offered %d were refused, of which %d had been offered",
			x.index, len(offered), len(refused), found)
	}
	return nil
}
