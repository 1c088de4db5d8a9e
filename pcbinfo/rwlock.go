package pcbinfo

import (
	"pcbbench/locks"
	"pcbbench/locks/witness"
)

// rwlock.go: tcbinfo is shared; the inpcb is locked under it, and the lock order makes an upgrade a try.
// Source: FreeBSD 7.1 to 8, sys/netinet/tcp_input.c (ti_locked, net.inet.tcp.read_locking); r178285 and r185775 of 2008.
// Idea: SYN, FIN and RST take tcbinfo exclusively at once, all else shared; only the state, seen under the inpcb's lock, says that
// this is not enough: try to upgrade, else reference, both locks let go, both taken anew, and look again.
// Cost: no reference on the fast path, but who waits for an inpcb keeps writers from the table, and they keep out everybody else; what
// header prediction does not pass holds tcbinfo shared to its end.
// Holds: tcbinfo before inpcb; an inpcb found and locked under one hold of tcbinfo cannot be gone; one that was waited for without it
// counts only if it is not INP_DROPPED.

type rwlockInfo struct {
	base
	tcbinfo locks.RWLock
	tb      table // under tcbinfo
	sc      syncache
	walk    locks.Mtx // walkers take turns: they share the table's own handle
	snap    []*Inpcb  // under walk: the inpcbs referenced by the walk
	handles []rwlockCPU
}

type rwlockCPU struct {
	*cpu
	in *rwlockInfo
	// What r185775 counts, to tell how often each way was taken.
	readLocked    uint64 // shared was enough
	upgraded      uint64 // try-upgrade worked
	upgradeFailed uint64 // it did not: dropped and taken again exclusively
	gone          uint64 // and then it was dropped, or no longer the best match
	relocked      uint64 // and it was still there
	_             [lineSize]byte
}

func newRWLock(cfg Config) (Info, error) {
	lock, err := cfg.Lock.NewRW(cfg.CPUs)
	if err != nil {
		return nil, err
	}
	in := &rwlockInfo{tcbinfo: lock}
	witness.Name(in.tcbinfo, "tcbinfo")
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.sc.init(syncacheSize(&cfg), true)
	in.handles = make([]rwlockCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in = c, in
	}
	return in, nil
}

func (in *rwlockInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

func (c *rwlockCPU) lock()    { c.in.tcbinfo.Lock(&c.node) }
func (c *rwlockCPU) unlock()  { c.in.tcbinfo.Unlock(&c.node) }
func (c *rwlockCPU) rlock()   { c.in.tcbinfo.RLock(&c.node) }
func (c *rwlockCPU) runlock() { c.in.tcbinfo.RUnlock(&c.node) }

// release lets go of tcbinfo as it is held (ti_locked).
func (c *rwlockCPU) release(exclusive bool) {
	if exclusive {
		c.unlock()
	} else {
		c.runlock()
	}
}

func (c *rwlockCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		exclusive := seg.Flags&synFinRst != 0
		if exclusive {
			c.lock()
		} else {
			c.rlock()
		}
		c.input(seg, exclusive)
	}
}

// input is called with tcbinfo held, exclusively or shared, and lets go of it.
func (c *rwlockCPU) input(seg *Segment, exclusive bool) {
	tb := &c.in.tb
	inp := tb.lookup(&seg.Inc)
	if inp == nil {
		c.drop(seg, DropNoPCB)
		c.release(exclusive)
		return
	}
	inp.wlock()
	switch {
	case exclusive:
	case inp.tp.state == Established:
		c.readLocked++ // no SYN, FIN or RST in ESTABLISHED: keep
	default:
		if exclusive = true; !c.upgrade(inp, seg) {
			c.input(seg, exclusive) // findpcb
			return
		}
	}
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
		c.release(exclusive)
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
		c.input(seg, exclusive) // findpcb, tcbinfo still held
		return
	default:
		inp.wunlock()
	}
	c.release(exclusive)
}

// upgrade is called with inp locked and tcbinfo held shared; it returns with tcbinfo held exclusively, and inp locked if it is still the one
// for seg. To wait for tcbinfo would be against the order, and two who waited for the other's shared hold would do so for ever (hazard H6):
// if the try fails, all is let go but a reference, and inp may be gone when it is taken again (H4).
func (c *rwlockCPU) upgrade(inp *Inpcb, seg *Segment) bool {
	if c.in.tcbinfo.TryUpgrade(&c.node) {
		c.upgraded++
		return true
	}
	c.upgradeFailed++
	inp.ref()
	inp.wunlock()
	c.runlock()
	c.lock()
	inp.wlock()
	again := inp
	if inp.is(inpDropped) || inp.tp.state == Listen { // a copy of seg may have made a child (H8)
		again = c.in.tb.lookup(&seg.Inc)
	}
	if again == inp {
		c.relocked++
		inp.rele() // the table's own is left
		return true
	}
	c.gone++
	inp.wunlock()
	c.rele(inp)
	return false
}

// close takes inp, which is locked, out of the table and gives back the table's reference (in_pcbdrop, in_pcbfree).
func (c *rwlockCPU) close(inp *Inpcb) {
	c.in.tb.remove(inp)
	inp.wunlock()
	c.rele(inp)
}

// find returns inc's inpcb, locked, with tcbinfo held exclusively.
func (c *rwlockCPU) find(inc *ConnInfo) *Inpcb {
	inp := c.in.tb.lookupUser(inc)
	if inp != nil {
		inp.wlock()
	}
	return inp
}

// Send needs the inpcb's lock only, once it is found: the reference stands for the socket's, under which a user waits for it.
func (c *rwlockCPU) Send(inc *ConnInfo, n int) error {
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

func (c *rwlockCPU) Connect(inc *ConnInfo) (uint32, error) {
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

func (c *rwlockCPU) Listen(inc *ConnInfo) error {
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

func (c *rwlockCPU) Close(inc *ConnInfo) error {
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

func (c *rwlockCPU) Abort(inc *ConnInfo) error {
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
func (c *rwlockCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	c.lock()
	defer c.unlock()
	for inp := c.in.tb.tw.expired(now); inp != nil; inp = c.in.tb.tw.expired(now) {
		c.stats.Expired++
		inp.wlock()
		c.close(inp)
	}
}

// Walk takes a reference on every inpcb under tcbinfo shared, copies each under its own lock with tcbinfo dropped, and gives all of them back under
// tcbinfo exclusively, as in_pcbrele wanted it.
func (in *rwlockInfo) Walk(f func(*Xinpcb) bool) {
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
	for i := 0; more && i < len(in.snap); i++ {
		inp := in.snap[i]
		inp.rlock()
		here := !inp.is(inpDropped)
		if here {
			c.show(x, inp)
		}
		inp.runlock()
		if here {
			more = f(x)
		}
	}
	c.lock()
	for _, inp := range in.snap {
		c.rele(inp)
	}
	c.unlock()
	clear(in.snap)
}

func (in *rwlockInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.rlock()
	defer c.runlock()
	return in.tb.count
}

func (in *rwlockInfo) Counters() []Counter {
	var sum rwlockCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.readLocked += h.readLocked
		sum.upgraded += h.upgraded
		sum.upgradeFailed += h.upgradeFailed
		sum.gone += h.gone
		sum.relocked += h.relocked
	}
	return []Counter{
		{Name: "read-locked", Value: sum.readLocked},
		{Name: "upgraded", Value: sum.upgraded},
		{Name: "upgrade-failed", Value: sum.upgradeFailed},
		{Name: "gone", Value: sum.gone},
		{Name: "relocked", Value: sum.relocked},
	}
}

func (in *rwlockInfo) Close() error {
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
