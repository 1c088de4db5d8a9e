package pcbinfo

import (
	"pcbbench/locks"
	"pcbbench/locks/witness"
)

// hashlock.go: two locks: tcbinfo over what comes and goes, and hashLock, shared, over the lookup.
// Source: FreeBSD 9, sys/netinet/in_pcb.c and tcp_input.c (ipi_lock and ipi_hash_lock; r222488 of June 2011).
// Idea: look up under hashLock shared, reference, let go, lock the inpcb; a segment of an open connection never sees tcbinfo. SYN, FIN and RST
// take that first, a state other than ESTABLISHED tries it, else references, lets go and takes both anew.
// Cost: a shared lock and a reference a segment, and a second lock on every insertion and removal. Who loses the race for an inpcb that goes
// looks again; in FreeBSD he is told that nobody is there (lost=none, hazard H5).
// Holds: tcbinfo before inpcb before hashLock; only who has tcbinfo and the inpcb takes that out; a whole four-tuple comes into the hash, by
// one hold of hashLock in which it was looked for, and never changes there (H9, H10).

type hashlockInfo struct {
	base
	tcbinfo  locks.RWLock // list, count, gencnt, TIME_WAIT queue; every set-up and tear-down: ipi_lock
	hashLock locks.RWLock // the two hashes: ipi_hash_lock
	_        [lineSize]byte
	tb       table
	sc       syncache
	walk     locks.Mtx // walkers take turns: they share the table's own handle
	snap     []*Inpcb  // under walk: the inpcbs referenced by the walk
	handles  []hashlockCPU
}

type hashlockCPU struct {
	*cpu
	in    *hashlockInfo
	retry bool // lost=retry: here, on a line that nobody else writes
	// How lookups went, and how often tcbinfo was had for one that had to begin without.
	lostRace uint64     // the inpcb found went away: reported as none or, with lost=retry, looked up again
	tried    uint64     // the try for tcbinfo worked
	gone     uint64     // it did not, and when both locks were held the inpcb was dropped
	relocked uint64     // or it was still there
	hashNode locks.Node // for hashLock
}

func newHashlock(cfg Config) (Info, error) {
	in := &hashlockInfo{}
	var err error
	if in.tcbinfo, err = cfg.Lock.NewRW(cfg.CPUs); err != nil {
		return nil, err
	}
	if in.hashLock, err = cfg.Lock.NewRW(cfg.CPUs); err != nil {
		return nil, err
	}
	witness.Name(in.tcbinfo, "tcbinfo")
	witness.Name(in.hashLock, "hashLock")
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.sc.init(syncacheSize(&cfg), true)
	in.handles = make([]hashlockCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in, in.handles[i].retry = c, in, cfg.retry
	}
	return in, nil
}

func (in *hashlockInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

func (c *hashlockCPU) lock()        { c.in.tcbinfo.Lock(&c.node) }
func (c *hashlockCPU) unlock()      { c.in.tcbinfo.Unlock(&c.node) }
func (c *hashlockCPU) rlock()       { c.in.tcbinfo.RLock(&c.node) }
func (c *hashlockCPU) runlock()     { c.in.tcbinfo.RUnlock(&c.node) }
func (c *hashlockCPU) lockHash()    { c.in.hashLock.Lock(&c.hashNode) }
func (c *hashlockCPU) unlockHash()  { c.in.hashLock.Unlock(&c.hashNode) }
func (c *hashlockCPU) rlockHash()   { c.in.hashLock.RLock(&c.hashNode) }
func (c *hashlockCPU) runlockHash() { c.in.hashLock.RUnlock(&c.hashNode) }

func (c *hashlockCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		held := seg.Flags&synFinRst != 0
		if held {
			c.lock()
		}
		c.input(seg, held)
	}
}

// input is called with tcbinfo held or not and lets go of it.
func (c *hashlockCPU) input(seg *Segment, held bool) {
	inp := c.find(&seg.Inc)
	switch {
	case inp == nil:
		c.drop(seg, DropNoPCB)
		if held {
			c.unlock()
		}
	case !held && inp.tp.state == Established:
		c.process(inp, seg) // no SYN, FIN or RST in ESTABLISHED: keep
		inp.wunlock()
	case !held && !c.takeTable(inp):
		c.input(seg, true) // findpcb
	case inp.tp.state == Listen:
		c.inputListen(inp, seg)
	default:
		c.inputLocked(inp, seg)
	}
}

// find is in_pcblookup_hash: the inpcb for inc, locked. It may go while its lock is waited for, unless the caller holds tcbinfo. Then the answer
// is none, though a listener or a successor may stand there (hazard H5); with lost=retry it is looked up again, and each turn means that
// somebody's removal is done.
func (c *hashlockCPU) find(inc *ConnInfo) *Inpcb {
	for {
		c.rlockHash()
		inp := c.in.tb.lookup(inc)
		if inp == nil {
			c.runlockHash()
			return nil
		}
		inp.ref()
		c.runlockHash()
		if c.lockRef(inp) {
			return inp
		}
		c.lostRace++
		if !c.retry {
			return nil
		}
	}
}

// lockRef waits for inp's lock, gives back the caller's reference, and refuses an inpcb that was dropped. That the reference was not the last
// says nothing: others may wait as well (hazard H2).
func (c *hashlockCPU) lockRef(inp *Inpcb) bool {
	inp.wlock()
	dropped := inp.is(inpDropped)
	if dropped {
		inp.wunlock()
	}
	c.rele(inp)
	return !dropped
}

// takeTable is called with inp locked and tcbinfo not held; it returns with tcbinfo held, and inp locked if it is still in the table. To wait
// for tcbinfo would be against the order: if the try fails, inp is let go but for a reference, and may be gone when it is taken again (H4).
func (c *hashlockCPU) takeTable(inp *Inpcb) bool {
	if c.in.tcbinfo.TryLock(&c.node) {
		c.tried++
		return true
	}
	inp.ref()
	inp.wunlock()
	c.lock()
	if c.lockRef(inp) {
		c.relocked++
		return true
	}
	c.gone++
	return false
}

// inputListen has tcbinfo and lsn locked and lets go of both. What may complete a handshake is taken out of the syncache and put into the hash
// under one hold of hashLock, in which nobody has its four-tuple: a copy may have come before this one had tcbinfo (hazard H8), and a Connect
// needs no tcbinfo (H9).
func (c *hashlockCPU) inputListen(lsn *Inpcb, seg *Segment) {
	if seg.Flags&(SYN|RST) != 0 { // tcbinfo was held before the lookup, so no handshake was completed since
		c.listen(&c.in.sc, seg)
		lsn.wunlock()
		c.unlock()
		return
	}
	tb := &c.in.tb
	var child *Inpcb
	c.lockHash()
	taken := tb.lookupExact(&seg.Inc, tb.hash(&seg.Inc)) != nil
	if !taken {
		child = c.listen(&c.in.sc, seg)
	}
	if child != nil {
		child.mustLock() // against the order
		tb.insertHash(child)
	}
	c.unlockHash()
	lsn.wunlock()
	switch {
	case taken:
		c.input(seg, true) // findpcb
	case child == nil:
		c.unlock()
	default:
		tb.insertList(child)
		c.inputLocked(child, seg)
	}
}

// inputLocked has tcbinfo and inp locked and lets go of both.
func (c *hashlockCPU) inputLocked(inp *Inpcb, seg *Segment) {
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.startTimeWait(&c.in.tb.tw, inp)
		inp.wunlock()
	case reopen:
		c.close(inp)
		c.input(seg, true) // findpcb
		return
	default:
		inp.wunlock()
	}
	c.unlock()
}

// close takes inp, which is locked, out of the table, with tcbinfo held, and gives back the table's reference (in_pcbdrop, in_pcbfree).
func (c *hashlockCPU) close(inp *Inpcb) {
	tb := &c.in.tb
	inp.flags |= inpDropped | inpFreed
	tb.tw.remove(inp)
	c.lockHash()
	tb.removeHash(inp)
	c.unlockHash()
	tb.removeList(inp)
	inp.wunlock()
	c.rele(inp)
}

// attach puts a new inpcb into the list and leaves it locked (tcp_attach, at the user's socket). Until it is in the hash only a walk meets it,
// and waits for its lock: nobody sees a name that is not whole (hazard H10).
func (c *hashlockCPU) attach(inp *Inpcb) {
	c.lock()
	inp.wlock()
	c.in.tb.insertList(inp)
	c.unlock()
}

// detach ends what attach began and what came into no hash, as its name was refused.
func (c *hashlockCPU) detach(inp *Inpcb) {
	inp.flags |= inpDropped | inpFreed
	inp.wunlock() // order: tcbinfo first
	c.lock()
	c.in.tb.removeList(inp)
	c.unlock()
	c.rele(inp)
}

// findUser returns what a user names, locked. Its name is its own: between it, if it went, and a successor there was none.
func (c *hashlockCPU) findUser(inc *ConnInfo) *Inpcb {
	c.rlockHash()
	inp := c.in.tb.lookupUser(inc)
	if inp != nil {
		inp.ref()
	}
	c.runlockHash()
	if inp == nil || !c.lockRef(inp) {
		return nil
	}
	return inp
}

// Send needs the inpcb's lock only, once it is found.
func (c *hashlockCPU) Send(inc *ConnInfo, n int) error {
	inp := c.findUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	inp.wunlock()
	return err
}

// Connect chooses the port, looks for a duplicate and inserts in one section of hashLock, as in_pcbconnect does.
func (c *hashlockCPU) Connect(inc *ConnInfo) (uint32, error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	inp := c.alloc(*inc)
	c.attach(inp)
	c.lockHash()
	err := c.choosePort(&c.in.tb, inc)
	if err == nil {
		c.startConnect(inp, inc)
		c.in.tb.insertHash(inp)
	}
	c.unlockHash()
	if err != nil {
		c.detach(inp)
		return 0, err
	}
	iss := inp.tp.iss
	inp.wunlock()
	return iss, nil
}

func (c *hashlockCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	inp := c.allocListen(inc)
	c.attach(inp)
	c.lockHash()
	taken := c.in.tb.lookupListener(inc.Laddr, inc.Lport) != nil
	if !taken {
		c.in.tb.insertHash(inp)
	}
	c.unlockHash()
	if taken {
		c.detach(inp)
		return ErrInUse
	}
	inp.wunlock()
	return nil
}

func (c *hashlockCPU) Close(inc *ConnInfo) error {
	c.lock()
	defer c.unlock()
	inp := c.findUser(inc)
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

func (c *hashlockCPU) Abort(inc *ConnInfo) error {
	c.lock()
	defer c.unlock()
	inp := c.findUser(inc)
	if inp == nil {
		return c.abortHalfOpen(&c.in.sc, inc)
	}
	c.close(inp)
	return nil
}

// SlowTimo holds tcbinfo over the whole scan (hazard H18: what opens and closes waits, but not what is open).
func (c *hashlockCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	c.lock()
	defer c.unlock()
	for inp := c.in.tb.tw.expired(now); inp != nil; inp = c.in.tb.tw.expired(now) {
		c.stats.Expired++
		inp.wlock()
		c.close(inp)
	}
}

// Walk locks every inpcb under tcbinfo shared and takes a reference: so it waits for those that are on their way into the hash, and of two that
// have one name in turn it meets one, since none goes meanwhile. It copies each under its own lock with tcbinfo dropped, and gives all references
// back under tcbinfo exclusively, as tcp_pcblist did.
func (in *hashlockInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	in.snap = in.snap[:0]
	c.rlock()
	for inp := in.tb.list.Load(); inp != nil; inp = inp.listNext.Load() {
		inp.rlock()
		if !inp.is(inpDropped) {
			inp.ref()
			in.snap = append(in.snap, inp)
		}
		inp.runlock()
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

func (in *hashlockInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.rlock()
	defer c.runlock()
	return in.tb.count
}

func (in *hashlockInfo) Counters() []Counter {
	var sum hashlockCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.lostRace += h.lostRace
		sum.tried += h.tried
		sum.gone += h.gone
		sum.relocked += h.relocked
	}
	return []Counter{
		{Name: "lost-race", Value: sum.lostRace},
		{Name: "tried", Value: sum.tried},
		{Name: "gone", Value: sum.gone},
		{Name: "relocked", Value: sum.relocked},
	}
}

func (in *hashlockInfo) Close() error {
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
