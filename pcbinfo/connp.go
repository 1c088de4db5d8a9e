package pcbinfo

import (
	"cmp"

	"pcbbench/locks"
	"pcbbench/locks/witness"
)

// connp.go: connection groups, one lock a group and no inpcb locks (ConnP-L).
// Source: Willmann, Rixner and Cox, USENIX ATC 2006, section 2.3; listeners as in FreeBSD 9's in_pcbgroup.c (2011).
// Idea: the four-tuple's hash chooses a group; who holds the group's lock owns every connection in it.
// Cost: two connections of one group exclude each other (a collision); a listener comes or goes under all locks at once.
// Holds: groups are locked in index order; the table of listeners is written under all group locks and read under any.

const maxGroups = 1 << 12

// A group is one share of the connections with everything that belongs to them.
type group struct {
	lock locks.Lock
	_    [lineSize - 16]byte
	tb   table    // under lock
	sc   syncache // under lock
	_    [lineSize]byte
}

type connpInfo struct {
	base
	groups  []group
	wild    table  // the listeners: written under all group locks, read under any
	gen     uint64 // as wild: the number of walks begun, which is every inpcb's gencnt
	_       [lineSize]byte
	walk    locks.Mtx // walkers take turns: they share the table's own handle
	handles []connpCPU
}

type connpCPU struct {
	*cpu
	in         *connpInfo
	nodes      []locks.Node // one a group, since listeners want all locks at once
	acquired   uint64       // group locks taken for one connection
	collisions uint64       // of these, how many had to wait: somebody was in the same group
	_          [lineSize]byte
}

func newConnp(cfg Config) (Info, error) {
	cfg.Groups = cmp.Or(cfg.Groups, 64)
	in := &connpInfo{groups: make([]group, cfg.Groups)}
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.wild.init(1, 1, cfg.Seed)
	conns := max(1, cfg.Conns/cfg.Groups)
	for i := range in.groups {
		g := &in.groups[i]
		lock, err := cfg.Lock.New(cfg.CPUs)
		if err != nil {
			return nil, err
		}
		g.lock = lock
		witness.Name(lock, "group")
		witness.Rank(lock, i+1)
		g.tb.init(conns, cfg.Buckets, cfg.Seed)
		g.sc.init(max(1, syncacheSize(&cfg)/cfg.Groups), false)
	}
	in.handles = make([]connpCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in = c, in
		in.handles[i].nodes = make([]locks.Node, cfg.Groups)
	}
	return in, nil
}

func (in *connpInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

// index chooses a group by the hash's high bits; the group's table uses the low ones.
func (in *connpInfo) index(hash uint32) int { return int(uint64(hash) * uint64(len(in.groups)) >> 32) }

// enter locks the group of a connection with the given hash, leave unlocks it.
func (c *connpCPU) enter(hash uint32) (*group, int) {
	i := c.in.index(hash)
	g := &c.in.groups[i]
	c.acquired++
	if !g.lock.TryLock(&c.nodes[i]) {
		c.collisions++
		g.lock.Lock(&c.nodes[i])
	}
	return g, i
}

func (c *connpCPU) leave(i int) { c.in.groups[i].lock.Unlock(&c.nodes[i]) }

func (c *connpCPU) enterAll() {
	for i := range c.in.groups {
		c.in.groups[i].lock.Lock(&c.nodes[i])
	}
}

func (c *connpCPU) leaveAll() {
	for i := range c.in.groups {
		c.leave(i)
	}
}

func (c *connpCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		hash := seg.Inc.hash(c.b.cfg.Seed)
		g, i := c.enter(hash)
		c.input(g, seg, hash)
		c.leave(i)
	}
}

// input is called with the segment's group g locked.
func (c *connpCPU) input(g *group, seg *Segment, hash uint32) {
	inp := g.tb.lookupExact(&seg.Inc, hash)
	if inp == nil {
		if c.in.wild.lookupWild(seg.Inc.Laddr, seg.Inc.Lport) == nil {
			c.drop(seg, DropNoPCB)
			return
		}
		if inp = c.listen(&g.sc, seg); inp == nil {
			return
		}
		c.insert(&g.tb, inp)
	}
	switch c.process(inp, seg) {
	case remove:
		c.close(&g.tb, inp)
	case timeWait:
		c.startTimeWait(&g.tb.tw, inp)
	case reopen:
		c.close(&g.tb, inp)
		c.input(g, seg, hash)
	}
}

func (c *connpCPU) insert(tb *table, inp *Inpcb) {
	tb.insert(inp)
	inp.gencnt = c.in.gen
}

// close takes inp out of its table and frees it.
func (c *connpCPU) close(tb *table, inp *Inpcb) {
	tb.remove(inp)
	c.free(inp)
}

func (c *connpCPU) Send(inc *ConnInfo, n int) error {
	g, i := c.enter(inc.hash(c.b.cfg.Seed))
	defer c.leave(i)
	tb := &g.tb
	if inc.Fport == 0 {
		tb = &c.in.wild // read under any group's lock, as a listener refuses unchanged
	}
	inp := tb.lookupUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	return c.send(inp, inc, n)
}

// Connect tries one port after another, each in the group that its four-tuple falls into: ports need no table of their own.
func (c *connpCPU) Connect(inc *ConnInfo) (iss uint32, err error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	if inc.Lport != 0 {
		if !c.connect(inc, &iss, false) {
			return 0, ErrInUse
		}
		return iss, nil
	}
	err = c.ephemeral(inc, func() bool { return c.connect(inc, &iss, true) })
	return iss, err
}

func (c *connpCPU) connect(inc *ConnInfo, iss *uint32, ephemeral bool) bool {
	hash := inc.hash(c.b.cfg.Seed)
	g, i := c.enter(hash)
	defer c.leave(i)
	if g.tb.lookupExact(inc, hash) != nil || ephemeral && c.in.wild.lookupWild(inc.Laddr, inc.Lport) != nil {
		return false
	}
	inp := c.allocConnect(inc)
	*iss = inp.tp.iss
	c.insert(&g.tb, inp)
	return true
}

func (c *connpCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	c.enterAll()
	defer c.leaveAll()
	if c.in.wild.lookupListener(inc.Laddr, inc.Lport) != nil {
		return ErrInUse
	}
	c.insert(&c.in.wild, c.allocListen(inc))
	return nil
}

func (c *connpCPU) Close(inc *ConnInfo) error {
	if inc.Fport == 0 {
		return c.closeListener(inc)
	}
	hash := inc.hash(c.b.cfg.Seed)
	g, i := c.enter(hash)
	defer c.leave(i)
	inp := g.tb.lookupExact(inc, hash)
	if inp == nil {
		return ErrNotFound
	}
	gone, err := c.usrClosed(inp, inc)
	if gone {
		c.close(&g.tb, inp)
	}
	return err
}

func (c *connpCPU) closeListener(inc *ConnInfo) error {
	c.enterAll()
	defer c.leaveAll()
	inp := c.in.wild.lookupUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	c.close(&c.in.wild, inp)
	return nil
}

func (c *connpCPU) Abort(inc *ConnInfo) error {
	if inc.Fport == 0 {
		return c.closeListener(inc)
	}
	hash := inc.hash(c.b.cfg.Seed)
	g, i := c.enter(hash)
	defer c.leave(i)
	inp := g.tb.lookupExact(inc, hash)
	if inp == nil {
		return c.abortHalfOpen(&g.sc, inc)
	}
	c.close(&g.tb, inp)
	return nil
}

// SlowTimo scans group by group, so that input waits for one group's scan at most.
func (c *connpCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for i := range c.in.groups {
		g := &c.in.groups[i]
		g.lock.Lock(&c.nodes[i])
		for inp := g.tb.tw.expired(now); inp != nil; inp = g.tb.tw.expired(now) {
			c.stats.Expired++
			c.close(&g.tb, inp)
		}
		c.leave(i)
	}
}

// Walk begins a new generation under all locks and then copies group by group what is older: no insertion has to touch a
// counter that all groups share.
func (in *connpInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.enterAll()
	in.gen++
	c.leaveAll()
	for i := range in.groups {
		if !c.walkGroup(i, &in.groups[i].tb, f) {
			return
		}
	}
	c.walkGroup(0, &in.wild, f)
}

// walkGroup copies tb's inpcbs under the lock of group i.
func (c *connpCPU) walkGroup(i int, tb *table, f func(*Xinpcb) bool) (more bool) {
	c.in.groups[i].lock.Lock(&c.nodes[i])
	defer c.leave(i)
	x := &c.in.x
	for inp := tb.list.Load(); inp != nil; inp = inp.listNext.Load() {
		if inp.gencnt >= c.in.gen {
			continue
		}
		if c.show(x, inp); !f(x) {
			return false
		}
	}
	return true
}

func (in *connpInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	c.enterAll()
	defer c.leaveAll()
	n := in.wild.count
	for i := range in.groups {
		n += in.groups[i].tb.count
	}
	return n
}

func (in *connpInfo) Counters() []Counter {
	var acquired, collisions uint64
	for i := range in.handles {
		acquired += in.handles[i].acquired
		collisions += in.handles[i].collisions
	}
	return []Counter{{Name: "group-locks", Value: acquired}, {Name: "group-collisions", Value: collisions}}
}

func (in *connpInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	tables, caches := []*table{&in.wild}, []*syncache{}
	for i := range in.groups {
		tables, caches = append(tables, &in.groups[i].tb), append(caches, &in.groups[i].sc)
	}
	return in.finish(in.gen, tables, caches, func() {
		c.enterAll()
		defer c.leaveAll()
		c.closeAll(&in.wild)
		for i := range in.groups {
			c.closeAll(&in.groups[i].tb)
		}
	})
}

func (c *connpCPU) closeAll(tb *table) {
	for inp := tb.list.Load(); inp != nil; inp = tb.list.Load() {
		c.close(tb, inp)
	}
}
