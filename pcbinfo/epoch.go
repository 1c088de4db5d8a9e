package pcbinfo

import (
	"cmp"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
	"pcbbench/locks/witness"
)

// epoch.go: no lock in the lookup; readers are protected by epochs, and find what they lose a race for under the writers' lock.
// Source: FreeBSD 12 and 13, sys/netinet/in_pcb.c (r335356, Macy, June 2018; the try for the lock is D12911), epoch(9).
// Idea: readers walk the chain in a section; writers keep FreeBSD 11's list and hash locks, and tcbinfo is left to walkers.
// Cost: a section a batch; two locks, one in the other, on every removal; a grace period of two epochs. FreeBSD does not look again
// (lost=none); with lost=retry no lookup misses (hazard H5), at the price of hashLock on every segment that no connection takes.
// Holds: tcbinfo before inpcb before listLock before hashLock; nobody waits for a lock inside a section; a pointer outside both a
// section and the inpcb's lock has a reference; an unlinked block keeps its links until its grace period is over.

type epochInfo struct {
	base
	dom      smr.Domain
	tcbinfo  locks.Lock // walks: ipi_lock
	listLock locks.Lock // list, count, gencnt
	hashLock locks.Lock // writers of the two hashes
	twLock   locks.Mtx  // the TIME_WAIT queue
	_        [lineSize]byte
	tb       table
	sc       syncache
	walk     locks.Mtx // walkers take turns: they share the table's own handle
	snap     []*Inpcb  // under walk: the inpcbs referenced by the walk
	handles  []epochCPU
}

type epochCPU struct {
	*cpu
	in       *epochInfo
	listNode locks.Node // for listLock, in which hashLock is taken
	inside   bool       // in a read section
	retry    bool       // not lost=none: here, on a line that nobody else writes
	sure     bool       // lost=retry
	// How lookups went.
	tried    uint64 // the try for the inpcb's lock worked
	waited   uint64 // a reference was taken and the lock waited for
	slow     uint64 // looked up under hashLock, as one was going away; with lost=retry, as no connection was found
	lostRace uint64 // the one found went away: looked up again or, with lost=none, reported as none
	_        [lineSize]byte
}

func newEpoch(cfg Config) (Info, error) {
	dom, err := smr.New(cmp.Or(cfg.SMR, "epoch"), cfg.CPUs+1)
	if err != nil {
		return nil, err
	}
	in := &epochInfo{dom: dom}
	if in.tcbinfo, err = cfg.Lock.New(cfg.CPUs); err != nil {
		return nil, err
	}
	if in.listLock, err = cfg.Lock.New(cfg.CPUs); err != nil {
		return nil, err
	}
	if in.hashLock, err = cfg.Lock.New(cfg.CPUs); err != nil {
		return nil, err
	}
	witness.Name(in.tcbinfo, "tcbinfo")
	witness.Name(in.listLock, "listLock")
	witness.Name(in.hashLock, "hashLock")
	witness.Name(&in.twLock, "twLock")
	witness.Name(&in.walk, "walk")
	in.init(cfg, in.dom)
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.tb.lockless = true
	in.sc.init(syncacheSize(&cfg), true)
	in.handles = make([]epochCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in, in.handles[i].retry = c, in, cfg.retry
		in.handles[i].sure = cfg.sure
	}
	return in, nil
}

func (in *epochInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

// enter and exit bound the read section, which spans a batch unless something has to be waited for.
func (c *epochCPU) enter() {
	if !c.inside {
		c.in.dom.Enter(c.id)
		c.inside = true
	}
}

func (c *epochCPU) exit() {
	if c.inside {
		c.in.dom.Exit(c.id)
		c.inside = false
	}
}

func (c *epochCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.input(seg)
	}
	c.exit()
}

func (c *epochCPU) input(seg *Segment) {
	inp := c.find(&seg.Inc)
	switch {
	case inp == nil:
		c.drop(seg, DropNoPCB)
	case inp.tp.state == Listen:
		c.inputListen(inp, seg)
	default:
		c.inputLocked(inp, seg)
	}
}

// inputListen has lsn locked and lets go of it, but not before the child is in the table: who waits for lsn with a copy of the same
// ACK then finds it there (hazard H8).
func (c *epochCPU) inputListen(lsn *Inpcb, seg *Segment) {
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
	lsn.wunlock()
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
func (c *epochCPU) inTable(inc *ConnInfo) bool {
	c.enter()
	return c.in.tb.lookupExact(inc, c.in.tb.hash(inc)) != nil
}

// inputLocked has inp locked exclusively and lets go of it.
func (c *epochCPU) inputLocked(inp *Inpcb, seg *Segment) {
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

// find is in_pcblookup_hash: the inpcb for inc, locked. The section stays open unless a lock had to be waited for.
//
// A connection's answer is right while its lock is held. One that goes before is looked for again or, with lost=none, reported as none, though a listener
// or a successor may stand there (hazard H5). What is no connection's comes of several looks, at the two hashes, and tables that change between them let it fit no
// instant: with lost=retry it counts only if it was found under hashLock.
func (c *epochCPU) find(inc *ConnInfo) *Inpcb {
	c.enter()
	inp := c.in.tb.lookup(inc)
	if c.sure && (inp == nil || inp.inc.Fport == 0) {
		return c.findSlow(inc)
	}
	if inp == nil || c.lockInp(inp, false) {
		return inp
	}
	c.lostRace++
	if c.retry {
		return c.findSlow(inc)
	}
	return nil
}

// lockInp takes the inpcb's lock inside a section: a try; else a reference, out of the section, and the wait. It refuses an inpcb that
// is INP_FREED. In the kernel a section may be preempted and wait for the lock (net_epoch_preempt), and holds up everybody's memory as long.
// The key needs no second look: it is written before the block is published, and the section, then the reference, keep the block
// from being anybody else's (hazard H14).
func (c *epochCPU) lockInp(inp *Inpcb, shared bool) bool {
	if probe.Enabled {
		c.mustBeInside(inp)
	}
	if inp.try(shared) {
		c.tried++
		if !inp.is(inpFreed) {
			return true
		}
		inp.release(shared)
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

// lockRef waits for inp's lock outside any section, gives back the caller's reference, and refuses an inpcb that was freed.
func (c *epochCPU) lockRef(inp *Inpcb, shared bool) bool {
	inp.acquire(shared)
	freed := inp.is(inpFreed)
	if freed {
		inp.release(shared)
	}
	c.rele(inp)
	return !freed
}

// findSlow is find under hashLock, where an answer is right. An inpcb whose lock must be waited for may go meanwhile; then it is looked up again, and
// each turn means that somebody's removal is done.
func (c *epochCPU) findSlow(inc *ConnInfo) *Inpcb {
	c.exit()
	for {
		c.slow++
		c.lockHash()
		inp := c.in.tb.lookup(inc)
		if inp == nil || inp.try(false) {
			c.unlockHash()
			return inp
		}
		inp.ref()
		c.unlockHash()
		if c.lockRef(inp, false) {
			return inp
		}
		c.lostRace++
	}
}

// findUser returns what a user names, locked exclusively and with no section open.
func (c *epochCPU) findUser(inc *ConnInfo) *Inpcb {
	for {
		c.enter()
		inp := c.in.tb.lookupUser(inc)
		if inp == nil || c.lockInp(inp, false) {
			c.exit()
			return inp
		}
	}
}

func (c *epochCPU) lock()       { c.in.tcbinfo.Lock(&c.node) }
func (c *epochCPU) unlock()     { c.in.tcbinfo.Unlock(&c.node) }
func (c *epochCPU) lockHash()   { c.in.hashLock.Lock(&c.node) }
func (c *epochCPU) unlockHash() { c.in.hashLock.Unlock(&c.node) }
func (c *epochCPU) lockList()   { c.in.listLock.Lock(&c.listNode) }
func (c *epochCPU) unlockList() { c.in.listLock.Unlock(&c.listNode) }

// insert puts inp, locked by the caller, into hash and list; false if its four-tuple is there already (hazard H9).
func (c *epochCPU) insert(inp *Inpcb) bool {
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

func (c *epochCPU) insertList(inp *Inpcb) {
	c.lockList()
	c.in.tb.insertList(inp)
	c.unlockList()
}

// close takes inp, which is locked, out of the table and gives back the table's reference (in_pcbfree, in_pcbremlists).
func (c *epochCPU) close(inp *Inpcb) {
	c.exit()
	tb := &c.in.tb
	if inp.onTw { // changes only under both inpcb and twLock, so this look is safe
		c.in.twLock.Lock(nil)
		tb.tw.remove(inp)
		c.in.twLock.Unlock(nil)
	}
	c.lockList()
	tb.removeList(inp)
	c.lockHash()
	tb.removeHash(inp)
	c.unlockHash()
	c.unlockList()
	inp.flags |= inpDropped | inpFreed
	inp.wunlock()
	c.rele(inp)
}

// rele gives back a reference; after the last one the block waits for the readers that may still stand on it (NET_EPOCH_CALL).
func (c *epochCPU) rele(inp *Inpcb) {
	if inp.rele() {
		c.b.zone.retire(c.id, inp)
	}
}

// Send needs the inpcb's lock only.
func (c *epochCPU) Send(inc *ConnInfo, n int) error {
	inp := c.findUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	inp.wunlock()
	return err
}

// Connect chooses the port, looks for a duplicate and inserts in one section of hashLock, as in_pcbconnect does.
func (c *epochCPU) Connect(inc *ConnInfo) (uint32, error) {
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

func (c *epochCPU) Listen(inc *ConnInfo) error {
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

func (c *epochCPU) Close(inc *ConnInfo) error {
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

func (c *epochCPU) Abort(inc *ConnInfo) error {
	inp := c.findUser(inc)
	if inp == nil {
		return c.abortHalfOpen(&c.in.sc, inc)
	}
	c.close(inp)
	return nil
}

// SlowTimo takes a reference under twLock and then the inpcb's lock, and looks again: FreeBSD 10 to 13's scan, where 14 has a callout a
// connection. Nothing waits for the scan as a whole.
func (c *epochCPU) SlowTimo(now uint32) {
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

// Walk takes references in one section over the whole list, under tcbinfo, copies each inpcb under its own lock with tcbinfo dropped, and then takes
// tcbinfo again to give the references back (in_pcblist_rele_rlocked). What is inserted meanwhile stands before the start.
func (in *epochInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	in.snap = in.snap[:0]
	c.lock()
	c.enter()
	for inp := in.tb.list.Load(); inp != nil; inp = inp.listNext.Load() {
		if probe.Enabled {
			c.mustBeInside(inp)
		}
		if inp.refIfAlive() {
			in.snap = append(in.snap, inp)
		}
	}
	c.exit()
	c.Idle() // the walk's caller may take his time
	c.unlock()
	for _, inp := range in.snap {
		if !c.visit(inp, f) {
			break
		}
	}
	c.lock()
	for _, inp := range in.snap {
		c.rele(inp)
	}
	c.unlock()
	clear(in.snap)
}

// visit shows f an inpcb that has a reference and is not freed.
func (c *epochCPU) visit(inp *Inpcb, f func(*Xinpcb) bool) (more bool) {
	x := &c.in.x
	inp.rlock()
	here := !inp.is(inpFreed)
	if here {
		c.show(x, inp)
	}
	inp.runlock()
	return !here || f(x)
}

func (in *epochInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.lockList()
	defer c.unlockList()
	return in.tb.count
}

func (in *epochInfo) Counters() []Counter {
	var sum epochCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.tried += h.tried
		sum.waited += h.waited
		sum.slow += h.slow
		sum.lostRace += h.lostRace
	}
	z := in.zone.stats()
	return []Counter{
		{Name: "tried", Value: sum.tried},
		{Name: "waited", Value: sum.waited},
		{Name: "slow", Value: sum.slow},
		{Name: "lost-race", Value: sum.lostRace},
		{Name: "freed", Value: z.Reclaimed},
		{Name: "retired", Value: uint64(z.Retired), Gauge: true},
		{Name: "peak-retired", Value: uint64(z.PeakRetired), Gauge: true},
	}
}

func (in *epochInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	return in.finish(in.tb.gencnt, []*table{&in.tb}, []*syncache{&in.sc}, func() {
		for inp := in.tb.list.Load(); inp != nil; inp = in.tb.list.Load() {
			inp.wlock()
			c.close(inp)
		}
	})
}
