package pcbinfo

import (
	"pcbbench/locks"
	"pcbbench/locks/witness"
)

// threelock.go: roles reversed: what opens and closes takes tcbinfo shared, and walks take it exclusively; locks of their own guard list and hash.
// Source: FreeBSD 10.4 and 11, sys/netinet/in_pcb.c, tcp_input.c and tcp_timewait.c (r286227 of 2015, r271119 and r264321 of 2014).
// Idea: hashlock's lookup; FIN and RST take tcbinfo shared first, a SYN needs it unless it meets a listener, other states try it, else reference, let go
// and take both anew. So connections open and close beside each other, and meet at listLock and hashLock for a few instructions.
// Cost: hashlock's, a third lock on every insertion and removal, and a look into the hash for each SYN; a shared lock that all who open and close
// write to; walks stop these. Who loses the race for an inpcb that goes looks again; in FreeBSD he is told that nobody is there (lost=none, hazard H5).
// Holds: tcbinfo before inpcb before listLock before hashLock, twLock; only who has tcbinfo and the inpcb takes that out; what hash and syncache
// say together of a four-tuple is looked at and changed under one hold of hashLock (H8, H9).

type threelockInfo struct {
	base
	tcbinfo  locks.RWLock // shared for set-up and tear-down, exclusively for a list that stays as it is: ipi_lock
	listLock locks.Lock   // list, count, gencnt: ipi_list_lock
	hashLock locks.RWLock // the two hashes: ipi_hash_lock
	_        [lineSize]byte
	twLock   locks.RW // the TIME_WAIT queue: tw_lock
	_        [lineSize]byte
	tb       table
	sc       syncache
	walk     locks.Mtx // walkers take turns: they share the table's own handle
	snap     []*Inpcb  // under walk: the inpcbs referenced by the walk
	handles  []threelockCPU
}

type threelockCPU struct {
	*cpu
	in    *threelockInfo
	retry bool // lost=retry: here, on a line that nobody else writes
	// How lookups went, and how often tcbinfo was had for one that had to begin without.
	lostRace uint64     // the inpcb found went away: reported as none or, with lost=retry, looked up again
	tried    uint64     // the try for tcbinfo worked
	gone     uint64     // it did not, and when both locks were held the inpcb was dropped
	relocked uint64     // or it was still there
	busyScan uint64     // the scan met a walk, and waited for it
	listNode locks.Node // for listLock
	hashNode locks.Node // for hashLock
}

func newThreelock(cfg Config) (Info, error) {
	in := &threelockInfo{}
	var err error
	if in.tcbinfo, err = cfg.Lock.NewRW(cfg.CPUs); err != nil {
		return nil, err
	}
	if in.listLock, err = cfg.Lock.New(cfg.CPUs); err != nil {
		return nil, err
	}
	if in.hashLock, err = cfg.Lock.NewRW(cfg.CPUs); err != nil {
		return nil, err
	}
	witness.Name(in.tcbinfo, "tcbinfo")
	witness.Name(in.listLock, "listLock")
	witness.Name(in.hashLock, "hashLock")
	witness.Name(&in.twLock, "twLock")
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.sc.init(syncacheSize(&cfg), true)
	in.handles = make([]threelockCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in, in.handles[i].retry = c, in, cfg.retry
	}
	return in, nil
}

func (in *threelockInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

func (c *threelockCPU) lock()        { c.in.tcbinfo.Lock(&c.node) }
func (c *threelockCPU) unlock()      { c.in.tcbinfo.Unlock(&c.node) }
func (c *threelockCPU) rlock()       { c.in.tcbinfo.RLock(&c.node) }
func (c *threelockCPU) runlock()     { c.in.tcbinfo.RUnlock(&c.node) }
func (c *threelockCPU) lockList()    { c.in.listLock.Lock(&c.listNode) }
func (c *threelockCPU) unlockList()  { c.in.listLock.Unlock(&c.listNode) }
func (c *threelockCPU) lockHash()    { c.in.hashLock.Lock(&c.hashNode) }
func (c *threelockCPU) unlockHash()  { c.in.hashLock.Unlock(&c.hashNode) }
func (c *threelockCPU) rlockHash()   { c.in.hashLock.RLock(&c.hashNode) }
func (c *threelockCPU) runlockHash() { c.in.hashLock.RUnlock(&c.hashNode) }

// release lets go of tcbinfo if it is held (ti_locked).
func (c *threelockCPU) release(held bool) {
	if held {
		c.runlock()
	}
}

func (c *threelockCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		held := seg.Flags&(FIN|RST) != 0
		if held {
			c.rlock()
		}
		c.input(seg, held)
	}
}

// input is called with tcbinfo held shared or not and lets go of it.
func (c *threelockCPU) input(seg *Segment, held bool) {
	inp := c.find(&seg.Inc)
	if inp == nil {
		c.drop(seg, DropNoPCB)
		c.release(held)
		return
	}
	if !held && !inp.keeps(seg) {
		if held = true; !c.takeTable(inp) {
			c.input(seg, held) // findpcb
			return
		}
	}
	if inp.tp.state == Listen {
		c.inputListen(inp, seg, held)
	} else {
		c.inputLocked(inp, seg, held)
	}
}

// keeps reports whether inp, which is locked, stays where it is and makes no other, whatever comes of seg, which is no FIN or RST.
func (inp *Inpcb) keeps(seg *Segment) bool {
	return inp.tp.state == Established && !seg.is(SYN) || inp.tp.state == Listen && seg.is(SYN)
}

// find is in_pcblookup_hash: the inpcb for inc, locked. It may go while its lock is waited for, though the caller holds tcbinfo. Then the answer
// is none, though a listener or a successor may stand there (hazard H5); with lost=retry it is looked up again, and each turn means that
// somebody's removal is done.
func (c *threelockCPU) find(inc *ConnInfo) *Inpcb {
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
func (c *threelockCPU) lockRef(inp *Inpcb) bool {
	inp.wlock()
	dropped := inp.is(inpDropped)
	if dropped {
		inp.wunlock()
	}
	c.rele(inp)
	return !dropped
}

// takeTable is called with inp locked and tcbinfo not held; it returns with tcbinfo held shared, and inp locked if it is still in the table. To wait
// for tcbinfo would be against the order: if the try fails, inp is let go but for a reference, and may be gone when it is taken again (H4).
func (c *threelockCPU) takeTable(inp *Inpcb) bool {
	if c.in.tcbinfo.TryRLock(&c.node) {
		c.tried++
		return true
	}
	inp.ref()
	inp.wunlock()
	c.rlock()
	if c.lockRef(inp) {
		c.relocked++
		return true
	}
	c.gone++
	return false
}

// inputListen has lsn locked, and tcbinfo held shared or not, and lets go of both.
//
// Another may have made the connection since lsn was found (hazard H8), by a Connect or through a listener that fits better (H9). So a SYN enters the
// syncache under a hold of hashLock, shared, in which nobody has its four-tuple; what may complete or end the handshake takes it out, and the
// connection comes into the hash, under an exclusive one. Nobody finds it in neither.
func (c *threelockCPU) inputListen(lsn *Inpcb, seg *Segment, held bool) {
	taken := false
	var child *Inpcb
	if seg.opens() {
		taken = c.inputSyn(seg)
	} else {
		taken, child = c.expand(seg)
	}
	lsn.wunlock()
	switch {
	case taken:
		c.input(seg, held) // findpcb
	case child == nil:
		c.release(held)
	default:
		c.lockList()
		c.in.tb.insertList(child)
		c.unlockList()
		c.inputLocked(child, seg, held)
	}
}

// inputSyn opens seg's four-tuple half, unless somebody in the hash has it. The protocol's work is done without hashLock.
func (c *threelockCPU) inputSyn(seg *Segment) (taken bool) {
	tb := &c.in.tb
	c.rlockHash()
	if tb.lookupExact(&seg.Inc, tb.hash(&seg.Inc)) != nil {
		c.runlockHash()
		return true
	}
	dup, evicted := c.in.sc.add(seg)
	c.runlockHash()
	c.synAdded(dup, evicted)
	return false
}

// expand does all else that a listener does, unless somebody in the hash has seg's four-tuple; the connection, if there is one, is locked.
func (c *threelockCPU) expand(seg *Segment) (taken bool, child *Inpcb) {
	tb := &c.in.tb
	c.lockHash()
	defer c.unlockHash()
	if tb.lookupExact(&seg.Inc, tb.hash(&seg.Inc)) != nil {
		return true, nil
	}
	if child = c.listen(&c.in.sc, seg); child != nil {
		child.mustLock() // against the order
		tb.insertHash(child)
	}
	return false, child
}

// inputLocked has inp locked, and tcbinfo held shared or, where inp keeps its place, not, and lets go of both.
func (c *threelockCPU) inputLocked(inp *Inpcb, seg *Segment, held bool) {
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.in.twLock.Lock(nil)
		c.startTimeWait(&c.in.tb.tw, inp)
		c.in.twLock.Unlock(nil)
		inp.wunlock()
	case reopen:
		c.close(inp)
		c.input(seg, held) // findpcb
		return
	default:
		inp.wunlock()
	}
	c.release(held)
}

// close takes inp, which is locked, out of the table, with tcbinfo held, and gives back the table's reference (in_pcbdrop, in_pcbfree).
func (c *threelockCPU) close(inp *Inpcb) {
	tb := &c.in.tb
	inp.flags |= inpDropped | inpFreed
	if inp.onTw { // changes only under both inpcb and twLock, so this look is safe
		c.in.twLock.Lock(nil)
		tb.tw.remove(inp)
		c.in.twLock.Unlock(nil)
	}
	c.lockList()
	c.lockHash()
	tb.removeHash(inp)
	c.unlockHash()
	tb.removeList(inp)
	c.unlockList()
	inp.wunlock()
	c.rele(inp)
}

// attach puts a new inpcb into the list and leaves it locked (tcp_attach, at the user's socket). Until it is in the hash only a walk meets it,
// and waits for its lock: nobody sees a name that is not whole (hazard H10).
func (c *threelockCPU) attach(inp *Inpcb) {
	c.rlock()
	inp.wlock()
	c.lockList()
	c.in.tb.insertList(inp)
	c.unlockList()
	c.runlock()
}

// detach ends what attach began and what came into no hash, as its name was refused.
func (c *threelockCPU) detach(inp *Inpcb) {
	inp.flags |= inpDropped | inpFreed
	inp.wunlock() // order: tcbinfo first
	c.rlock()
	c.lockList()
	c.in.tb.removeList(inp)
	c.unlockList()
	c.runlock()
	c.rele(inp)
}

// findUser returns what a user names, locked. Its name is its own: between it, if it went, and a successor there was none.
func (c *threelockCPU) findUser(inc *ConnInfo) *Inpcb {
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
func (c *threelockCPU) Send(inc *ConnInfo, n int) error {
	inp := c.findUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	inp.wunlock()
	return err
}

// Connect chooses the port, looks for a duplicate and inserts in one section of hashLock, as in_pcbconnect does.
func (c *threelockCPU) Connect(inc *ConnInfo) (uint32, error) {
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

func (c *threelockCPU) Listen(inc *ConnInfo) error {
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

func (c *threelockCPU) Close(inc *ConnInfo) error {
	c.rlock()
	defer c.runlock()
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

// Abort looks into hash and syncache under one hold of hashLock, so that no handshake ends between the two. One that was lost may have left a
// half-open connection behind it.
func (c *threelockCPU) Abort(inc *ConnInfo) error {
	c.rlock()
	defer c.runlock()
	for {
		c.rlockHash()
		inp := c.in.tb.lookupUser(inc)
		if inp == nil {
			err := c.abortHalfOpen(&c.in.sc, inc)
			c.runlockHash()
			return err
		}
		inp.ref()
		c.runlockHash()
		if c.lockRef(inp) {
			c.close(inp)
			return nil
		}
	}
}

// SlowTimo takes a reference under twLock, then tcbinfo and the inpcb's lock, and looks again. FreeBSD goes on another time if it cannot have
// tcbinfo at once, since its timer must not wait for a walk; here the tick's TIME-WAITs end in this scan, and it waits, with nothing held.
func (c *threelockCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for {
		c.in.twLock.RLock(nil)
		inp := c.in.tb.tw.expired(now)
		if inp != nil {
			inp.ref() // on the queue, so the table's reference is there
		}
		c.in.twLock.RUnlock(nil)
		if inp == nil {
			return
		}
		if !c.in.tcbinfo.TryRLock(&c.node) {
			c.busyScan++
			c.rlock()
		}
		c.expire(inp, now)
		c.runlock()
	}
}

// expire ends inp, of which the caller has a reference, if it is still there and its 2MSL did not begin anew.
func (c *threelockCPU) expire(inp *Inpcb, now uint32) {
	switch {
	case !c.lockRef(inp):
	case inp.onTw && atOrBefore(inp.twExpire, now):
		c.stats.Expired++
		c.close(inp)
	default:
		inp.wunlock()
	}
}

// Walk locks every inpcb under tcbinfo exclusively and takes a reference: so it waits for those that are on their way into the hash, and of two that
// have one name in turn it meets one, since none goes meanwhile. It copies each under its own lock with tcbinfo dropped, and gives all references
// back under tcbinfo shared, as tcp_pcblist did.
func (in *threelockInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	in.snap = in.snap[:0]
	c.lock()
	for inp := in.tb.list.Load(); inp != nil; inp = inp.listNext.Load() {
		inp.rlock()
		if !inp.is(inpDropped) {
			inp.ref()
			in.snap = append(in.snap, inp)
		}
		inp.runlock()
	}
	c.unlock()
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
	c.rlock()
	for _, inp := range in.snap {
		c.rele(inp)
	}
	c.runlock()
	clear(in.snap)
}

func (in *threelockInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.lockList()
	defer c.unlockList()
	return in.tb.count
}

func (in *threelockInfo) Counters() []Counter {
	var sum threelockCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.lostRace += h.lostRace
		sum.tried += h.tried
		sum.gone += h.gone
		sum.relocked += h.relocked
		sum.busyScan += h.busyScan
	}
	return []Counter{
		{Name: "lost-race", Value: sum.lostRace},
		{Name: "tried", Value: sum.tried},
		{Name: "gone", Value: sum.gone},
		{Name: "relocked", Value: sum.relocked},
		{Name: "busy-scan", Value: sum.busyScan},
	}
}

func (in *threelockInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	return in.finish(in.tb.gencnt, []*table{&in.tb}, []*syncache{&in.sc}, func() {
		c.rlock()
		defer c.runlock()
		for inp := in.tb.list.Load(); inp != nil; inp = in.tb.list.Load() {
			inp.wlock()
			c.close(inp)
		}
	})
}
