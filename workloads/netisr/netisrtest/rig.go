package netisrtest

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// The protocols, one of each sort.
const (
	ip     = iota // by flow
	arp           // by source
	pinned        // by the CPU that M2cpuid names for the flow, which for some is any
	tunnel        // by flow; each packet has another one inside
	marked        // by the flow that M2flow reads out of the packet
	narrow        // by flow, with room for one
	protocols
)

// A kind is what the torture knows of a protocol.
type kind struct {
	name   string
	policy netisr.Policy
	qlimit int // 0: that of Config
	m2flow func(*pcbinfo.Segment) uint32
	m2cpu  func(*pcbinfo.Segment) int
}

var kinds = [protocols]kind{
	ip:     {name: "ip", policy: netisr.Flow},
	arp:    {name: "arp", policy: netisr.Source},
	pinned: {name: "pinned", policy: netisr.CPU, m2cpu: func(seg *pcbinfo.Segment) int { return int(seg.FlowID%5) - 1 }},
	tunnel: {name: "tunnel", policy: netisr.Flow},
	marked: {name: "marked", policy: netisr.Flow, m2flow: func(seg *pcbinfo.Segment) uint32 { return seg.Win }},
	narrow: {name: "narrow", policy: netisr.Flow, qlimit: 1},
}

// A rig is a model at work among those that torture it. The first handles of its table are the contexts', then come those of the workstreams and of
// users.
type rig struct {
	c        Config
	p        promise
	policy   netisr.Policy // that the Spec sets; 0: none
	qlimit   int           // that the Spec sets, else of protocols that set none
	all      bool          // the Spec sets it, for all
	isr      netisr.Isr
	workers  []netisr.Worker
	contexts []*context
	users    []*user
	shared   bool // a context and its user are one thread
	async    bool // nobody waits for requests that need no answer
	streams  int
	handlers []handler // by handle
	clock    atomic.Uint64
	ticks    atomic.Int64 // the model's clock
	total    uint64       // packets that are to be handled
	served   atomic.Int32 // workers that have come back from Serve
	team     crew.Crew
}

// newRig makes one for a phase of the torture.
func newRig(sp netisr.Spec, p promise, c Config, phase string) *rig {
	c.Clock = c.Clock || p.either // an order has no one handle whose notes tell
	r := &rig{c: c, p: p, streams: sp.Streams(c.CPUs), team: crew.Crew{Patience: c.Patience}}
	r.qlimit = cmp.Or(c.QLimit, netisr.DefaultQLimit)
	if text := option(sp, "qlimit"); text != "" {
		r.qlimit, _ = strconv.Atoi(text) // ParseSpec has read it
		r.all = true
	}
	for policy := netisr.Source; policy <= netisr.CPU; policy++ {
		if option(sp, "policy") == policy.String() {
			r.policy = policy
		}
	}
	handles := func(first, n int) (list []int) {
		for i := range n {
			list = append(list, first+i)
		}
		return list
	}
	r.handlers = make([]handler, 2*c.Contexts+r.streams)
	r.async = option(sp, "calls") == "async"
	r.shared = c.Poll && c.Seed%2 == 0
	config := netisr.Config{Contexts: handles(0, c.Contexts), Streams: handles(c.Contexts, r.streams), Users: handles(r.user(0), c.Contexts),
		QLimit: c.QLimit, Poll: c.Poll, Now: func() int64 { return r.ticks.Add(1) }, Table: &table{rig: r}}
	for proto, k := range kinds {
		config.Protocols = append(config.Protocols, netisr.Protocol{Name: k.name, Policy: k.policy, QLimit: k.qlimit, M2flow: k.m2flow, M2cpuid: k.m2cpu,
			Handler: func(at *netisr.At, segs []*pcbinfo.Segment) { r.handle(at, uint8(proto), segs) }})
	}
	r.isr = sp.New(config)
	r.workers = r.isr.Workers()
	hash := fnv.New64a()
	fmt.Fprint(hash, phase)
	for i := range c.Contexts {
		r.users = append(r.users, &user{rig: r, index: i, cpu: r.isr.User(i)})
		r.contexts = append(r.contexts, &context{rig: r, index: i, out: r.isr.Context(i), rng: rand.New(rand.NewPCG(c.Seed^hash.Sum64(), uint64(i)))})
	}
	return r
}

// limit is how many packets of a protocol a workstream may queue.
func (r *rig) limit(proto uint8) int {
	if n := kinds[proto].qlimit; n > 0 && !r.all {
		return n
	}
	return r.qlimit
}

// now is the clock's next tick, later than all before; 0 if there is none.
func (r *rig) now() uint64 {
	if !r.c.Clock {
		return 0
	}
	return r.clock.Add(1)
}

// A place is a reason for packets to meet on one workstream. Those of equal places do.
type place struct {
	by    netisr.Policy
	value int
	proto uint8 // if packets of different protocols need not meet
}

// place is seg's when it is queued; any if it may be handled anywhere, but for its order.
func (r *rig) place(seg *pcbinfo.Segment) (pl place, any bool) {
	if r.p.one {
		return place{}, false
	}
	k := &kinds[seg.Proto]
	pl = place{by: k.policy, value: int(seg.Source)}
	if r.policy != 0 && pl.by != netisr.Source {
		pl.by = r.policy
	}
	if r.p.either { // M2cpuid means nothing to what chooses CPUs itself
		pl.proto = seg.Proto
		if pl.by == netisr.CPU {
			pl.by = netisr.Flow
		}
	}
	switch {
	case pl.by == netisr.CPU && k.m2cpu != nil && k.m2cpu(seg) >= 0:
		pl.value = k.m2cpu(seg) % r.streams
		return pl, false
	case pl.by == netisr.CPU:
		pl.by, any = netisr.Source, k.m2cpu != nil && r.p.own
	case pl.by == netisr.Flow && k.m2flow != nil:
		pl.value = int(k.m2flow(seg))
		if r.p.owns { // the others' flows are four-tuples
			pl.proto = seg.Proto
		}
	case pl.by == netisr.Flow:
		pl.value = int(seg.FlowID)
	}
	return pl, any
}

// An order is what packets have in common that are handled in order.
type order struct {
	context int
	proto   uint8
	outer   int   // the protocol of the packet that they were inside of; none
	way     uint8 // where what is queued is not in order with the rest: which of a packet and its outer one is
	flow    int   // every if all flows are in order
}

const (
	none  = -1
	every = -1
)

// order is p's.
func (r *rig) order(p *packet) order {
	o := order{context: p.context, proto: p.seg.Proto, outer: none, flow: p.flow}
	if p.outer != nil {
		o.outer = int(p.outer.seg.Proto)
	}
	if r.p.inPlace || p.outer != nil && r.p.deep {
		o.way = p.way()
	}
	if pl, _ := r.place(&p.seg); r.p.inPlace && o.way == 0 || p.outer == nil && pl.by == netisr.Source {
		o.flow = every
	}
	return o
}

// user is the handle of user i.
func (r *rig) user(i int) int {
	if r.shared {
		return i
	}
	return r.c.Contexts + r.streams + i
}

// left are how many packets have been handled of those that are to be, and how many requests have not been made.
func (r *rig) left() (handled uint64, asked int) {
	for i, x := range r.contexts {
		handled += x.handled.Load()
		asked += len(r.users[i].requests) - int(r.users[i].done.Load())
	}
	return handled, asked
}

// settled reports whether all that was sent has been handled, and all requests made.
func (r *rig) settled() bool {
	handled, asked := r.left()
	return handled >= r.total && asked == 0
}

// lost says that something was let in and is not done although nothing else happens.
func (r *rig) lost() error {
	handled, asked := r.left()
	return oracle.Violated(oracle.Progress, "%d of %d packets were handled, and no more; %d requests were not made", handled, r.total, asked)
}
