package netisr

import (
	"cmp"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
)

// feedback.go: in place, spread over more CPUs or gathered on fewer, whichever of these handles packets fastest now.
// Source: Watson's talk of 2007, its list of what is to be done: "allow feedback from scheduler"; a flow moves as in Linux's RFS (net/core/dev.c, 2010,
// get_rps_cpu and last_qtail): to another queue when the last packet that it has in the old one has been handled.
// Idea: all contexts follow one arm of a short list. What a packet costs under it, locks that are waited for, cold caches and threads that have to be
// woken included, is measured by windows of packets; the other arms are tried now and then, see pilot.go.
// Cost: in place one load and two stores a batch; elsewhere a look at each packet's flow, and the queue. Trials take a few percent, less and less.
// Holds: packets of one flow that are dispatched at one context are handled in order; so are those of one source, where the policy is source.

// A feedback is the model at work.
type feedback struct {
	*isr
	contexts []*feedbackContext
	size     int   // packets at one context that make a window
	pilot    pilot // closing's holder's, as are at and seen
	at       int64 // when the window began
	seen     uint64
	_        [locks.LinePad]byte
	duty     atomic.Uint64 // the window's number, and in the low bits the arm: all contexts poll it
	_        [locks.LinePad]byte
	closing  atomic.Bool // somebody closes the window
	_        [locks.LinePad]byte
}

const (
	armBits = 8
	// windowPackets is how many packets at one context make a window unless window= says so: 16 batches, several times what a closed loop has on its way.
	windowPackets = 512
	// numBuckets is how many groups a protocol's flows are moved in, as many as RSS's.
	numBuckets = 128
)

// A feedbackContext is an input context. Nobody but the goroutine that dispatches looks at it, but for done.
type feedbackContext struct {
	*context
	f       *feedback
	window  uint64 // f.duty when it was looked at last
	left    int    // packets to go until this context closes the window
	arm     arm
	turn    uint64 // calls that placed packets by their buckets
	settled bool   // every bucket's workstream is this CPU's, and nothing is ahead of it
	buckets [MaxProtocols]*[numBuckets]bucket
	used    []*bucket          // of the packets that are being queued
	here    []*pcbinfo.Segment // of those that are placed: to be handled in place
	moves   uint64             // of buckets, from one workstream to another
	_       [locks.LinePad]byte
	done    atomic.Uint64 // packets handled in place; who closes a window reads it, as it does came
	came    atomic.Uint64 // packets that came in
	_       [locks.LinePad]byte
	before  uint64 // came when the window began; closing's holder's
	_       [locks.LinePad]byte
}

// A bucket is some of a protocol's flows at one context.
type bucket struct {
	stream int    // where its packets go
	pos    uint64 // the position there of the last that was queued, see enqueue
	turn   uint64 // of the call that placed it last: it does not move within a call
	queued bool   // in that call: it went through the queue
}

func newFeedback(c Config, o Options) Isr {
	f := &feedback{size: cmp.Or(o.Window, windowPackets)}
	f.isr = newIsr(c, func(x *context) Dispatcher {
		if x.inner {
			return directContext{x}
		}
		fx := &feedbackContext{context: x, f: f, settled: true, arm: inPlaceArm, left: f.size,
			used: make([]*bucket, 0, 32), here: make([]*pcbinfo.Segment, 0, 32)} // as context.to
		for proto := range c.Protocols {
			fx.buckets[proto] = new([numBuckets]bucket)
			for i := range fx.buckets[proto] {
				fx.buckets[proto][i].stream = x.cpu
			}
		}
		f.contexts = append(f.contexts, fx)
		return fx
	})
	f.pilot = newPilot(armsOf(len(c.Streams)))
	return f
}

// Dispatch handles segs in place at once if the arm says so and nothing is ahead of them.
func (x *feedbackContext) Dispatch(segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	x.count(len(segs))
	if !x.arm.here(x.cpu) || !x.settle() {
		return x.place(segs, false)
	}
	for len(segs) > 0 {
		n := sameProto(segs)
		x.handle(segs[:n])
		segs = segs[n:]
	}
	return nil
}

// Queue queues segs where Dispatch would have them handled, and behind what was dispatched before.
func (x *feedbackContext) Queue(segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	x.count(len(segs))
	return x.place(segs, true)
}

// handle handles packets of one protocol in place. What handlers take out of them is handled at once, as under direct: behind it nothing of the same
// flow can wait, since the outer packets' order holds.
func (x *feedbackContext) handle(segs []*pcbinfo.Segment) {
	proto, n := segs[0].Proto, uint64(len(segs))
	x.inPlace(&x.at, segs)
	x.direct[proto].Dispatched += n
	x.done.Store(x.done.Load() + n)
}

// place sends segs each where its bucket goes.
func (x *feedbackContext) place(segs []*pcbinfo.Segment, queue bool) []*pcbinfo.Segment {
	x.begin()
	x.turn++
	x.settled = false
	for len(segs) > 0 {
		n := sameProto(segs)
		proto := segs[0].Proto
		for _, seg := range segs[:n] {
			if b := x.choose(seg, queue); b.queued {
				x.put(b.stream, seg)
			} else {
				x.here = append(x.here, seg)
			}
		}
		x.flush(proto)
		for _, b := range x.used {
			b.pos = max(b.pos, x.ends[b.stream])
		}
		x.used = x.used[:0]
		if len(x.here) > 0 {
			x.handle(x.here)
			x.here = x.here[:0]
		}
		segs = segs[n:]
	}
	return x.refused
}

// choose is seg's bucket, which moves here if it may.
//
// Why this keeps the order of the bucket's packets: those of one call go one way, and that is a queue, which keeps it, or this goroutine. A later
// call sends them where the last one did, unless nothing is ahead. Then all that was queued has been handled, and what was handled in place was when
// that call ended: so whatever comes now is behind it, wherever it goes.
func (x *feedbackContext) choose(seg *pcbinfo.Segment, queue bool) *bucket {
	i := x.hash(seg)
	b := &x.buckets[seg.Proto][i]
	if b.turn != x.turn {
		b.turn = x.turn
		b.queued = true
		if !x.ahead(seg.Proto, b) {
			x.move(b, x.arm.stream(x, i))
			b.queued = queue || b.stream != x.cpu
		}
	}
	if b.queued {
		x.used = append(x.used, b)
	}
	return b
}

// hash is the number of seg's bucket. What netisr2 would keep in order has one bucket: a flow, or a source. It mixes, since the flows of a receive
// queue have low bits in common.
func (x *feedbackContext) hash(seg *pcbinfo.Segment) int {
	p := &x.c.Protocols[seg.Proto]
	key := uint32(seg.Source)
	switch {
	case p.Policy == Flow && p.M2flow != nil:
		key = p.M2flow(seg)
	case p.Policy == Flow, p.Policy == CPU && p.M2cpuid != nil && p.M2cpuid(seg) >= 0:
		key = seg.FlowID
	}
	return int(key * 0x9e3779b1 >> 25)
}

// ahead reports whether packets of b are queued or being handled elsewhere. A queue is first in, first out and has one worker, so that the packet at
// pos, and all of the bucket's before it, have been handled if as many packets have. The Load pairs with the Store in workstream.process: who sees a
// packet counted sees what its handler did.
func (x *feedbackContext) ahead(proto uint8, b *bucket) bool {
	if b.pos == 0 {
		return false
	}
	done := &x.streams[b.stream].works[proto].done
	probe.Load(done)
	if done.Load() < b.pos {
		return true
	}
	b.pos = 0
	return false
}

// move has the packets of b, which has none ahead, go to a workstream from now on.
func (x *feedbackContext) move(b *bucket, stream int) {
	if b.stream != stream {
		b.stream = stream
		x.moves++
	}
}

// settle moves all buckets to this CPU if nothing is ahead of any of them, and reports whether they are here.
func (x *feedbackContext) settle() bool {
	if x.settled {
		return true
	}
	for proto := range x.c.Protocols {
		for i := range x.buckets[proto] {
			if x.ahead(uint8(proto), &x.buckets[proto][i]) {
				return false
			}
		}
	}
	for proto := range x.c.Protocols {
		for i := range x.buckets[proto] {
			x.move(&x.buckets[proto][i], x.cpu)
		}
	}
	x.settled = true
	return true
}

// count counts packets that come in, and closes the window when there are enough. It learns the arm.
func (x *feedbackContext) count(n int) {
	probe.Load(&x.f.duty)
	if w := x.f.duty.Load(); w != x.window {
		x.window, x.left = w, x.f.size
		x.arm = x.f.pilot.arms[w%(1<<armBits)]
	}
	x.came.Store(x.came.Load() + uint64(n))
	if x.left -= n; x.left < 0 {
		x.f.close(x.window)
	}
}

// uneven reports whether one context got half as much again as a CPU's share of the window's packets, or more: then other CPUs have time. It begins the next
// window's count.
func (f *feedback) uneven() bool {
	var most, all uint64
	for _, x := range f.contexts {
		came := x.came.Load()
		n := came - x.before
		x.before = came
		most, all = max(most, n), all+n
	}
	return 2*most*uint64(len(f.streams)) >= 3*all
}

// close ends a window, unless somebody else does or has, and has the pilot say which arm is next.
func (f *feedback) close(window uint64) {
	if f.c.Now == nil || len(f.pilot.arms) == 1 || !f.closing.CompareAndSwap(false, true) {
		return
	}
	if f.duty.Load() == window {
		now, handled := f.c.Now(), f.handled()
		arm := f.pilot.window(now-f.at, handled-f.seen, f.uneven())
		f.at, f.seen = now, handled
		probe.Store(&f.duty)
		f.duty.Store((window>>armBits+1)<<armBits | uint64(arm))
	}
	f.closing.Store(false)
}

// handled is how many packets have been, at contexts and by workers.
func (f *feedback) handled() (n uint64) {
	for _, x := range f.contexts {
		n += x.done.Load()
	}
	for _, ws := range f.streams {
		for proto := range f.c.Protocols {
			n += ws.works[proto].done.Load()
		}
	}
	return n
}

func (f *feedback) Stats() Stats {
	s := f.isr.Stats()
	for _, x := range f.contexts {
		s.Moves += x.moves
	}
	for i, a := range f.pilot.arms {
		s.Arms = append(s.Arms, ArmStats{a.name, f.pilot.trials[i].windows})
	}
	return s
}

// An arm is a way to share packets out among CPUs.
type arm struct {
	name  string
	group int // as many neighbouring CPUs have the first one's workstream handle their packets; 0: each spreads its own over all
}

// inPlaceArm is where it begins.
var inPlaceArm = arm{"in place", 1}

// armsOf are those for that many CPUs. Of two that cost the same the first is taken.
func armsOf(cpus int) []arm {
	arms := []arm{inPlaceArm}
	if cpus == 1 {
		return arms
	}
	arms = append(arms, arm{"spread", 0})
	for _, a := range []arm{{"pairs", 2}, {"by 4", 4}, {"by 8", 8}, {"by 16", 16}, {"by 32", 32}} {
		if a.group < cpus {
			arms = append(arms, a)
		}
	}
	return append(arms, arm{"on one", cpus})
}

// here reports whether packets that come in on cpu are all handled there.
func (a arm) here(cpu int) bool { return a.group > 0 && cpu%a.group == 0 }

// stream is where a bucket of x goes. What is to be spread stays if the other CPU still has something queued.
func (a arm) stream(x *feedbackContext, bucket int) int {
	if a.group > 0 {
		return x.cpu - x.cpu%a.group
	}
	to := (x.cpu + bucket) % len(x.streams)
	probe.Load(&x.streams[to].pending)
	if x.streams[to].pending.Load() != 0 {
		return x.cpu
	}
	return to
}

// An ArmStats is how long feedback used one of its ways.
type ArmStats struct {
	Name    string
	Windows uint64 // each of Options.Window packets at the context that ended it
}
