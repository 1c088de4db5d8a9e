package pcbinfo

import (
	"cmp"

	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

// shardmap.go: Go maps, each under a shared/exclusive lock of its own.
// Source: what Go programs do where one map and one lock are too few: orcaman/concurrent-map, and the shards of caches such as bigcache.
// Idea: the four-tuple's hash chooses a shard; look up and take a reference under its lock shared, let go, lock the inpcb, look whether it
// is still in the table.
// Cost: two hashes and two locks a segment; many readers of one shard share its lock's word; a Go map is bigger than chains, and now and then grows.
// Holds: inpcb before syncache bucket before shard before listeners; a pointer outside a lock has a reference; a four-tuple enters the table and the
// syncache under its bucket's lock only.

// A shard is one share of the connections.
type shard struct {
	lock locks.RWLock
	_    [lineSize - 16]byte
	nm   nameMap // under lock
	tw   twQueue // under lock exclusively
	_    [lineSize - 40]byte
}

type shardmapInfo struct {
	base
	shards   []shard
	wildLock locks.RWLock
	wild     nameMap       // the listeners: under wildLock
	gen      atomic.Uint64 // the number of walks begun, which is every inpcb's gencnt: read by all, written by walks
	_        [lineSize]byte
	ports    locks.Mtx // who chooses a port, and whose listener comes or goes
	_        [lineSize]byte
	sc       syncache
	walk     locks.Mtx // walkers take turns: they share the table's own handle
	snap     []*Inpcb  // under walk: the inpcbs referenced by the walk
	handles  []shardmapCPU
}

type shardmapCPU struct {
	*cpu
	in       *shardmapInfo
	wildNode locks.Node // for wildLock, beside the shard's
	gone     uint64     // waited for, and then it was dropped: looked up again
	stale    uint64     // a listener, and then it was not the best match any more
	_        [lineSize]byte
}

func newShardmap(cfg Config) (Info, error) {
	cfg.Groups = cmp.Or(cfg.Groups, 64)
	in := &shardmapInfo{shards: make([]shard, cfg.Groups)}
	wildLock, err := cfg.Lock.NewRW(cfg.CPUs)
	if err != nil {
		return nil, err
	}
	in.wildLock = wildLock
	witness.Name(in.wildLock, "listeners")
	witness.Name(&in.ports, "ports")
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.wild = newNameMap(0)
	for i := range in.shards {
		s := &in.shards[i]
		if s.lock, err = cfg.Lock.NewRW(cfg.CPUs); err != nil {
			return nil, err
		}
		witness.Name(s.lock, "shard")
		s.nm = newNameMap(cfg.Conns / cfg.Groups)
	}
	in.sc.init(syncacheSize(&cfg), false)
	in.handles = make([]shardmapCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in = c, in
	}
	return in, nil
}

func (in *shardmapInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

// shard chooses by the hash's high bits; the map in it hashes by its own.
func (in *shardmapInfo) shard(inc *ConnInfo) *shard {
	return &in.shards[uint64(inc.hash(in.cfg.Seed))*uint64(len(in.shards))>>32]
}

func (c *shardmapCPU) lock(s *shard)    { s.lock.Lock(&c.node) }
func (c *shardmapCPU) unlock(s *shard)  { s.lock.Unlock(&c.node) }
func (c *shardmapCPU) rlock(s *shard)   { s.lock.RLock(&c.node) }
func (c *shardmapCPU) runlock(s *shard) { s.lock.RUnlock(&c.node) }

func (c *shardmapCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.input(seg)
	}
}

func (c *shardmapCPU) input(seg *Segment) {
	inp := c.find(&seg.Inc)
	switch {
	case inp == nil:
		c.drop(seg, DropNoPCB)
	case inp.inc.Fport == 0:
		c.inputListen(inp, seg)
	default:
		c.inputLocked(inp, seg)
	}
}

// inputListen has lsn locked shared, with a reference, and gives back both. Under the bucket's lock nothing of this name can enter the table: the second
// look holds until the syncache has answered and the child is in the table. Who comes with a copy of the same ACK finds it there (hazard H8).
func (c *shardmapCPU) inputListen(lsn *Inpcb, seg *Segment) {
	b := c.in.sc.bucket(&seg.Inc)
	b.lock.Lock(nil)
	again := c.lookup(&seg.Inc)
	var child *Inpcb
	if again == lsn {
		if child = c.listen(&c.in.sc, seg); child != nil {
			child.claim()
			child.ref()
			c.insert(child)
		}
	}
	b.lock.Unlock(nil)
	lsn.runlock()
	if again != nil {
		c.rele(again)
	}
	c.rele(lsn)
	switch {
	case again != lsn:
		c.stale++
		c.input(seg)
	case child != nil:
		c.inputLocked(child, seg)
	}
}

// inputLocked has inp locked exclusively, with a reference, and gives back both.
func (c *shardmapCPU) inputLocked(inp *Inpcb, seg *Segment) {
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		s := c.in.shard(&inp.inc)
		c.lock(s)
		c.startTimeWait(&s.tw, inp)
		c.unlock(s)
	case reopen:
		c.close(inp)
		c.leave(inp)
		c.input(seg)
		return
	}
	c.leave(inp)
}

// lookup finds the inpcb for a segment, and takes a reference: the connection, else the listener that fits best. At the second look both maps are
// locked, so that the answer is right for that moment.
func (c *shardmapCPU) lookup(inc *ConnInfo) *Inpcb {
	s := c.in.shard(inc)
	c.rlock(s)
	inp := s.nm.exact(inc)
	if inp != nil {
		inp.ref()
	} else {
		inp = c.lookupWild(inc)
	}
	c.runlock(s)
	return inp
}

func (c *shardmapCPU) lookupWild(inc *ConnInfo) *Inpcb {
	c.in.wildLock.RLock(&c.wildNode)
	inp := c.in.wild.listener(inc.Laddr, inc.Lport)
	if inp != nil {
		inp.ref()
	}
	c.in.wildLock.RUnlock(&c.wildNode)
	return inp
}

// lookupUser finds what a user names, and takes a reference.
func (c *shardmapCPU) lookupUser(inc *ConnInfo) *Inpcb {
	lock, node, nm := c.in.wildLock, &c.wildNode, &c.in.wild
	if inc.Fport != 0 {
		s := c.in.shard(inc)
		lock, node, nm = s.lock, &c.node, &s.nm
	}
	lock.RLock(node)
	inp := nm.exact(inc.named())
	if inp != nil {
		inp.ref()
	}
	lock.RUnlock(node)
	return inp
}

// find is lookup and the inpcb's lock: a listener's shared, a connection's exclusively.
func (c *shardmapCPU) find(inc *ConnInfo) *Inpcb {
	for {
		inp := c.lookup(inc)
		if inp == nil || c.lockRef(inp, inp.inc.Fport == 0) {
			return inp
		}
	}
}

// findUser is lookupUser and the inpcb's lock.
func (c *shardmapCPU) findUser(inc *ConnInfo) *Inpcb {
	for {
		inp := c.lookupUser(inc)
		if inp == nil || c.lockRef(inp, false) {
			return inp
		}
	}
}

// lockRef waits for inp's lock, and refuses an inpcb that was dropped: it left the map before its lock was let go, so that the next look does not meet it.
func (c *shardmapCPU) lockRef(inp *Inpcb, shared bool) bool {
	inp.acquire(shared)
	if !inp.is(inpDropped) {
		return true
	}
	inp.release(shared)
	c.gone++
	c.rele(inp)
	return false
}

// leave lets go of inp, locked exclusively, and gives back the caller's reference.
func (c *shardmapCPU) leave(inp *Inpcb) {
	inp.wunlock()
	c.rele(inp)
}

// insert enters a connection, locked by the caller under its bucket's lock.
func (c *shardmapCPU) insert(inp *Inpcb) {
	s := c.in.shard(&inp.inc)
	c.lock(s)
	c.number(inp)
	s.nm.insert(inp)
	c.unlock(s)
}

// number gives inp its generation. A walk's first step is to count gen on, so that what is inserted later is newer.
func (c *shardmapCPU) number(inp *Inpcb) {
	probe.Load(&c.in.gen)
	inp.gencnt = c.in.gen.Load()
}

// close takes inp, which is locked, out of the table and gives back the table's reference.
func (c *shardmapCPU) close(inp *Inpcb) {
	inp.flags |= inpDropped | inpFreed
	if inp.inc.Fport == 0 {
		c.in.ports.Lock(nil)
		c.in.wildLock.Lock(&c.wildNode)
		c.in.wild.remove(inp)
		c.in.wildLock.Unlock(&c.wildNode)
		c.in.ports.Unlock(nil)
	} else {
		s := c.in.shard(&inp.inc)
		c.lock(s)
		s.tw.remove(inp)
		s.nm.remove(inp)
		c.unlock(s)
	}
	inp.rele() // the caller's own is left
}

// Send needs the inpcb's lock only, once it is found.
func (c *shardmapCPU) Send(inc *ConnInfo, n int) error {
	inp := c.findUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	c.leave(inp)
	return err
}

// Connect holds ports while it chooses one, so that no listener and no other choice comes between.
func (c *shardmapCPU) Connect(inc *ConnInfo) (uint32, error) {
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
	iss := inp.tp.iss
	inp.wunlock()
	if err != nil {
		c.free(inp)
		return 0, err
	}
	return iss, nil
}

// portFree reports whether no listener uses inc's port, and none will while the caller holds ports.
func (c *shardmapCPU) portFree(inc *ConnInfo) bool {
	lsn := c.lookupWild(inc)
	if lsn != nil {
		c.rele(lsn)
	}
	return lsn == nil
}

// connect enters inp, locked by the caller, under inc's name, unless that is taken (hazard H9).
func (c *shardmapCPU) connect(inp *Inpcb, inc *ConnInfo) bool {
	b := c.in.sc.bucket(inc)
	b.lock.Lock(nil)
	defer b.lock.Unlock(nil)
	if other := c.lookupUser(inc); other != nil {
		c.rele(other)
		return false
	}
	c.startConnect(inp, inc)
	c.insert(inp)
	return true
}

func (c *shardmapCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	inp := c.allocListen(inc)
	inp.wlock()
	c.in.ports.Lock(nil)
	c.in.wildLock.Lock(&c.wildNode)
	taken := c.in.wild.exact(&inp.inc) != nil
	if !taken {
		c.number(inp)
		c.in.wild.insert(inp)
	}
	c.in.wildLock.Unlock(&c.wildNode)
	c.in.ports.Unlock(nil)
	inp.wunlock()
	if taken {
		c.free(inp)
		return ErrInUse
	}
	return nil
}

func (c *shardmapCPU) Close(inc *ConnInfo) error {
	inp := c.findUser(inc)
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

func (c *shardmapCPU) Abort(inc *ConnInfo) error {
	for {
		if inp := c.findUser(inc); inp != nil {
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

// SlowTimo scans shard by shard: a reference under the shard's lock, then the inpcb's lock, and another look.
func (c *shardmapCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for i := range c.in.shards {
		for inp := c.expired(&c.in.shards[i], now); inp != nil; inp = c.expired(&c.in.shards[i], now) {
			inp.wlock()
			if inp.onTw && atOrBefore(inp.twExpire, now) { // changes only under both locks
				c.stats.Expired++
				c.close(inp)
			}
			c.leave(inp)
		}
	}
}

// expired is the shard's oldest TIME_WAIT if its time is over, with a reference.
func (c *shardmapCPU) expired(s *shard, now uint32) *Inpcb {
	c.lock(s)
	defer c.unlock(s)
	inp := s.tw.expired(now)
	if inp != nil {
		inp.ref()
	}
	return inp
}

// Walk begins a new generation, takes references shard by shard on what is older, and copies each under its own lock.
func (in *shardmapInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	probe.RMW(&in.gen)
	gen := in.gen.Add(1)
	for i := range in.shards {
		s := &in.shards[i]
		c.rlock(s)
		in.snap = s.nm.refer(in.snap[:0], gen)
		c.runlock(s)
		if !c.showSnap(f) {
			return
		}
	}
	in.wildLock.RLock(&c.wildNode)
	in.snap = in.wild.refer(in.snap[:0], gen)
	in.wildLock.RUnlock(&c.wildNode)
	c.showSnap(f)
}

// showSnap copies what the walk has referenced, each under its own lock, and gives back the references.
func (c *shardmapCPU) showSnap(f func(*Xinpcb) bool) (more bool) {
	x := &c.in.x
	more = true
	for _, inp := range c.in.snap {
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
	clear(c.in.snap)
	return more
}

// Len counts shard by shard: what moves meanwhile is counted at one moment or another.
func (in *shardmapInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	in.wildLock.RLock(&c.wildNode)
	n := len(in.wild.m)
	in.wildLock.RUnlock(&c.wildNode)
	for i := range in.shards {
		s := &in.shards[i]
		c.rlock(s)
		n += len(s.nm.m)
		c.runlock(s)
	}
	return n
}

func (in *shardmapInfo) Counters() []Counter {
	var gone, stale uint64
	for i := range in.handles {
		gone += in.handles[i].gone
		stale += in.handles[i].stale
	}
	return []Counter{{Name: "gone", Value: gone}, {Name: "stale", Value: stale}}
}

func (in *shardmapInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	parts := []mapped{in.wild.part(in.wild.exact, &twQueue{})}
	for i := range in.shards {
		s := &in.shards[i]
		parts = append(parts, s.nm.part(func(name *ConnInfo) *Inpcb { return in.shard(name).nm.exact(name) }, &s.tw))
	}
	return in.finish(in.gen.Load(), nil, []*syncache{&in.sc}, func() {
		for _, p := range parts {
			p.each(func(_ ConnInfo, inp *Inpcb) {
				inp.wlock()
				inp.ref()
				c.close(inp)
				c.leave(inp)
			})
		}
	}, parts...)
}
