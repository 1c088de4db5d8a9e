package pcbinfo

import (
	"pcbbench/locks"
	"pcbbench/locks/witness"
)

// refcount.go: true reference counts on the inpcb; tcbinfo is dropped before the segment is processed.
// Source: Watson 2007; FreeBSD r185773 (the count) and r185775 (upgrade, else drop and re-acquire), December 2008.
// Idea: look up under tcbinfo shared, take a reference, let go; a segment that changes the table takes it exclusively and
// looks again at what it knew.
// Cost: two atomics a segment and a second look on SYN, FIN, RST and in all states but ESTABLISHED; loses to global under
// pure churn, and shared mode still writes tcbinfo's line twice a segment.
// Holds: tcbinfo before inpcb, else a reference and both locks anew; a pointer outside a lock has a reference; an inpcb
// found after waiting counts only if it is not INP_DROPPED.

type refcountInfo struct {
	base
	tcbinfo locks.RWLock
	tb      table // under tcbinfo
	sc      syncache
	walk    locks.Mtx // walkers take turns: they share the table's own handle
	snap    []*Inpcb  // under walk: the inpcbs referenced by the walk
	handles []refcountCPU
}

type refcountCPU struct {
	*cpu
	in *refcountInfo
	// What r185775 counts, to tell how often each way was taken.
	readPath   uint64 // shared was enough
	upgraded   uint64 // try-upgrade worked
	reacquired uint64 // dropped and taken again exclusively
	gone       uint64 // waited for, and then it was dropped, or no longer the best match
	rematched  uint64 // re-acquired, and it was still there
	_          [lineSize]byte
}

func newRefcount(cfg Config) (Info, error) {
	lock, err := cfg.Lock.NewRW(cfg.CPUs)
	if err != nil {
		return nil, err
	}
	in := &refcountInfo{tcbinfo: lock}
	witness.Name(in.tcbinfo, "tcbinfo")
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.sc.init(syncacheSize(&cfg), true)
	in.handles = make([]refcountCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in = c, in
	}
	return in, nil
}

func (in *refcountInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

func (c *refcountCPU) lock()    { c.in.tcbinfo.Lock(&c.node) }
func (c *refcountCPU) unlock()  { c.in.tcbinfo.Unlock(&c.node) }
func (c *refcountCPU) rlock()   { c.in.tcbinfo.RLock(&c.node) }
func (c *refcountCPU) runlock() { c.in.tcbinfo.RUnlock(&c.node) }

func (c *refcountCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.rlock()
		c.input(seg)
	}
}

// input is called with tcbinfo held shared and lets go of it.
func (c *refcountCPU) input(seg *Segment) {
	inp := c.in.tb.lookup(&seg.Inc)
	if inp == nil {
		c.drop(seg, DropNoPCB)
		c.runlock()
		return
	}
	if seg.Flags&synFinRst != 0 {
		if c.in.tcbinfo.TryUpgrade(&c.node) {
			c.upgraded++
			inp.wlock()
			c.inputLocked(inp, seg)
			return
		}
		inp.ref()
		c.runlock()
		c.reacquire(inp, seg)
		return
	}
	inp.ref()
	c.runlock()
	inp.wlock()
	switch {
	case inp.is(inpDropped):
		c.gone++
		inp.wunlock()
		c.rele(inp)
		c.rlock()
		c.input(seg)
	case inp.tp.state == Established:
		c.readPath++
		c.process(inp, seg) // no SYN, FIN or RST in ESTABLISHED: keep
		inp.wunlock()
		c.rele(inp)
	default:
		inp.wunlock() // order: tcbinfo first
		c.reacquire(inp, seg)
	}
}

// reacquire takes tcbinfo exclusively with no lock held and one reference on inp, and looks again: an inpcb that
// was dropped meanwhile is gone; a listener may have had a child for this segment.
func (c *refcountCPU) reacquire(inp *Inpcb, seg *Segment) {
	c.reacquired++
	c.lock()
	inp.wlock()
	again := inp
	if inp.is(inpDropped) || inp.tp.state == Listen {
		again = c.in.tb.lookup(&seg.Inc)
	}
	if again == inp {
		c.rematched++
		inp.rele() // the table's own is left
		c.inputLocked(inp, seg)
		return
	}
	c.gone++
	inp.wunlock()
	c.rele(inp)
	c.inputExclusive(seg)
}

// inputExclusive is findpcb with tcbinfo held exclusively.
func (c *refcountCPU) inputExclusive(seg *Segment) {
	inp := c.in.tb.lookup(&seg.Inc)
	if inp == nil {
		c.drop(seg, DropNoPCB)
		c.unlock()
		return
	}
	inp.wlock()
	c.inputLocked(inp, seg)
}

// inputLocked has tcbinfo exclusively and inp locked, and lets go of both.
func (c *refcountCPU) inputLocked(inp *Inpcb, seg *Segment) {
	tb := &c.in.tb
	if inp.tp.state == Listen {
		child := c.listen(&c.in.sc, seg)
		inp.wunlock()
		if child == nil {
			c.unlock()
			return
		}
		inp = child
		inp.wlock()
		tb.insert(inp)
	}
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.startTimeWait(&tb.tw, inp)
		inp.wunlock()
	case reopen:
		c.close(inp)
		c.inputExclusive(seg)
		return
	default:
		inp.wunlock()
	}
	c.unlock()
}

// close takes inp, which is locked, out of the table and gives back the table's reference (in_pcbdrop, in_pcbfree).
func (c *refcountCPU) close(inp *Inpcb) {
	c.in.tb.remove(inp)
	inp.wunlock()
	c.rele(inp)
}

// find returns inc's inpcb, locked, with tcbinfo held exclusively.
func (c *refcountCPU) find(inc *ConnInfo) *Inpcb {
	inp := c.in.tb.lookupUser(inc)
	if inp != nil {
		inp.wlock()
	}
	return inp
}

// Send needs the inpcb's lock only, once it is found.
func (c *refcountCPU) Send(inc *ConnInfo, n int) error {
	c.rlock()
	inp := c.in.tb.lookupUser(inc)
	if inp == nil {
		c.runlock()
		return ErrNotFound
	}
	inp.ref()
	c.runlock()
	inp.wlock()
	err := ErrNotFound
	if !inp.is(inpDropped) {
		err = c.send(inp, inc, n)
	}
	inp.wunlock()
	c.rele(inp)
	return err
}

func (c *refcountCPU) Connect(inc *ConnInfo) (uint32, error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	c.lock()
	defer c.unlock()
	if err := c.choosePort(&c.in.tb, inc); err != nil {
		return 0, err
	}
	inp := c.allocConnect(inc)
	iss := inp.tp.iss
	c.in.tb.insert(inp)
	return iss, nil
}

func (c *refcountCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	c.lock()
	defer c.unlock()
	if c.in.tb.lookupListener(inc.Laddr, inc.Lport) != nil {
		return ErrInUse
	}
	c.in.tb.insert(c.allocListen(inc))
	return nil
}

func (c *refcountCPU) Close(inc *ConnInfo) error {
	c.lock()
	defer c.unlock()
	inp := c.find(inc)
	if inp == nil {
		return ErrNotFound
	}
	gone, err := c.usrClosed(inp, inc)
	if gone {
		c.close(inp)
	} else {
		inp.wunlock()
	}
	return err
}

func (c *refcountCPU) Abort(inc *ConnInfo) error {
	c.lock()
	defer c.unlock()
	inp := c.find(inc)
	if inp == nil {
		return c.abortHalfOpen(&c.in.sc, inc)
	}
	c.close(inp)
	return nil
}

// SlowTimo holds tcbinfo exclusively over the whole scan, as the 2MSL timer did in FreeBSD 8 (hazard H18).
func (c *refcountCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	c.lock()
	defer c.unlock()
	for inp := c.in.tb.tw.expired(now); inp != nil; inp = c.in.tb.tw.expired(now) {
		c.stats.Expired++
		inp.wlock()
		c.close(inp)
	}
}

// Walk takes a reference on every inpcb under tcbinfo shared, and copies each under its own lock with tcbinfo dropped.
func (in *refcountInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	in.snap = in.snap[:0]
	c.rlock()
	for inp := in.tb.list.Load(); inp != nil; inp = inp.listNext.Load() {
		inp.ref()
		in.snap = append(in.snap, inp)
	}
	c.runlock()
	x := &in.x
	more := true
	for _, inp := range in.snap {
		inp.rlock()
		here := !inp.is(inpDropped)
		if here {
			c.show(x, inp)
		}
		inp.runlock()
		c.rele(inp)
		if here && more {
			more = f(x)
		}
	}
	clear(in.snap)
}

func (in *refcountInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.rlock()
	defer c.runlock()
	return in.tb.count
}

func (in *refcountInfo) Counters() []Counter {
	var sum refcountCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.readPath += h.readPath
		sum.upgraded += h.upgraded
		sum.reacquired += h.reacquired
		sum.gone += h.gone
		sum.rematched += h.rematched
	}
	return []Counter{
		{Name: "read-path", Value: sum.readPath},
		{Name: "upgraded", Value: sum.upgraded},
		{Name: "reacquired", Value: sum.reacquired},
		{Name: "gone", Value: sum.gone},
		{Name: "rematched", Value: sum.rematched},
	}
}

func (in *refcountInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	return in.finish(in.tb.gencnt, []*table{&in.tb}, []*syncache{&in.sc}, func() {
		c.lock()
		defer c.unlock()
		for inp := in.tb.list.Load(); inp != nil; inp = in.tb.list.Load() {
			inp.wlock()
			c.close(inp)
		}
	})
}
