package pcbinfo

import (
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

// gvisor.go: one map under a shared/exclusive lock, and a queue of segments an endpoint.
// Source: netstack, google/gvisor as of 2024, pkg/tcpip/stack/transport_demuxer.go, ports/ports.go and transport/tcp/{dispatcher,endpoint,segment_queue}.go.
// Idea: probe a Go map from the full name to the port alone under the demuxer's lock shared; queue the segment on the endpoint; work off the queue if
// the endpoint's lock is free, and leave it to whoever holds that if it is not: the socket backlog.
// Cost: six times a lock a segment: dispatcher's and demuxer's, which are everybody's, the endpoint's, its queue's three times. The dispatcher's mutex guards
// a flag that never changes. Left out: the shared locks of endpointsByNIC and multiPortEndpoint, and the processors (dispatch models stand for these); added: a
// reference. In return nobody waits for an endpoint while there is a batch to go on with.
// Holds: inpcb before ports before syncache bucket before demux; a pointer outside a lock has a reference; who holds an inpcb exclusively empties its queue
// before he lets go, or has done his share.

const (
	gvisorWake    = 100 // segments of one endpoint that one holder works off: maxSegmentsPerWake
	gvisorBacklog = 16  // segments that one CPU may leave to others before it waits for them
)

type gvisorInfo struct {
	base
	demux   locks.RWLock // transportEndpoints.mu
	nm      nameMap      // under demux
	_       [lineSize]byte
	closed  bool      // under dispatcher
	disp    locks.Mtx // dispatcher.mu
	_       [lineSize]byte
	ports   locks.Mtx // PortManager.mu: who chooses a port, and whose listener comes or goes
	_       [lineSize]byte
	twLock  locks.Mtx // the TIME_WAIT queue
	tw      twQueue
	_       [lineSize]byte
	gen     uint64 // inp_gencnt: under demux
	_       [lineSize]byte
	sc      syncache
	walk    locks.Mtx // walkers take turns: they share the table's own handle
	snap    []*Inpcb  // under walk: the inpcbs referenced by the walk
	handles []gvisorCPU
}

type gvisorCPU struct {
	*cpu
	in         *gvisorInfo
	left       []queuedSegment // those of the batch that were left to others, in order; and room for more
	n          int             // how many were
	backlogged uint64          // the endpoint was locked: left to its holder
	served     uint64          // worked off for another CPU
	gone       uint64          // waited for, and then it was dropped: looked up again
	stale      uint64          // a listener, and then it was not the best match any more
	_          [lineSize]byte
}

// A segmentQueue is an endpoint's: what came while somebody had it.
type segmentQueue struct {
	mu         locks.Mtx
	head, tail *queuedSegment // under mu
}

// A queuedSegment is a segment on an endpoint's queue. It belongs to the CPU that took the segment in, which waits before Input returns.
type queuedSegment struct {
	next  *queuedSegment // under the queue's mu
	seg   *Segment
	inp   *Inpcb // whose queue it is on, with a reference
	owner *gvisorCPU
	state atomic.Uint32
	away  bool // somebody else worked it off, and counted in cpu
	cpu        // in its place; id is his
}

// The states of a queuedSegment.
const (
	segQueued = iota
	segDone
	segAgain // its endpoint was not, or is not any more, the one: it wants another look
)

func newGvisor(cfg Config) (Info, error) {
	lock, err := cfg.Lock.NewRW(cfg.CPUs)
	if err != nil {
		return nil, err
	}
	in := &gvisorInfo{demux: lock}
	witness.Name(in.demux, "demux")
	witness.Name(&in.disp, "dispatcher")
	witness.Name(&in.ports, "ports")
	witness.Name(&in.twLock, "twLock")
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.nm = newNameMap(cfg.Conns)
	in.sc.init(syncacheSize(&cfg), false)
	in.handles = make([]gvisorCPU, len(in.cpus))
	for i, c := range in.cpus {
		h := &in.handles[i]
		h.cpu, h.in = c, in
		h.left = make([]queuedSegment, gvisorBacklog)
		for j := range h.left {
			h.left[j].owner, h.left[j].b = h, &in.base
		}
	}
	return in, nil
}

func (in *gvisorInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

func (c *gvisorCPU) lock()    { c.in.demux.Lock(&c.node) }
func (c *gvisorCPU) unlock()  { c.in.demux.Unlock(&c.node) }
func (c *gvisorCPU) rlock()   { c.in.demux.RLock(&c.node) }
func (c *gvisorCPU) runlock() { c.in.demux.RUnlock(&c.node) }

// Input goes on to the next segment when an endpoint is busy, but to another connection's only, and waits for all that it left to others before it
// returns: netstack's does not, but who has sent a batch here may take it as handled.
func (c *gvisorCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.input(seg)
	}
	c.settle()
}

func (c *gvisorCPU) input(seg *Segment) {
	if c.n == len(c.left) || c.leftOf(&seg.Inc) {
		c.settle()
	}
	if c.isClosed() {
		c.drop(seg, DropNoPCB)
		return
	}
	q := &c.left[c.n]
	q.seg = seg
	if !c.deliver(q) {
		c.backlogged++
		c.n++
	}
}

// isClosed asks under the dispatcher's mutex, for each segment anew.
func (c *gvisorCPU) isClosed() bool {
	c.in.disp.Lock(nil)
	closed := c.in.closed
	c.in.disp.Unlock(nil)
	return closed
}

// leftOf reports whether a segment of inc was left to others: the next must not overtake it.
func (c *gvisorCPU) leftOf(inc *ConnInfo) bool {
	for i := range c.left[:c.n] {
		if c.left[i].seg.Inc == *inc {
			return true
		}
	}
	return false
}

// deliver looks for q's endpoint and queues q there (queuePacket), and reports whether it is done already.
func (c *gvisorCPU) deliver(q *queuedSegment) bool {
	for {
		inp := c.lookup(&q.seg.Inc)
		if inp == nil {
			c.drop(q.seg, DropNoPCB)
			return true
		}
		q.inp = inp
		q.state.Store(segQueued)
		inp.segs.push(q)
		if inp.lock.TryLock(nil) {
			c.unlockUser(inp)
		}
		if !q.served() {
			return false
		}
		if c.finish(q) {
			return true
		}
	}
}

// settle waits for what was left to others, by taking the endpoint as a user does: its holder has emptied the queue before he lets go, or else it is done here.
func (c *gvisorCPU) settle() {
	for i := range c.left[:c.n] {
		q := &c.left[i]
		for {
			if !q.served() {
				q.inp.wlock()
				c.unlockUser(q.inp)
			} else if c.finish(q) || c.deliver(q) {
				break
			}
		}
	}
	c.n = 0
}

// served's Load pairs with serve's Store: what was counted for q is seen.
func (q *queuedSegment) served() bool {
	probe.Load(&q.state)
	return q.state.Load() != segQueued
}

// finish takes q, which was served, back from its endpoint, and reports whether that was all.
func (c *gvisorCPU) finish(q *queuedSegment) bool {
	c.rele(q.inp)
	if q.away {
		c.stats.add(&q.stats)
		q.stats, q.away = Stats{}, false
	}
	return q.state.Load() == segDone
}

func (s *segmentQueue) push(q *queuedSegment) {
	s.mu.Lock(nil)
	if s.tail == nil {
		s.head = q
	} else {
		s.tail.next = q
	}
	s.tail = q
	s.mu.Unlock(nil)
}

// popLocked takes the oldest from s, which is locked; nil if there is none.
func (s *segmentQueue) popLocked() *queuedSegment {
	q := s.head
	if q != nil {
		if s.head = q.next; s.head == nil {
			s.tail = nil
		}
		q.next = nil
	}
	return q
}

// unlockUser works off the queue of inp, which is locked exclusively, and lets go. The caller has a reference. That the queue is empty is seen under its
// lock, and inp let go before that is: who queues later finds inp free, or locked by one who has yet to look. After a whole share the rest is left to those who
// wait for it.
func (c *gvisorCPU) unlockUser(inp *Inpcb) {
	for range gvisorWake {
		inp.segs.mu.Lock(nil)
		q := inp.segs.popLocked()
		if q == nil {
			inp.wunlock()
			inp.segs.mu.Unlock(nil)
			return
		}
		inp.segs.mu.Unlock(nil)
		c.serve(inp, q)
	}
	inp.wunlock()
}

// serve processes q on inp, which is locked exclusively. The Store publishes what it counted to the Load in served; q is its owner's again.
func (c *gvisorCPU) serve(inp *Inpcb, q *queuedSegment) {
	who := c.cpu
	if q.owner != c {
		c.served++
		q.away, q.id = true, c.id
		who = &q.cpu
	}
	state := uint32(segDone)
	switch {
	case inp.is(inpDropped):
		c.gone++
		state = segAgain
	case inp.tp.state == Listen:
		if !c.inputListen(who, inp, q.seg) {
			c.stale++
			state = segAgain
		}
	case !c.inputLocked(who, inp, q.seg):
		state = segAgain
	}
	probe.Store(&q.state)
	q.state.Store(state)
}

// inputListen has lsn locked exclusively, and refuses if lsn is not who should. Under the bucket's lock nothing of this name can enter the table: the second look
// holds until the syncache has answered and the child is in the table. Who comes with a copy of the same ACK finds it there (hazard H8).
func (c *gvisorCPU) inputListen(who *cpu, lsn *Inpcb, seg *Segment) bool {
	b := c.in.sc.bucket(&seg.Inc)
	b.lock.Lock(nil)
	c.rlock()
	best := c.match(&seg.Inc) == lsn
	c.runlock()
	var child *Inpcb
	if best {
		if child = who.listen(&c.in.sc, seg); child != nil {
			child.claim()
			child.ref()
			c.insert(child)
		}
	}
	b.lock.Unlock(nil)
	if child != nil {
		c.inputLocked(who, child, seg) // who has just come cannot be taken over
		c.leave(child)
	}
	return best
}

// inputLocked has inp locked exclusively, and refuses if a new connection may take its place.
func (c *gvisorCPU) inputLocked(who *cpu, inp *Inpcb, seg *Segment) bool {
	switch who.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.in.twLock.Lock(nil)
		c.startTimeWait(&c.in.tw, inp)
		c.in.twLock.Unlock(nil)
	case reopen:
		c.close(inp)
		return false
	}
	return true
}

// match is findEndpointLocked, with demux held: the full name, then without the foreign end, then the port alone. Netstack's second probe, without the local
// address, would find what no request here can make.
func (c *gvisorCPU) match(inc *ConnInfo) *Inpcb {
	if inp := c.in.nm.exact(inc); inp != nil {
		return inp
	}
	return c.in.nm.listener(inc.Laddr, inc.Lport)
}

// lookup is match, with a reference.
func (c *gvisorCPU) lookup(inc *ConnInfo) *Inpcb {
	c.rlock()
	inp := c.match(inc)
	if inp != nil {
		inp.ref()
	}
	c.runlock()
	return inp
}

// lookupUser finds what a user names, with a reference.
func (c *gvisorCPU) lookupUser(inc *ConnInfo) *Inpcb {
	c.rlock()
	inp := c.in.nm.exact(inc.named())
	if inp != nil {
		inp.ref()
	}
	c.runlock()
	return inp
}

// lockUser is lookupUser and the inpcb's lock (LockUser).
func (c *gvisorCPU) lockUser(inc *ConnInfo) *Inpcb {
	for {
		inp := c.lookupUser(inc)
		if inp == nil {
			return nil
		}
		inp.wlock()
		if !inp.is(inpDropped) {
			return inp
		}
		c.gone++
		c.leave(inp)
	}
}

// leave is unlockUser, and gives back the caller's reference.
func (c *gvisorCPU) leave(inp *Inpcb) {
	c.unlockUser(inp)
	c.rele(inp)
}

// insert is registerTransportEndpoint for a connection, locked by the caller under its bucket's lock.
func (c *gvisorCPU) insert(inp *Inpcb) {
	c.lock()
	c.register(inp)
	c.unlock()
}

// register enters inp with demux held exclusively.
func (c *gvisorCPU) register(inp *Inpcb) {
	witness.Name(&inp.segs.mu, "segment queue")
	c.in.gen++
	inp.gencnt = c.in.gen
	c.in.nm.insert(inp)
}

// close takes inp, which is locked, out of the table and gives back the table's reference. What is on its queue is sent back by unlockUser.
func (c *gvisorCPU) close(inp *Inpcb) {
	inp.flags |= inpDropped | inpFreed
	if inp.onTw { // changes only under both inpcb and twLock, so this look is safe
		c.in.twLock.Lock(nil)
		c.in.tw.remove(inp)
		c.in.twLock.Unlock(nil)
	}
	listener := inp.inc.Fport == 0
	if listener {
		c.in.ports.Lock(nil)
	}
	c.lock()
	c.in.nm.remove(inp)
	c.unlock()
	if listener {
		c.in.ports.Unlock(nil)
	}
	inp.rele() // the caller's own is left
}

// Send works off what came meanwhile, as every user's request does.
func (c *gvisorCPU) Send(inc *ConnInfo, n int) error {
	inp := c.lockUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	c.leave(inp)
	return err
}

// Connect holds ports while it chooses one, so that no listener and no other choice comes between (PickEphemeralPort).
func (c *gvisorCPU) Connect(inc *ConnInfo) (uint32, error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	inp := c.alloc(*inc)
	inp.wlock()
	var err error
	if inc.Lport == 0 {
		c.in.ports.Lock(nil)
		err = c.ephemeral(inc, func() bool { return c.portFree(inc) && c.connect(inp, inc) })
		c.in.ports.Unlock(nil)
	} else if !c.connect(inp, inc) {
		err = ErrInUse
	}
	if err != nil {
		inp.wunlock()
		c.free(inp)
		return 0, err
	}
	iss := inp.tp.iss
	inp.ref()
	c.leave(inp)
	return iss, nil
}

// portFree reports whether neither a connection to this peer nor a listener uses inc's port; no listener will while the caller holds ports.
func (c *gvisorCPU) portFree(inc *ConnInfo) bool {
	c.rlock()
	defer c.runlock()
	return c.match(inc) == nil
}

// connect enters inp, locked by the caller, under inc's name, unless that is taken (hazard H9).
func (c *gvisorCPU) connect(inp *Inpcb, inc *ConnInfo) bool {
	b := c.in.sc.bucket(inc)
	b.lock.Lock(nil)
	defer b.lock.Unlock(nil)
	c.lock()
	defer c.unlock()
	if c.in.nm.exact(inc) != nil {
		return false
	}
	c.startConnect(inp, inc)
	c.register(inp)
	return true
}

func (c *gvisorCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	inp := c.allocListen(inc)
	inp.wlock()
	c.in.ports.Lock(nil)
	c.lock()
	taken := c.in.nm.exact(&inp.inc) != nil
	if !taken {
		c.register(inp)
	}
	c.unlock()
	c.in.ports.Unlock(nil)
	if taken {
		inp.wunlock()
		c.free(inp)
		return ErrInUse
	}
	inp.ref()
	c.leave(inp)
	return nil
}

func (c *gvisorCPU) Close(inc *ConnInfo) error {
	inp := c.lockUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	gone, err := c.usrClosed(inp, inc)
	if gone {
		c.close(inp)
	}
	c.leave(inp)
	return err
}

func (c *gvisorCPU) Abort(inc *ConnInfo) error {
	for {
		if inp := c.lockUser(inc); inp != nil {
			c.close(inp)
			c.leave(inp)
			return nil
		}
		b := c.in.sc.bucket(inc)
		b.lock.Lock(nil)
		again, err := c.lookupUser(inc), error(nil)
		if again == nil { // and so until the bucket is let go
			err = c.abortHalfOpen(&c.in.sc, inc)
		}
		b.lock.Unlock(nil)
		if again == nil {
			return err
		}
		c.rele(again)
	}
}

// SlowTimo takes a reference under twLock and then the inpcb's lock, and looks again. Netstack has a timer an endpoint.
func (c *gvisorCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for {
		c.in.twLock.Lock(nil)
		inp := c.in.tw.expired(now)
		if inp != nil {
			inp.ref() // on the queue, so the table's reference is there
		}
		c.in.twLock.Unlock(nil)
		if inp == nil {
			return
		}
		inp.wlock()
		if inp.onTw && atOrBefore(inp.twExpire, now) {
			c.stats.Expired++
			c.close(inp)
		}
		c.leave(inp)
	}
}

// Walk takes references under demux shared, and copies each as a user does: what came meanwhile is the walker's to work off.
func (in *gvisorInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.rlock()
	in.snap = in.nm.refer(in.snap[:0], in.gen+1)
	c.runlock()
	x := &in.x
	more := true
	for _, inp := range in.snap {
		inp.wlock()
		here := !inp.is(inpDropped)
		if here {
			c.show(x, inp)
		}
		c.leave(inp)
		if here && more {
			more = f(x)
		}
	}
	clear(in.snap)
}

func (in *gvisorInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.rlock()
	defer c.runlock()
	return len(in.nm.m)
}

func (in *gvisorInfo) Counters() []Counter {
	var sum gvisorCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.backlogged += h.backlogged
		sum.served += h.served
		sum.gone += h.gone
		sum.stale += h.stale
	}
	return []Counter{
		{Name: "backlogged", Value: sum.backlogged},
		{Name: "served", Value: sum.served},
		{Name: "gone", Value: sum.gone},
		{Name: "stale", Value: sum.stale},
	}
}

func (in *gvisorInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	in.disp.Lock(nil)
	in.closed = true
	in.disp.Unlock(nil)
	part := in.nm.part(in.nm.exact, &in.tw)
	return in.finish(in.gen, nil, []*syncache{&in.sc}, func() {
		part.each(func(_ ConnInfo, inp *Inpcb) {
			inp.wlock()
			inp.ref()
			c.close(inp)
			c.leave(inp)
		})
	}, part)
}
