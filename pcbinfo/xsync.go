package pcbinfo

import (
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v4"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
	"pcbbench/locks/witness"
)

// xsync.go: a concurrent hash table by xsync, whose lookups take no lock.
// Source: github.com/puzpuzpuz/xsync v4, Map: cache-line hash table (David, Guerraoui and Trigonakis, ASPLOS 2015) with SwissTable's tag bytes.
// Idea: load the pointer, lock the inpcb, look whether it is still in the table; the collector keeps the memory while somebody has the pointer.
// Cost: as a rule two lines a lookup, the bucket's and the entry's; a bucket's lock for a writer; every connection is two allocations, and garbage in
// the end; a table that grows keeps writers until it is copied.
// Holds: inpcb before ports before syncache bucket; a four-tuple enters the table and the syncache under its bucket's lock only; a lookup's answer is
// one moment's, as the listeners were the same before and after it.

type xsyncInfo struct {
	base
	conns   *xsync.Map[ConnInfo, *Inpcb]
	wild    listeners     // written under ports
	gen     atomic.Uint64 // the number of walks begun, which is every inpcb's gencnt: read by all, written by walks
	_       [lineSize]byte
	ports   locks.Mtx // who chooses a port, and whose listener comes or goes
	_       [lineSize]byte
	twLock  locks.Mtx // the TIME_WAIT queue
	tw      twQueue
	_       [lineSize]byte
	sc      syncache
	walk    locks.Mtx // walkers take turns: they share the table's own handle
	handles []xsyncCPU
}

type xsyncCPU struct {
	*cpu
	in      *xsyncInfo
	gone    uint64 // waited for, and then it was dropped: looked up again
	stale   uint64 // a listener, and then it was not the best match any more
	changed uint64 // listeners came or went beside a lookup: looked up again
	_       [lineSize]byte
}

func newXsync(cfg Config) (Info, error) {
	dom, err := smr.New("gc", cfg.CPUs+1)
	if err != nil {
		return nil, err
	}
	in := &xsyncInfo{conns: xsync.NewMap[ConnInfo, *Inpcb](xsync.WithPresize(cfg.Conns))}
	witness.Name(&in.ports, "ports")
	witness.Name(&in.twLock, "twLock")
	witness.Name(&in.walk, "walk")
	in.init(cfg, dom)
	in.wild.init()
	in.sc.init(syncacheSize(&cfg), false)
	in.handles = make([]xsyncCPU, len(in.cpus))
	for i, c := range in.cpus {
		in.handles[i].cpu, in.handles[i].in = c, in
	}
	return in, nil
}

func (in *xsyncInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

// load is one name's connection. What it returns pairs with insert's LoadOrStore: an inpcb seen in the map is whole.
func (in *xsyncInfo) load(inc *ConnInfo) *Inpcb {
	probe.Load(in.conns)
	inp, _ := in.conns.Load(*inc)
	return inp
}

func (c *xsyncCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.input(seg)
	}
}

func (c *xsyncCPU) input(seg *Segment) {
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

// inputListen has lsn locked shared and lets go of it. Under the bucket's lock nothing of this name can enter the table: the second look holds until
// the syncache has answered and the child is in the table. Who comes with a copy of the same ACK finds it there (hazard H8).
func (c *xsyncCPU) inputListen(lsn *Inpcb, seg *Segment) {
	b := c.in.sc.bucket(&seg.Inc)
	b.lock.Lock(nil)
	best := c.lookup(&seg.Inc) == lsn
	var child *Inpcb
	if best {
		if child = c.listen(&c.in.sc, seg); child != nil {
			child.claim()
			if !c.insert(child) {
				panic("pcbinfo: a handshake ends in a name that is taken: " + child.inc.String())
			}
		}
	}
	b.lock.Unlock(nil)
	lsn.runlock()
	switch {
	case !best:
		c.stale++
		c.input(seg)
	case child != nil:
		c.inputLocked(child, seg)
	}
}

// inputLocked has inp locked exclusively and lets go of it.
func (c *xsyncCPU) inputLocked(inp *Inpcb, seg *Segment) {
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.in.twLock.Lock(nil)
		c.startTimeWait(&c.in.tw, inp)
		c.in.twLock.Unlock(nil)
		inp.wunlock()
	case reopen:
		c.close(inp)
		c.input(seg)
	default:
		inp.wunlock()
	}
}

// lookup finds the inpcb for a segment: the connection, else the listener that fits best. If the listeners are the same afterwards, they were when no
// connection was there, and the answer is right for that moment (hazard H5).
func (c *xsyncCPU) lookup(inc *ConnInfo) *Inpcb {
	for {
		wild := c.in.wild.load()
		if inp := c.in.load(inc); inp != nil {
			return inp
		}
		if c.in.wild.load() == wild {
			return wild.listener(inc.Laddr, inc.Lport)
		}
		c.changed++
	}
}

// lookupUser finds what a user names.
func (c *xsyncCPU) lookupUser(inc *ConnInfo) *Inpcb {
	if inc.Fport == 0 {
		return c.in.wild.load().exact(inc.named())
	}
	return c.in.load(inc)
}

// find is lookup and the inpcb's lock: a listener's shared, a connection's exclusively.
func (c *xsyncCPU) find(inc *ConnInfo) *Inpcb {
	for {
		inp := c.lookup(inc)
		if inp == nil || c.lockInp(inp, inp.inc.Fport == 0) {
			return inp
		}
	}
}

// findUser is lookupUser and the inpcb's lock.
func (c *xsyncCPU) findUser(inc *ConnInfo) *Inpcb {
	for {
		inp := c.lookupUser(inc)
		if inp == nil || c.lockInp(inp, false) {
			return inp
		}
	}
}

// lockInp waits for inp's lock, and refuses an inpcb that was dropped: it left the map before its lock was let go, so that the next look does not meet it.
func (c *xsyncCPU) lockInp(inp *Inpcb, shared bool) bool {
	inp.acquire(shared)
	if !inp.is(inpDropped) {
		return true
	}
	inp.release(shared)
	c.gone++
	return false
}

// insert enters a connection, locked by the caller under its bucket's lock, unless its name is taken (hazard H9).
func (c *xsyncCPU) insert(inp *Inpcb) bool {
	c.number(inp)
	probe.RMW(c.in.conns)
	_, taken := c.in.conns.LoadOrStore(inp.inc, inp)
	return !taken
}

// number gives inp its generation. A walk's first step is to count gen on, so that what is inserted later is newer.
func (c *xsyncCPU) number(inp *Inpcb) {
	probe.Load(&c.in.gen)
	inp.gencnt = c.in.gen.Load()
}

// close takes inp, which is locked, out of the table and leaves it to the collector.
func (c *xsyncCPU) close(inp *Inpcb) {
	inp.flags |= inpDropped | inpFreed
	if inp.onTw { // changes only under both inpcb and twLock, so this look is safe
		c.in.twLock.Lock(nil)
		c.in.tw.remove(inp)
		c.in.twLock.Unlock(nil)
	}
	if inp.inc.Fport == 0 {
		c.in.ports.Lock(nil)
		c.in.wild.remove(inp)
		c.in.ports.Unlock(nil)
	} else {
		probe.RMW(c.in.conns)
		if was, _ := c.in.conns.LoadAndDelete(inp.inc); was != inp {
			panic("pcbinfo: close of an inpcb that is not in the map: " + inp.inc.String())
		}
	}
	inp.wunlock()
	c.rele(inp)
}

// Send needs the inpcb's lock only.
func (c *xsyncCPU) Send(inc *ConnInfo, n int) error {
	inp := c.findUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	inp.wunlock()
	return err
}

// Connect holds ports while it chooses one, so that no listener and no other choice comes between.
func (c *xsyncCPU) Connect(inc *ConnInfo) (uint32, error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	inp := c.alloc(*inc)
	inp.wlock()
	var err error
	if inc.Lport == 0 {
		c.in.ports.Lock(nil)
		wild := c.in.wild.load() // and so until ports is let go
		err = c.ephemeral(inc, func() bool { return wild.listener(inc.Laddr, inc.Lport) == nil && c.connect(inp, inc) })
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

// connect enters inp, locked by the caller, under inc's name, unless that is taken.
func (c *xsyncCPU) connect(inp *Inpcb, inc *ConnInfo) bool {
	b := c.in.sc.bucket(inc)
	b.lock.Lock(nil)
	defer b.lock.Unlock(nil)
	c.startConnect(inp, inc)
	return c.insert(inp)
}

func (c *xsyncCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	inp := c.allocListen(inc)
	inp.wlock()
	c.in.ports.Lock(nil)
	taken := c.in.wild.load().exact(&inp.inc) != nil
	if !taken {
		c.number(inp)
		c.in.wild.insert(inp)
	}
	c.in.ports.Unlock(nil)
	inp.wunlock()
	if taken {
		c.free(inp)
		return ErrInUse
	}
	return nil
}

func (c *xsyncCPU) Close(inc *ConnInfo) error {
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

func (c *xsyncCPU) Abort(inc *ConnInfo) error {
	for {
		if inp := c.findUser(inc); inp != nil {
			c.close(inp)
			return nil
		}
		b := c.in.sc.bucket(inc)
		b.lock.Lock(nil)
		none, err := c.lookupUser(inc) == nil, error(nil)
		if none { // and so until the bucket is let go
			err = c.abortHalfOpen(&c.in.sc, inc)
		}
		b.lock.Unlock(nil)
		if none {
			return err
		}
	}
}

// SlowTimo takes the oldest from the queue's head under twLock, then its lock, and looks again. Nothing waits for the scan as a whole.
func (c *xsyncCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for {
		c.in.twLock.Lock(nil)
		inp := c.in.tw.expired(now)
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
	}
}

// Walk begins a new generation and shows what is older. Range goes by no moment, but meets each name once, and all that stay.
func (in *xsyncInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	probe.RMW(&in.gen)
	gen := in.gen.Add(1)
	more := true
	in.conns.Range(func(_ ConnInfo, inp *Inpcb) bool {
		more = c.visit(inp, gen, f)
		return more
	})
	if !more {
		return
	}
	for _, inp := range in.wild.load().m {
		if !c.visit(inp, gen, f) {
			return
		}
	}
}

// visit shows inp if it is older than the walk and still there.
func (c *xsyncCPU) visit(inp *Inpcb, gen uint64, f func(*Xinpcb) bool) (more bool) {
	x := &c.in.x
	inp.rlock()
	here := !inp.is(inpDropped) && inp.gencnt < gen
	if here {
		c.show(x, inp)
	}
	inp.runlock()
	return !here || f(x)
}

// Len sums the stripes in which the map counts. It is no moment's count.
func (in *xsyncInfo) Len() int { return in.conns.Size() + len(in.wild.load().m) }

func (in *xsyncInfo) Counters() []Counter {
	var sum xsyncCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.gone += h.gone
		sum.stale += h.stale
		sum.changed += h.changed
	}
	return []Counter{
		{Name: "gone", Value: sum.gone},
		{Name: "stale", Value: sum.stale},
		{Name: "changed", Value: sum.changed},
	}
}

func (in *xsyncInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	wild := in.wild.part()
	conns := mapped{
		func(f func(ConnInfo, *Inpcb)) {
			in.conns.Range(func(name ConnInfo, inp *Inpcb) bool {
				f(name, inp)
				return true
			})
		},
		in.load, in.conns.Size, &in.tw,
	}
	return in.finish(in.gen.Load(), nil, []*syncache{&in.sc}, func() {
		for _, p := range []mapped{conns, wild} {
			p.each(func(_ ConnInfo, inp *Inpcb) {
				inp.wlock()
				c.close(inp)
			})
		}
	}, conns, wild)
}
