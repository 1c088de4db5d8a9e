package pcbinfo

import (
	"cmp"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
	"pcbbench/locks/witness"
)

// bucket.go: as smr.go, but whoever writes the table locks one bucket of it, and there is nothing else that two of them share.
// Source: FreeBSD main, sys/netinet/in_pcb_var.h (struct inpbucket, struct inpcbinfo_ctx), 2025; in chain=nulls Linux, see nulls.go.
// Idea: the bucket of a four-tuple stands for all that bears that name, half-open connections too; a listener's and a port's stand for the port.
// Cost: 8 bytes more a bucket in large tables, a pair of lines in small ones; a second bucket where a port is chosen; a walk goes through every bucket there is. No lookup misses: nobody is the
// answer only if listeners stood still meanwhile.
// Holds: inpcb before ebucket before wbucket, never two of a kind; nobody waits for a lock inside a section; a pointer outside both a section and
// the inpcb's lock has a reference; an unlinked block keeps its links until its grace period is over.

type bucketInfo struct {
	base
	_       [lineSize]byte // lookups read what is below, walks write what is above
	dom     smr.Domain     // nil with chain=nulls
	bs      buckets
	sc      syncache
	walk    locks.Mtx // walkers take turns: they share the table's own handle
	snap    []*Inpcb  // what a walk has found in a bucket; walkers take turns
	handles []bucketCPU
}

type bucketCPU struct {
	*cpu
	in     *bucketInfo
	inside bool // in a read section
	// How lookups went.
	tried    uint64 // the try for the inpcb's lock worked
	waited   uint64 // the lock was waited for, with a reference
	slow     uint64 // nobody was found while listeners changed: looked up again under the buckets' locks
	lostRace uint64 // the inpcb found was going away: looked up again
	restarts uint64 // chain=nulls: what the lookup stood on came again as another's
	copies   uint64 // a listener's segment turned out to be a connection's under its bucket's lock
	// How buckets were locked.
	locked     uint64
	collisions uint64 // of these, how many had to wait: somebody was in the same bucket
	_          [lineSize]byte
	twLock     locks.Mtx // of this CPU's TIME_WAIT queue
	tw         twQueue   // those that came into TIME_WAIT here
	_          [lineSize]byte
}

func newBucket(cfg Config) (_ Info, err error) {
	in := &bucketInfo{}
	if !cfg.nulls {
		if in.dom, err = smr.New(cmp.Or(cfg.SMR, "gus"), cfg.CPUs+1); err != nil {
			return nil, err
		}
	}
	witness.Name(&in.walk, "walk")
	in.init(cfg, in.dom)
	in.bs.init(&cfg)
	in.sc.init(syncacheSize(&cfg), true)
	in.handles = make([]bucketCPU, len(in.cpus))
	for i, c := range in.cpus {
		h := &in.handles[i]
		h.cpu, h.in = c, in
		witness.Name(&h.twLock, "twLock")
	}
	return in, nil
}

func (in *bucketInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

// enter and exit bound the read section, which spans a batch unless something has to be waited for. With chain=nulls there is none.
func (c *bucketCPU) enter() {
	if !c.inside && c.in.dom != nil {
		c.in.dom.Enter(c.id)
		c.inside = true
	}
}

func (c *bucketCPU) exit() {
	if c.inside {
		c.in.dom.Exit(c.id)
		c.inside = false
	}
}

func (c *bucketCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.input(seg, c.in.bs.hash(&seg.Inc))
	}
	c.exit()
}

// input takes a connection's lock exclusively and a listener's shared (08d9c9202755, and not for SYNs only): the bucket orders what comes for one name.
func (c *bucketCPU) input(seg *Segment, hash uint32) {
	inp := c.find(&seg.Inc, hash)
	switch {
	case inp == nil:
		c.drop(seg, DropNoPCB)
	case inp.tp.state == Listen:
		c.inputListen(inp, seg, hash)
	default:
		c.inputLocked(inp, seg, hash)
	}
}

// inputListen has lsn locked shared, so that it does not go meanwhile, and lets go of it. Under the bucket's lock the name is looked up
// once more, and what becomes of it, entry of the syncache or child, is done before anybody else can look (hazards H8, H9): Linux has its
// half-open connections in the hash itself for that. FreeBSD takes the entry out before it inserts the child, and has the name nowhere meanwhile.
func (c *bucketCPU) inputListen(lsn *Inpcb, seg *Segment, hash uint32) {
	c.exit()
	i := c.in.bs.exactAt(hash)
	c.lock(i)
	copied := c.in.bs.scan(i, &seg.Inc) != nil // then the copy of this segment came first
	var child *Inpcb
	done := copied
	if !copied {
		child, done = c.tryListen(&c.in.sc, seg)
	}
	if child != nil {
		c.lockNew(child)
		c.in.bs.insert(child)
	}
	c.unlock(i)
	lsn.runlock()
	switch {
	case copied:
		c.copies++
		c.input(seg, hash)
	case child != nil:
		c.inputLocked(child, seg, hash)
	case !done:
		c.drop(seg, DropListen)
	}
}

// lockNew locks an inpcb that nobody knows: under a bucket's lock, where an inpcb's must not be waited for.
func (c *bucketCPU) lockNew(inp *Inpcb) {
	if !inp.lock.TryLock(nil) {
		panic("pcbinfo: an inpcb that nobody knows is locked: " + inp.inc.String())
	}
}

// inputLocked has inp locked exclusively and lets go of it.
func (c *bucketCPU) inputLocked(inp *Inpcb, seg *Segment, hash uint32) {
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.exit()
		c.enterTimeWait(inp)
		inp.wunlock()
	case reopen:
		c.close(inp)
		c.input(seg, hash)
	default:
		inp.wunlock()
	}
}

// find is in_pcblookup_hash_smr: the inpcb for inc, a connection locked exclusively, a listener shared. The section stays open unless a
// lock had to be waited for. What it finds may be going away: then its removal is done when that is seen, and the next turn does not meet it.
func (c *bucketCPU) find(inc *ConnInfo, hash uint32) *Inpcb {
	for {
		inp, sure := c.lookup(inc, hash)
		switch {
		case inp != nil && c.lockInp(inp, inp.inc.Fport == 0):
			return inp
		case inp != nil:
			c.lostRace++
		case sure || c.nobody(inc, hash):
			return nil
		}
	}
}

// lookup looks in one hash and then in the other. A connection is right by itself, until its lock says otherwise. A listener or nobody comes of
// several looks, and tables that change between them let it fit no instant (H5): it is sure only if the listeners' chain stood still around the
// last look for a connection, as there was none then, and they were the same. A listener needs that look no more than the lock, and
// another under the bucket's lock, in inputListen.
func (c *bucketCPU) lookup(inc *ConnInfo, hash uint32) (inp *Inpcb, sure bool) {
	bs := &c.in.bs
	e, w := bs.exactAt(hash), bs.wildAt(inc.Lport)
	if inp = c.look(e, inc, hash); inp != nil {
		return inp, true
	}
	seq := bs.seq(w)
	probe.Load(seq)
	was := seq.Load()
	lsn := c.lookWild(w, inc)
	if lsn == nil {
		if inp = c.look(e, inc, hash); inp != nil {
			return inp, true
		}
	}
	probe.Load(seq)
	if was&1 == 0 && seq.Load() == was {
		return lsn, true
	}
	c.forget(lsn)
	return nil, false
}

// look finds who has that name in chain i, and lookWild the listener for its segments; tag is what names there begin with in chain=nulls. What they
// find holds as long as the section or, with chain=nulls, by a reference.
func (c *bucketCPU) look(i int, name *ConnInfo, tag uint32) *Inpcb {
	if c.in.bs.marked {
		return c.lookNulls(i, name, tag, false)
	}
	c.enter()
	return c.in.bs.scan(i, name)
}

func (c *bucketCPU) lookWild(i int, inc *ConnInfo) *Inpcb {
	if c.in.bs.marked {
		return c.lookNulls(i, inc, uint32(inc.Lport), true)
	}
	c.enter()
	return c.in.bs.scanWild(i, inc)
}

// nobody looks again under the locks of both buckets, where the answer is right (in_pcblookup_hash).
func (c *bucketCPU) nobody(inc *ConnInfo, hash uint32) bool {
	c.exit()
	c.slow++
	bs := &c.in.bs
	e, w := bs.exactAt(hash), bs.wildAt(inc.Lport)
	c.lock(e)
	c.lock(w)
	none := bs.scan(e, inc) == nil && bs.scanWild(w, inc) == nil
	c.unlock(w)
	c.unlock(e)
	return none
}

// lockInp is inp_smr_lock, inside a section: a try; else a reference, out of the section, and the wait. It refuses an inpcb that
// is going away. The key needs no second look: it is written before the block is published, and the section, then the
// reference, keep the block from being anybody else's (hazard H14). With chain=nulls the reference is there already.
func (c *bucketCPU) lockInp(inp *Inpcb, shared bool) bool {
	if c.in.bs.marked {
		return c.lockRef(inp, shared)
	}
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
	alive := inp.refIfAlive() // from zero it would be another's, or nobody's (H15)
	c.exit()
	return alive && c.lockRef(inp, shared)
}

// lockRef waits for inp's lock outside any section, gives back the caller's reference, and refuses an inpcb that was dropped.
func (c *bucketCPU) lockRef(inp *Inpcb, shared bool) bool {
	if inp.try(shared) {
		c.tried++
	} else {
		c.waited++
		inp.acquire(shared)
	}
	dropped := inp.is(inpDropped)
	if dropped {
		inp.release(shared)
	}
	c.rele(inp)
	return !dropped
}

// findUser returns what a user names, locked exclusively and with no section open.
func (c *bucketCPU) findUser(inc *ConnInfo) *Inpcb {
	for {
		inp := c.lookupUser(inc)
		if inp == nil || c.lockInp(inp, false) {
			c.exit()
			return inp
		}
		c.lostRace++
	}
}

// lookupUser looks into one chain, where one look is right by itself; with chain=nulls a listener's under the lock, see nulls.go.
func (c *bucketCPU) lookupUser(inc *ConnInfo) *Inpcb {
	bs := &c.in.bs
	if inc.Fport != 0 {
		hash := bs.hash(inc)
		return c.look(bs.exactAt(hash), inc, hash)
	}
	w, name := bs.wildAt(inc.Lport), ConnInfo{Laddr: inc.Laddr, Lport: inc.Lport}
	if bs.marked {
		return c.lookLocked(w, &name)
	}
	return c.look(w, &name, uint32(inc.Lport))
}

// lock and unlock are for chain i's writers.
func (c *bucketCPU) lock(i int) {
	l := &c.in.bs.chains[i].lock
	if witness.Enabled {
		witness.Want(l, witness.Exclusive) // the try is a wait to come
	}
	c.locked++
	if !l.TryLock(nil) {
		c.collisions++
		l.Lock(nil)
	}
}

func (c *bucketCPU) unlock(i int) { c.in.bs.chains[i].lock.Unlock(nil) }

// close takes inp, which is locked, out of the table and gives back the table's reference (in_pcbfree).
func (c *bucketCPU) close(inp *Inpcb) {
	c.exit()
	inp.flags |= inpDropped
	c.leaveTimeWait(inp)
	i := c.in.bs.at(inp)
	c.lock(i)
	c.in.bs.remove(inp)
	c.unlock(i)
	inp.flags |= inpFreed
	inp.wunlock()
	c.rele(inp)
}

// enterTimeWait puts inp, which is locked, at the end of this CPU's queue, or of that which it is on: callouts, too, stay on their CPU.
func (c *bucketCPU) enterTimeWait(inp *Inpcb) {
	if !inp.onTw {
		inp.twCPU = uint16(c.id)
	}
	h := &c.in.handles[inp.twCPU]
	h.twLock.Lock(nil)
	c.startTimeWait(&h.tw, inp)
	h.twLock.Unlock(nil)
}

func (c *bucketCPU) leaveTimeWait(inp *Inpcb) {
	if inp.onTw { // changes only under both inpcb and twLock, so this look is safe
		h := &c.in.handles[inp.twCPU]
		h.twLock.Lock(nil)
		h.tw.remove(inp)
		h.twLock.Unlock(nil)
	}
}

// rele gives back a reference; after the last one the block waits for the readers that may still stand on it. With chain=nulls they may stand on
// it as another's.
func (c *bucketCPU) rele(inp *Inpcb) {
	switch {
	case !inp.rele():
	case c.in.bs.marked:
		c.b.zone.free(c.id, inp)
	default:
		c.b.zone.retire(c.id, inp)
	}
}

// discard gives back an inpcb that never was in the table. With chain=nulls there may be a reference by somebody who took it for what was in its memory before.
func (c *bucketCPU) discard(inp *Inpcb) {
	if inp.rele() {
		c.b.zone.free(c.id, inp)
	}
}

// Send needs the inpcb's lock only.
func (c *bucketCPU) Send(inc *ConnInfo, n int) error {
	inp := c.findUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	err := c.send(inp, inc, n)
	inp.wunlock()
	return err
}

// Connect looks for a duplicate and inserts under the lock of the four-tuple's bucket, for one port after another if it chooses.
func (c *bucketCPU) Connect(inc *ConnInfo) (iss uint32, err error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	inp := c.alloc(*inc)
	inp.wlock()
	if inc.Lport == 0 {
		err = c.ephemeral(inc, func() bool { return c.connectPort(inp, inc) })
	} else if !c.connect(inp, inc) {
		err = ErrInUse
	}
	iss = inp.tp.iss
	inp.wunlock()
	if err != nil {
		c.discard(inp)
	}
	return iss, err
}

// connectPort connects unless there is a listener on the port, whose bucket stays locked so that none comes before the connection is there. It
// has the part of FreeBSD's pbucket and of Linux's bhash: two connects of one four-tuple meet at its ebucket (H9), a connect and a listen at the
// wbucket of their port. The ebucket comes first, as in struct inpcbinfo_ctx.
func (c *bucketCPU) connectPort(inp *Inpcb, inc *ConnInfo) bool {
	e, w := c.in.bs.exactAt(c.in.bs.hash(inc)), c.in.bs.wildAt(inc.Lport)
	c.lock(e)
	c.lock(w)
	free := c.in.bs.scanWild(w, inc) == nil && c.connectAt(e, inp, inc)
	c.unlock(w)
	c.unlock(e)
	return free
}

func (c *bucketCPU) connect(inp *Inpcb, inc *ConnInfo) bool {
	e := c.in.bs.exactAt(c.in.bs.hash(inc))
	c.lock(e)
	free := c.connectAt(e, inp, inc)
	c.unlock(e)
	return free
}

// connectAt has chain e locked.
func (c *bucketCPU) connectAt(e int, inp *Inpcb, inc *ConnInfo) bool {
	if c.in.bs.scan(e, inc) != nil {
		return false
	}
	c.startConnect(inp, inc)
	c.in.bs.insert(inp)
	return true
}

func (c *bucketCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	inp := c.allocListen(inc)
	inp.wlock()
	w := c.in.bs.wildAt(inc.Lport)
	c.lock(w)
	taken := c.in.bs.scan(w, &inp.inc) != nil
	if !taken {
		c.in.bs.insert(inp)
	}
	c.unlock(w)
	inp.wunlock()
	if taken {
		c.discard(inp)
		return ErrInUse
	}
	return nil
}

func (c *bucketCPU) Close(inc *ConnInfo) error {
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

func (c *bucketCPU) Abort(inc *ConnInfo) error {
	for {
		if inp := c.findUser(inc); inp != nil {
			c.close(inp)
			return nil
		}
		if inc.Fport == 0 {
			return ErrNotFound
		}
		if err, here := c.abortHalf(inc); !here {
			return err
		}
	}
}

// abortHalf asks the syncache under the bucket's lock, unless a connection has come there meanwhile.
func (c *bucketCPU) abortHalf(inc *ConnInfo) (err error, here bool) {
	i := c.in.bs.exactAt(c.in.bs.hash(inc))
	c.lock(i)
	if here = c.in.bs.scan(i, inc) != nil; !here {
		err = c.abortHalfOpen(&c.in.sc, inc)
	}
	c.unlock(i)
	return err, here
}

// SlowTimo goes from CPU to CPU, and in each queue as smr's does.
func (c *bucketCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for i := range c.in.handles {
		for h := &c.in.handles[i]; c.expire(h, now); {
		}
	}
}

// expire ends the oldest of h's queue; false if its time is not over. It takes a reference under twLock and then the inpcb's lock, and looks again.
func (c *bucketCPU) expire(h *bucketCPU, now uint32) bool {
	h.twLock.Lock(nil)
	inp := h.tw.expired(now)
	if inp != nil {
		inp.ref() // on the queue, so the table's reference is there
	}
	h.twLock.Unlock(nil)
	if inp == nil {
		return false
	}
	inp.wlock()
	if inp.onTw && atOrBefore(inp.twExpire, now) {
		c.stats.Expired++
		c.close(inp)
	} else {
		inp.wunlock()
	}
	c.rele(inp)
	return true
}

// Walk goes from bucket to bucket, as inp_next does in FreeBSD main and seq_file in Linux, and shows what is older than the walk: who moves to another
// chain meanwhile (H13) has come again, and is newer.
func (in *bucketInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	probe.RMW(&in.bs.gen)
	gen := in.bs.gen.Add(1)
	for i, more := 0, true; more && i < in.bs.all(); i = in.bs.next(i) {
		more = c.walkBucket(i, gen, f)
	}
}

// walkBucket collects chain i's inpcbs under its lock, with references, and shows them without.
func (c *bucketCPU) walkBucket(i int, gen uint64, f func(*Xinpcb) bool) (more bool) {
	in := c.in
	c.snap(i, gen)
	x := &in.x
	more = true
	for _, inp := range in.snap {
		switch {
		case !more:
			c.rele(inp)
		case c.lockRef(inp, true):
			c.show(x, inp)
			more = f(x)
			inp.runlock()
		}
	}
	clear(in.snap)
	return more
}

// snap collects what is older than gen in chain i. An empty one need not be locked: who was there all the time is in it now.
func (c *bucketCPU) snap(i int, gen uint64) {
	in := c.in
	in.snap = in.snap[:0]
	ch := &in.bs.chains[i]
	probe.Load(&ch.head)
	if in.bs.ends(ch.head.Load()) {
		return
	}
	c.lock(i)
	for inp := ch.head.Load(); !in.bs.ends(inp); inp = inp.hashNext.Load() {
		if inp.gencnt < gen {
			inp.ref() // in the table, so its reference is there
			in.snap = append(in.snap, inp)
		}
	}
	c.unlock(i)
}

// Len counts bucket by bucket: while others work, it is what the table has at no instant.
func (in *bucketInfo) Len() (n int) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	c := &in.handles[in.cfg.CPUs]
	for i := 0; i < in.bs.all(); i = in.bs.next(i) {
		c.lock(i)
		n += in.bs.count(i)
		c.unlock(i)
	}
	return n
}

func (in *bucketInfo) Counters() []Counter {
	var sum bucketCPU
	for i := range in.handles {
		h := &in.handles[i]
		sum.tried += h.tried
		sum.waited += h.waited
		sum.slow += h.slow
		sum.lostRace += h.lostRace
		sum.restarts += h.restarts
		sum.copies += h.copies
		sum.locked += h.locked
		sum.collisions += h.collisions
	}
	z := in.zone.stats()
	return []Counter{
		{Name: "tried", Value: sum.tried},
		{Name: "waited", Value: sum.waited},
		{Name: "slow", Value: sum.slow},
		{Name: "lost-race", Value: sum.lostRace},
		{Name: "restarts", Value: sum.restarts},
		{Name: "copies", Value: sum.copies},
		{Name: "bucket-locks", Value: sum.locked},
		{Name: "bucket-collisions", Value: sum.collisions},
		{Name: "freed", Value: z.Reclaimed},
		{Name: "retired", Value: uint64(z.Retired), Gauge: true},
		{Name: "peak-retired", Value: uint64(z.PeakRetired), Gauge: true},
	}
}

func (in *bucketInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	return in.finishBuckets(func() {
		for i := 0; i < in.bs.all(); i = in.bs.next(i) {
			for ch := &in.bs.chains[i]; !in.bs.ends(ch.head.Load()); {
				inp := ch.head.Load()
				inp.wlock()
				c.close(inp)
			}
		}
	})
}
