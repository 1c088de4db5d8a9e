package pcbinfo

import (
	"pcbbench/locks"
	"pcbbench/locks/witness"
)

// global.go: one exclusive lock, tcbinfo, over lookup and input.
// Source: FreeBSD 5.3 to 7.0, sys/netinet/tcp_input.c and tcp_usrreq.c as of 2006 (INP_INFO_WLOCK is a mutex).
// Idea: take tcbinfo first; keep it until it is certain that the segment changes nothing in the table.
// Cost: every segment on every CPU goes through one line; header prediction lets go early, all else holds it to the end.
// Holds: tcbinfo before inpcb; nothing enters or leaves hash, list and TIME_WAIT queue without tcbinfo.

type globalInfo struct {
	base
	tcbinfo locks.Lock
	tb      table // under tcbinfo
	sc      syncache
	walk    locks.Mtx // walkers take turns: they share the table's own handle
	handles []globalCPU
}

type globalCPU struct {
	*cpu
	in *globalInfo
}

func newGlobal(cfg Config) (Info, error) {
	lock, err := cfg.Lock.New(cfg.CPUs)
	if err != nil {
		return nil, err
	}
	in := &globalInfo{tcbinfo: lock}
	witness.Name(in.tcbinfo, "tcbinfo")
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.sc.init(syncacheSize(&cfg), true)
	for _, c := range in.cpus {
		in.handles = append(in.handles, globalCPU{c, in})
	}
	return in, nil
}

func (in *globalInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

func (c *globalCPU) lock()   { c.in.tcbinfo.Lock(&c.node) }
func (c *globalCPU) unlock() { c.in.tcbinfo.Unlock(&c.node) }

func (c *globalCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.lock()
		c.input(seg)
	}
}

// input is called with tcbinfo held and lets go of it.
func (c *globalCPU) input(seg *Segment) {
	tb := &c.in.tb
	inp := tb.lookup(&seg.Inc)
	if inp == nil {
		c.drop(seg, DropNoPCB)
		c.unlock()
		return
	}
	inp.wlock()
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
	if inp.tp.predicted(seg) {
		c.unlock()
		c.process(inp, seg)
		inp.wunlock()
		return
	}
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.startTimeWait(&tb.tw, inp)
		inp.wunlock()
	case reopen:
		c.close(inp)
		c.input(seg) // findpcb, tcbinfo still held
		return
	default:
		inp.wunlock()
	}
	c.unlock()
}

// close takes inp, which is locked, out of the table and frees it (tcp_close). Under tcbinfo nobody waits for its lock.
func (c *globalCPU) close(inp *Inpcb) {
	c.in.tb.remove(inp)
	inp.wunlock()
	c.free(inp)
}

// find returns inc's inpcb, locked, with tcbinfo held.
func (c *globalCPU) find(inc *ConnInfo) *Inpcb {
	inp := c.in.tb.lookupUser(inc)
	if inp != nil {
		inp.wlock()
	}
	return inp
}

// Send holds tcbinfo until the bytes are queued, as tcp_usr_send did, since it might have had to connect.
func (c *globalCPU) Send(inc *ConnInfo, n int) error {
	c.lock()
	inp := c.find(inc)
	if inp == nil {
		c.unlock()
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	c.unlock()
	inp.wunlock()
	return err
}

func (c *globalCPU) Connect(inc *ConnInfo) (uint32, error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	c.lock()
	defer c.unlock()
	if err := c.choosePort(&c.in.tb, inc); err != nil {
		return 0, err
	}
	inp := c.allocConnect(inc)
	c.in.tb.insert(inp)
	return inp.tp.iss, nil
}

func (c *globalCPU) Listen(inc *ConnInfo) error {
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

func (c *globalCPU) Close(inc *ConnInfo) error {
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

func (c *globalCPU) Abort(inc *ConnInfo) error {
	c.lock()
	defer c.unlock()
	inp := c.find(inc)
	if inp == nil {
		return c.abortHalfOpen(&c.in.sc, inc)
	}
	c.close(inp)
	return nil
}

// SlowTimo holds tcbinfo over the whole scan (hazard H18: input waits).
func (c *globalCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	c.lock()
	defer c.unlock()
	for inp := c.in.tb.tw.expired(now); inp != nil; inp = c.in.tb.tw.expired(now) {
		c.stats.Expired++
		inp.wlock()
		c.close(inp)
	}
}

// Walk holds tcbinfo over the whole list. FreeBSD 6 collected pointers under it and copied from them after letting go,
// without a reference (hazard H16); this copies under the locks instead.
func (in *globalInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.lock()
	defer c.unlock()
	x := &in.x
	for inp := in.tb.list.Load(); inp != nil; inp = inp.listNext.Load() {
		inp.wlock()
		c.show(x, inp)
		inp.wunlock()
		if !f(x) {
			return
		}
	}
}

func (in *globalInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.lock()
	defer c.unlock()
	return in.tb.count
}

func (in *globalInfo) Counters() []Counter { return nil }

func (in *globalInfo) Close() error {
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
