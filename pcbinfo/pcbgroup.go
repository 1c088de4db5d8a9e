package pcbinfo

import (
	"cmp"
	"errors"

	"pcbbench/locks"
	"pcbbench/locks/witness"
)

// pcbgroup.go: connection groups beside the table: a lock and a hash a group, and inpcb locks.
// Source: FreeBSD 9, sys/netinet/in_pcbgroup.c (r222748, Watson, June 2011) over r222488's two locks; in the tree until 13.
// Idea: look up under the lock of the four-tuple's group alone; what changes the table takes tcbinfo, and hashLock for the reservation table.
// Cost: every insertion and removal takes a group's lock on top of the others; a listener, and a connect while it is bound, takes all of them. With
// lost=none a lookup whose find goes while it waits answers none (hazard H5); lost=retry looks again.
// Holds: tcbinfo before inpcb before hashLock before groups, these in index order; the reservation table changes under hashLock, and with it the
// groups; the wildcard hash is written under all group locks and read under any; nothing comes or goes without tcbinfo.

// A pcbgroup is one share of the connections, for lookups; tcbinfo has everything else.
type pcbgroup struct {
	lock locks.Lock
	hash groupHash // under lock
	_    [lineSize]byte
}

type pcbgroupInfo struct {
	base
	tcbinfo  locks.Lock // list, count, gencnt, TIME_WAIT queue; set-up and tear-down as a whole: ipi_lock
	hashLock locks.Lock // the reservation table: tb's hashes
	groups   []pcbgroup
	wild     groupHash // what is bound and not connected: written under all group locks, read under any
	_        [lineSize]byte
	tb       table
	sc       syncache
	walk     locks.Mtx // walkers take turns: they share the table's own handle
	snap     []*Inpcb  // under walk: the inpcbs referenced by the walk
	handles  []pcbgroupCPU
}

type pcbgroupCPU struct {
	*cpu
	in       *pcbgroupInfo
	hashNode locks.Node   // for hashLock, which is taken under tcbinfo
	nodes    []locks.Node // one a group, since the wildcard hash wants all locks at once
	retry    bool         // lost=retry: here, on a line that nobody else writes
	// How segments went.
	acquired   uint64 // group locks taken for one connection
	collisions uint64 // of these, how many had to wait: somebody was in the same group
	readPath   uint64 // the group and the inpcb were enough
	tried      uint64 // tcbinfo was wanted after all, and a try got it
	reacquired uint64 // the inpcb let go, and tcbinfo and it taken in order
	gone       uint64 // and then it was dropped, or no longer the best match
	lostRace   uint64 // found, waited for and dropped: reported as none or, with lost=retry, looked up again
	bound      uint64 // found bound, waited for and connected elsewhere: looked up again
	migrations uint64 // from bound to connected, by way of nowhere (hazard H11)
	_          [lineSize]byte
}

func newPcbgroup(cfg Config) (Info, error) {
	in := &pcbgroupInfo{groups: make([]pcbgroup, cmp.Or(cfg.Groups, cfg.CPUs))}
	var err error
	if in.tcbinfo, err = cfg.Lock.New(cfg.CPUs); err != nil {
		return nil, err
	}
	if in.hashLock, err = cfg.Lock.New(cfg.CPUs); err != nil {
		return nil, err
	}
	witness.Name(in.tcbinfo, "tcbinfo")
	witness.Name(in.hashLock, "hashLock")
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.wild.init(wildHash)
	for i := range in.groups {
		g := &in.groups[i]
		if g.lock, err = cfg.Lock.New(cfg.CPUs); err != nil {
			return nil, err
		}
		witness.Name(g.lock, "pcbgroup")
		witness.Rank(g.lock, i+1)
		g.hash.init(max(1, cmp.Or(cfg.Buckets, cfg.Conns/len(in.groups))))
	}
	in.sc.init(syncacheSize(&cfg), true)
	in.handles = make([]pcbgroupCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in, in.handles[i].retry = c, in, cfg.retry
		in.handles[i].nodes = make([]locks.Node, len(in.groups))
	}
	return in, nil
}

func (in *pcbgroupInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

// index chooses a group by the hash's high bits; the group's hash uses the low ones.
func (in *pcbgroupInfo) index(hash uint32) int {
	return int(uint64(hash) * uint64(len(in.groups)) >> 32)
}

func (c *pcbgroupCPU) lock()       { c.in.tcbinfo.Lock(&c.node) }
func (c *pcbgroupCPU) unlock()     { c.in.tcbinfo.Unlock(&c.node) }
func (c *pcbgroupCPU) lockHash()   { c.in.hashLock.Lock(&c.hashNode) }
func (c *pcbgroupCPU) unlockHash() { c.in.hashLock.Unlock(&c.hashNode) }

// enter locks the group of a connection with the given hash, leave unlocks it.
func (c *pcbgroupCPU) enter(hash uint32) (*groupHash, int) {
	i := c.in.index(hash)
	g := &c.in.groups[i]
	c.acquired++
	if !g.lock.TryLock(&c.nodes[i]) {
		c.collisions++
		g.lock.Lock(&c.nodes[i])
	}
	return &g.hash, i
}

func (c *pcbgroupCPU) leave(i int) { c.in.groups[i].lock.Unlock(&c.nodes[i]) }

func (c *pcbgroupCPU) enterAll() {
	for i := range c.in.groups {
		c.in.groups[i].lock.Lock(&c.nodes[i])
	}
}

func (c *pcbgroupCPU) leaveAll() {
	for i := range c.in.groups {
		c.leave(i)
	}
}

func (c *pcbgroupCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		if seg.Flags&synFinRst == 0 {
			c.input(seg)
		} else {
			c.lock()
			c.inputExclusive(seg)
		}
	}
}

// input takes tcbinfo only if it must: an ESTABLISHED connection stays one without SYN, FIN and RST.
func (c *pcbgroupCPU) input(seg *Segment) {
	inp := c.find(&seg.Inc)
	switch {
	case inp == nil:
		c.drop(seg, DropNoPCB)
	case inp.tp.state == Established:
		c.readPath++
		c.process(inp, seg) // keep
		inp.wunlock()
	case c.in.tcbinfo.TryLock(&c.node):
		c.tried++
		c.relocked(inp, seg)
	default: // order: tcbinfo first
		inp.ref()
		inp.wunlock()
		c.reacquire(inp, seg)
	}
}

// reacquire takes tcbinfo and inp in order, with no lock held and one reference on inp.
func (c *pcbgroupCPU) reacquire(inp *Inpcb, seg *Segment) {
	c.reacquired++
	c.lock()
	inp.wlock()
	if inp.is(inpDropped) {
		c.gone++
		inp.wunlock()
		c.rele(inp)
		c.inputExclusive(seg)
		return
	}
	inp.rele() // the table's own is left
	c.relocked(inp, seg)
}

// relocked has tcbinfo and inp locked, but found inp before it had tcbinfo: a listener may have had a child for this segment since (hazard H8).
func (c *pcbgroupCPU) relocked(inp *Inpcb, seg *Segment) {
	if inp.tp.state == Listen && !c.stillBest(inp, &seg.Inc) {
		c.gone++
		inp.wunlock()
		c.inputExclusive(seg)
		return
	}
	c.inputLocked(inp, seg)
}

// stillBest reports whether a lookup would find inp, which is locked; under tcbinfo that stays so.
func (c *pcbgroupCPU) stillBest(inp *Inpcb, inc *ConnInfo) bool {
	again := c.lookup(inc)
	if again != nil {
		again.rele()
	}
	return again == inp
}

// inputExclusive is findpcb with tcbinfo held: nothing can go while its lock is waited for.
func (c *pcbgroupCPU) inputExclusive(seg *Segment) {
	inp := c.find(&seg.Inc)
	if inp == nil {
		c.drop(seg, DropNoPCB)
		c.unlock()
		return
	}
	c.inputLocked(inp, seg)
}

// inputLocked has tcbinfo and inp locked, and lets go of both.
func (c *pcbgroupCPU) inputLocked(inp *Inpcb, seg *Segment) {
	if inp.tp.state == Listen {
		child := c.listen(&c.in.sc, seg)
		inp.wunlock()
		if child == nil {
			c.unlock()
			return
		}
		inp = child
		inp.wlock()
		c.insert(inp)
	}
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.startTimeWait(&c.in.tb.tw, inp)
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

// lookup is in_pcblookup_group up to the inpcb's lock: one critical section of one group's lock, so that its answer was right at an instant. What
// it finds has a reference.
func (c *pcbgroupCPU) lookup(inc *ConnInfo) *Inpcb {
	hash := inc.hash(c.b.cfg.Seed)
	g, i := c.enter(hash)
	inp := g.lookupExact(inc, hash)
	if inp == nil {
		inp = c.in.wild.lookupWild(inc.Laddr, inc.Lport)
	}
	if inp != nil {
		inp.ref()
	}
	c.leave(i)
	return inp
}

// find is in_pcblookup_group: the inpcb for inc, locked. What was dropped while its lock was waited for is reported as none, though a listener or a
// successor may be there (hazard H5). What was found bound is a connection when its lock is got; if not this one, it was never asked for (hazard H10).
func (c *pcbgroupCPU) find(inc *ConnInfo) *Inpcb {
	for {
		inp := c.lookup(inc)
		if inp == nil {
			return nil
		}
		inp.wlock()
		dropped := inp.is(inpDropped)
		if !dropped && (inp.inc.Fport == 0 || inp.inc.match(inc)) {
			inp.rele() // the table's own is left
			return inp
		}
		inp.wunlock()
		c.rele(inp)
		if !dropped {
			c.bound++
			continue
		}
		c.lostRace++
		if !c.retry {
			return nil
		}
	}
}

// insert puts inp, which is locked, into the table and its group, with tcbinfo held (in_pcbinshash).
func (c *pcbgroupCPU) insert(inp *Inpcb) {
	c.lockHash()
	c.in.tb.insertHash(inp)
	c.enterGroup(inp)
	c.unlockHash()
	c.in.tb.insertList(inp)
}

// enterGroup publishes inp to lookups.
func (c *pcbgroupCPU) enterGroup(inp *Inpcb) {
	g, i := c.enter(inp.hash)
	g.insert(inp)
	c.leave(i)
}

// close takes inp, which is locked, out of the table and gives back the table's reference, with tcbinfo held (in_pcbdrop, in_pcbfree).
func (c *pcbgroupCPU) close(inp *Inpcb) {
	tb := &c.in.tb
	inp.flags |= inpDropped | inpFreed
	tb.tw.remove(inp)
	c.lockHash()
	tb.removeHash(inp)
	if inp.inc.Fport == 0 {
		c.enterAll()
		c.in.wild.removeWild(inp)
		c.leaveAll()
	} else {
		g, i := c.enter(inp.hash)
		g.remove(inp)
		c.leave(i)
	}
	c.unlockHash()
	tb.removeList(inp)
	inp.wunlock()
	c.rele(inp)
}

// lookupUser finds what a user names, with a reference; what is bound is no listener.
func (c *pcbgroupCPU) lookupUser(inc *ConnInfo) (inp *Inpcb) {
	hash := inc.hash(c.b.cfg.Seed)
	g, i := c.enter(hash)
	if inc.Fport == 0 {
		inp = c.in.wild.lookupListener(inc.Laddr, inc.Lport)
	} else {
		inp = g.lookupExact(inc, hash)
	}
	if inp != nil {
		inp.ref()
	}
	c.leave(i)
	return inp
}

// findUser returns what a user names, locked, with tcbinfo held.
func (c *pcbgroupCPU) findUser(inc *ConnInfo) *Inpcb {
	inp := c.lookupUser(inc)
	if inp != nil {
		inp.wlock()
		inp.rele() // the table's own is left
	}
	return inp
}

// Send needs the inpcb's lock only, once it is found.
func (c *pcbgroupCPU) Send(inc *ConnInfo, n int) error {
	inp := c.lookupUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	inp.wlock()
	err := ErrNotFound
	if !inp.is(inpDropped) {
		err = c.send(inp, inc, n)
	}
	inp.wunlock()
	c.rele(inp)
	return err
}

// Connect chooses the port and looks for a duplicate in the reservation table, and binds and connects in the same section of hashLock. What is bound
// stands in the wildcard hash; from there it goes to its group.
func (c *pcbgroupCPU) Connect(inc *ConnInfo) (uint32, error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	c.lock()
	defer c.unlock()
	inp := c.alloc(*inc)
	inp.wlock()
	c.lockHash()
	err := c.choosePort(&c.in.tb, inc)
	if err == nil {
		c.startConnect(inp, inc)
		c.in.tb.insertHash(inp)
		c.bind(inp)
		c.migrate(inp)
	}
	c.unlockHash()
	iss := inp.tp.iss
	if err == nil {
		c.in.tb.insertList(inp)
	}
	inp.wunlock()
	if err != nil {
		c.free(inp)
	}
	return iss, err
}

// bind publishes inp, which is locked, by its local end (in_pcbwild_add). Its key is whole already and does not change (hazard H10): a lookup that
// finds it here compares the local end only, waits for its lock, and then compares the rest.
func (c *pcbgroupCPU) bind(inp *Inpcb) {
	c.enterAll()
	c.in.wild.insertWild(inp)
	c.leaveAll()
}

// migrate moves inp, which is locked and bound, to its group (in_pcbgroup_update). In between it is nowhere (hazard H11). A lookup that passes then
// answers as if there never had been a Connect, and that has not returned; whoever found inp before has to wait for its lock, hence until it is
// in its group; and who would find it in the reservation table waits for hashLock. So nobody can have known of it.
func (c *pcbgroupCPU) migrate(inp *Inpcb) {
	c.migrations++
	c.enterAll()
	c.in.wild.removeWild(inp)
	c.leaveAll()
	c.enterGroup(inp)
}

func (c *pcbgroupCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	c.lock()
	defer c.unlock()
	inp := c.allocListen(inc)
	inp.wlock()
	c.lockHash()
	taken := c.in.tb.lookupListener(inc.Laddr, inc.Lport) != nil
	if !taken {
		c.in.tb.insertHash(inp)
		c.bind(inp)
	}
	c.unlockHash()
	if !taken {
		c.in.tb.insertList(inp)
	}
	inp.wunlock()
	if taken {
		c.free(inp)
		return ErrInUse
	}
	return nil
}

func (c *pcbgroupCPU) Close(inc *ConnInfo) error {
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

func (c *pcbgroupCPU) Abort(inc *ConnInfo) error {
	c.lock()
	defer c.unlock()
	inp := c.findUser(inc)
	if inp == nil {
		return c.abortHalfOpen(&c.in.sc, inc)
	}
	c.close(inp)
	return nil
}

// SlowTimo holds tcbinfo over the whole scan, as the 2MSL timer did in FreeBSD 9 (hazard H18); input of open connections goes on.
func (c *pcbgroupCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	c.lock()
	defer c.unlock()
	for inp := c.in.tb.tw.expired(now); inp != nil; inp = c.in.tb.tw.expired(now) {
		c.stats.Expired++
		inp.wlock()
		c.close(inp)
	}
}

// Walk takes a reference on every inpcb under tcbinfo, and copies each under its own lock with tcbinfo dropped.
func (in *pcbgroupInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	in.snap = in.snap[:0]
	c.lock()
	for inp := in.tb.list.Load(); inp != nil; inp = inp.listNext.Load() {
		inp.ref()
		in.snap = append(in.snap, inp)
	}
	c.unlock()
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

func (in *pcbgroupInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.lock()
	defer c.unlock()
	return in.tb.count
}

func (in *pcbgroupInfo) Counters() []Counter {
	var sum pcbgroupCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.acquired += h.acquired
		sum.collisions += h.collisions
		sum.readPath += h.readPath
		sum.tried += h.tried
		sum.reacquired += h.reacquired
		sum.gone += h.gone
		sum.lostRace += h.lostRace
		sum.bound += h.bound
		sum.migrations += h.migrations
	}
	return []Counter{
		{Name: "group-locks", Value: sum.acquired},
		{Name: "group-collisions", Value: sum.collisions},
		{Name: "read-path", Value: sum.readPath},
		{Name: "tried", Value: sum.tried},
		{Name: "reacquired", Value: sum.reacquired},
		{Name: "gone", Value: sum.gone},
		{Name: "lost-race", Value: sum.lostRace},
		{Name: "bound", Value: sum.bound},
		{Name: "migrations", Value: sum.migrations},
	}
}

func (in *pcbgroupInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	if err := in.audit(); err != nil {
		return err // emptying what is broken may not end
	}
	err := in.finish(in.tb.gencnt, []*table{&in.tb}, []*syncache{&in.sc}, func() {
		c.lock()
		defer c.unlock()
		for inp := in.tb.list.Load(); inp != nil; inp = in.tb.list.Load() {
			inp.wlock()
			c.close(inp)
		}
	})
	return errors.Join(err, in.audit())
}

// audit looks at the groups at rest.
func (in *pcbgroupInfo) audit() error {
	hashes := make([]*groupHash, len(in.groups))
	for i := range in.groups {
		hashes[i] = &in.groups[i].hash
	}
	return in.tb.auditGroups(hashes, &in.wild, in.index)
}
