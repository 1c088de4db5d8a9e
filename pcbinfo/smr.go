package pcbinfo

import (
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
	"pcbbench/locks/witness"
)

// smr.go: no lock in the lookup; readers are protected by safe memory reclamation.
// Source: FreeBSD 14, sys/netinet/in_pcb.c (in_pcblookup_hash_smr, inp_smr_lock, inp_next), smr(9), 2021 to 2023.
// Idea: walk the chain in a read section, try the inpcb's lock, look whether it is still in the table; writers share hashLock.
// Cost: a section a batch; two locks more on every insertion and removal; memory comes back late. With lost=retry no lookup misses
// (hazard H5), at the price of hashLock on every segment that no connection takes.
// Holds: inpcb before hashLock, listLock, twLock; nobody waits for a lock inside a section; a pointer outside both a section
// and the inpcb's lock has a reference; an unlinked block keeps its links until its grace period is over.

type smrInfo struct {
	base
	dom      readers
	hashLock locks.Lock // writers of the two hashes
	listLock locks.Lock // list, count, gencnt: ipi_lock
	twLock   locks.Mtx  // the TIME_WAIT queue
	_        [lineSize]byte
	tb       table
	sc       syncache
	walk     locks.Mtx // walkers take turns: they share the table's own handle
	handles  []smrCPU
}

type smrCPU struct {
	*cpu
	in     *smrInfo
	inside bool              // in a read section
	retry  bool              // lost=retry: here, on a line that nobody else writes
	objs   smr.Objects       // not nil: inside means that it walks, and protects what it stands on; see hop.go
	stands [smr.Slots]*Inpcb // only in torture builds, see guard.go
	// How lookups went.
	tried         uint64 // the try for the inpcb's lock worked
	waited        uint64 // a reference was taken and the lock waited for
	slow          uint64 // looked up under hashLock, as the inpcb was going away; with lost=retry, as no connection was found
	lostRace      uint64 // and the one found then went away too: reported as none or, with lost=retry, looked up again
	upgradeFailed uint64 // a SYN held a connection shared and could not upgrade: looked up again exclusively
	_             [lineSize]byte
}

func newSMR(cfg Config) (Info, error) {
	dom, objs, err := reclamation(&cfg)
	if err != nil {
		return nil, err
	}
	in := &smrInfo{dom: dom}
	if objs != nil {
		in.dom = objs
	}
	if in.hashLock, err = cfg.Lock.New(cfg.CPUs); err != nil {
		return nil, err
	}
	if in.listLock, err = cfg.Lock.New(cfg.CPUs); err != nil {
		return nil, err
	}
	witness.Name(in.hashLock, "hashLock")
	witness.Name(in.listLock, "listLock")
	witness.Name(&in.twLock, "twLock")
	witness.Name(&in.walk, "walk")
	in.init(cfg, dom)
	in.zone.objs = objs
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.tb.lockless, in.tb.marks = true, objs != nil
	in.sc.init(syncacheSize(&cfg), true)
	in.handles = make([]smrCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in, in.handles[i].retry, in.handles[i].objs = c, in, cfg.retry, objs
	}
	return in, nil
}

func (in *smrInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

// enter and exit bound the read section, which spans a batch unless something has to be waited for.
func (c *smrCPU) enter() {
	if !c.inside {
		c.in.dom.Enter(c.id)
		c.inside = true
	}
}

func (c *smrCPU) exit() {
	if c.inside {
		if probe.Enabled {
			c.standNowhere()
		}
		c.in.dom.Exit(c.id)
		c.inside = false
	}
}

func (c *smrCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.input(seg)
	}
	c.exit()
}

func (c *smrCPU) input(seg *Segment) {
	// A SYN takes the listener shared, so that a flood of them does not meet on its lock (08d9c9202755).
	shared := seg.Flags&(SYN|ACK) == SYN
	inp := c.find(&seg.Inc, shared)
	if shared && inp != nil && inp.tp.state != Listen && !inp.lock.TryUpgrade(nil) {
		// FreeBSD drops the segment here, and the peer sends it again; no peer of a benchmark would.
		c.upgradeFailed++
		inp.runlock()
		shared = false
		inp = c.find(&seg.Inc, shared)
	}
	switch {
	case inp == nil:
		c.drop(seg, DropNoPCB)
	case inp.tp.state == Listen:
		c.inputListen(inp, seg, shared)
	default:
		c.inputLocked(inp, seg)
	}
}

// inputListen has lsn locked and lets go of it, but not before the child is in the table: who waits for lsn with a copy of the same
// ACK then finds it there (hazard H8).
func (c *smrCPU) inputListen(lsn *Inpcb, seg *Segment, shared bool) {
	c.exit()
	child, done := c.tryListen(&c.in.sc, seg)
	inserted, copied := false, false
	switch {
	case child != nil:
		child.wlock() // without waiting, as nobody knows it
		inserted = c.insert(child)
	case !done:
		copied = c.inTable(&seg.Inc) // under lsn's lock: if not, then nobody but lsn is there
	}
	lsn.release(shared)
	switch {
	case inserted:
		c.inputLocked(child, seg)
	case child != nil:
		child.wunlock()
		c.free(child) // never published: nobody can stand on it
		c.drop(seg, DropListen)
	case done:
	case copied: // the copy came first
		c.input(seg)
	default:
		c.drop(seg, DropListen)
	}
}

// inTable reports whether inc has an inpcb of its own.
func (c *smrCPU) inTable(inc *ConnInfo) bool {
	c.enter()
	return c.lookupExact(inc) != nil
}

// inputLocked has inp locked exclusively and lets go of it.
func (c *smrCPU) inputLocked(inp *Inpcb, seg *Segment) {
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.exit()
		c.in.twLock.Lock(nil)
		c.startTimeWait(&c.in.tb.tw, inp)
		c.in.twLock.Unlock(nil)
		inp.wunlock()
	case reopen:
		c.close(inp)
		c.input(seg)
	default:
		inp.wunlock()
	}
}

// find is in_pcblookup_hash_smr: the inpcb for inc, locked. The section stays open unless a lock had to be waited for.
//
// A connection's answer is right while its lock is held. What is no connection's comes of several looks, at the two hashes, and tables
// that change between them let it fit no instant (H5): with lost=retry it counts only if it was found under hashLock.
func (c *smrCPU) find(inc *ConnInfo, shared bool) *Inpcb {
	c.enter()
	inp := c.lookup(inc)
	if c.retry && (inp == nil || inp.inc.Fport == 0) {
		return c.findSlow(inc, shared)
	}
	if inp == nil || c.lockInp(inp, shared) {
		return inp
	}
	return c.findSlow(inc, shared)
}

// lockInp is inp_smr_lock, inside a section: a try; else a reference, out of the section, and the wait. It refuses an inpcb that
// is going away. The key needs no second look: it is written before the block is published, and the section, then the
// reference, keep the block from being anybody else's (hazard H14).
func (c *smrCPU) lockInp(inp *Inpcb, shared bool) bool {
	if probe.Enabled {
		c.mustBeInside(inp)
	}
	if inp.try(shared) {
		c.tried++
		if !inp.is(inpDropped | inpFreed) {
			return true
		}
		inp.release(shared)
		c.exit()
		return false
	}
	alive := inp.refIfAlive()
	c.exit()
	if !alive {
		return false
	}
	c.waited++
	return c.lockRef(inp, shared)
}

// lockRef waits for inp's lock outside any section, gives back the caller's reference, and refuses an inpcb that was dropped.
func (c *smrCPU) lockRef(inp *Inpcb, shared bool) bool {
	inp.acquire(shared)
	dropped := inp.is(inpDropped)
	if dropped {
		inp.release(shared)
	}
	c.rele(inp)
	return !dropped
}

// findSlow is in_pcblookup_hash: under hashLock, where an answer is right. But an inpcb whose lock must be waited for may go
// meanwhile. Then the answer is none, though a listener or a successor may stand there by then (hazard H5); with lost=retry it is looked
// up again, and each turn means that somebody's removal is done.
func (c *smrCPU) findSlow(inc *ConnInfo, shared bool) *Inpcb {
	c.exit()
	for {
		c.slow++
		c.lockHash()
		inp := c.in.tb.lookup(inc)
		if inp == nil || inp.try(shared) {
			c.unlockHash()
			return inp
		}
		inp.ref()
		c.unlockHash()
		if c.lockRef(inp, shared) {
			return inp
		}
		c.lostRace++
		if !c.retry {
			return nil
		}
	}
}

// findUser returns what a user names, locked exclusively and with no section open.
func (c *smrCPU) findUser(inc *ConnInfo) *Inpcb {
	for {
		c.enter()
		inp := c.lookupUser(inc)
		if inp == nil || c.lockInp(inp, false) {
			c.exit()
			return inp
		}
	}
}

func (c *smrCPU) lockHash()   { c.in.hashLock.Lock(&c.node) }
func (c *smrCPU) unlockHash() { c.in.hashLock.Unlock(&c.node) }
func (c *smrCPU) lockList()   { c.in.listLock.Lock(&c.node) }
func (c *smrCPU) unlockList() { c.in.listLock.Unlock(&c.node) }

// insert puts inp, locked by the caller, into hash and list; false if its four-tuple is there already (hazard H9).
func (c *smrCPU) insert(inp *Inpcb) bool {
	c.exit()
	c.lockHash()
	taken := c.in.tb.lookupExact(&inp.inc, inp.hash) != nil
	if !taken {
		c.in.tb.insertHash(inp)
	}
	c.unlockHash()
	if !taken {
		c.insertList(inp)
	}
	return !taken
}

func (c *smrCPU) insertList(inp *Inpcb) {
	c.lockList()
	c.in.tb.insertList(inp)
	c.unlockList()
}

// close takes inp, which is locked, out of the table and gives back the table's reference (in_pcbfree).
func (c *smrCPU) close(inp *Inpcb) {
	c.exit()
	tb := &c.in.tb
	inp.flags |= inpDropped
	if inp.onTw { // changes only under both inpcb and twLock, so this look is safe
		c.in.twLock.Lock(nil)
		tb.tw.remove(inp)
		c.in.twLock.Unlock(nil)
	}
	c.lockHash()
	tb.removeHash(inp)
	c.unlockHash()
	c.lockList()
	tb.removeList(inp)
	c.unlockList()
	inp.flags |= inpFreed
	inp.wunlock()
	c.rele(inp)
}

// rele gives back a reference; after the last one the block waits for the readers that may still stand on it.
func (c *smrCPU) rele(inp *Inpcb) {
	if inp.rele() {
		c.b.zone.retire(c.id, inp)
	}
}

// Send needs the inpcb's lock only.
func (c *smrCPU) Send(inc *ConnInfo, n int) error {
	inp := c.findUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	inp.wunlock()
	return err
}

// Connect chooses the port, looks for a duplicate and inserts in one section of hashLock, as in_pcbconnect does.
func (c *smrCPU) Connect(inc *ConnInfo) (uint32, error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	inp := c.alloc(*inc)
	inp.wlock()
	c.lockHash()
	err := c.choosePort(&c.in.tb, inc)
	if err == nil {
		c.startConnect(inp, inc)
		c.in.tb.insertHash(inp)
	}
	c.unlockHash()
	iss := inp.tp.iss
	if err == nil {
		c.insertList(inp)
	}
	inp.wunlock()
	if err != nil {
		c.free(inp)
	}
	return iss, err
}

func (c *smrCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	inp := c.allocListen(inc)
	inp.wlock()
	c.lockHash()
	taken := c.in.tb.lookupListener(inc.Laddr, inc.Lport) != nil
	if !taken {
		c.in.tb.insertHash(inp)
	}
	c.unlockHash()
	if !taken {
		c.insertList(inp)
	}
	inp.wunlock()
	if taken {
		c.free(inp)
		return ErrInUse
	}
	return nil
}

func (c *smrCPU) Close(inc *ConnInfo) error {
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

func (c *smrCPU) Abort(inc *ConnInfo) error {
	inp := c.findUser(inc)
	if inp == nil {
		return c.abortHalfOpen(&c.in.sc, inc)
	}
	c.close(inp)
	return nil
}

// SlowTimo takes a reference under twLock and then the inpcb's lock, and looks again: FreeBSD 10 to 13's scan, where 14 has a callout a
// connection. Nothing waits for the scan as a whole.
func (c *smrCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for {
		c.in.twLock.Lock(nil)
		inp := c.in.tb.tw.expired(now)
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
		} else {
			inp.wunlock()
		}
		c.rele(inp)
	}
}

// Walk is inp_next: it hops from inpcb to inpcb inside sections, holding the one it is at as its anchor. What is inserted meanwhile
// stands before the start or has a newer generation.
func (in *smrInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.lockList()
	gen := in.tb.gencnt
	c.unlockList()
	x := &in.x
	var at *Inpcb
	for more := true; more; {
		next := c.next(at, gen)
		if at != nil {
			at.runlock()
		}
		if at = next; at == nil {
			return
		}
		c.show(x, at)
		more = f(x)
	}
	at.runlock()
}

// next locks the inpcb after at, or the first, that is no newer than gen. A refused one was unlinked before its lock was let go,
// so that the next look does not meet it.
func (c *smrCPU) next(at *Inpcb, gen uint64) *Inpcb {
	for {
		c.enter()
		inp := c.after(at, gen)
		if inp == nil || c.lockInp(inp, true) {
			c.exit()
			c.Idle() // the walk's caller may take his time
			return inp
		}
	}
}

// after is the inpcb after at, or the first, that is no newer than gen.
func (c *smrCPU) after(at *Inpcb, gen uint64) *Inpcb {
	from := &c.in.tb.list
	if at != nil {
		from = &at.listNext
	}
	if c.objs != nil {
		return c.hopAfter(from, gen)
	}
	return firstOld(from, gen)
}

func firstOld(from *atomic.Pointer[Inpcb], gen uint64) *Inpcb {
	inp := from.Load()
	for inp != nil && inp.gencnt > gen {
		inp = inp.listNext.Load()
	}
	return inp
}

func (in *smrInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.lockList()
	defer c.unlockList()
	return in.tb.count
}

func (in *smrInfo) Counters() []Counter {
	var sum smrCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.tried += h.tried
		sum.waited += h.waited
		sum.slow += h.slow
		sum.lostRace += h.lostRace
		sum.upgradeFailed += h.upgradeFailed
	}
	z := in.zone.stats()
	return []Counter{
		{Name: "tried", Value: sum.tried},
		{Name: "waited", Value: sum.waited},
		{Name: "slow", Value: sum.slow},
		{Name: "lost-race", Value: sum.lostRace},
		{Name: "upgrade-failed", Value: sum.upgradeFailed},
		{Name: "freed", Value: z.Reclaimed},
		{Name: "retired", Value: uint64(z.Retired), Gauge: true},
		{Name: "peak-retired", Value: uint64(z.PeakRetired), Gauge: true},
	}
}

func (in *smrInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	return in.finish(in.tb.gencnt, []*table{&in.tb}, []*syncache{&in.sc}, func() {
		for inp := in.tb.list.Load(); inp != nil; inp = in.tb.list.Load() {
			inp.wlock()
			c.close(inp)
		}
	})
}
