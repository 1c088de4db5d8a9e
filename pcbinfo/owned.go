package pcbinfo

import (
	"fmt"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

// owned.go: every connection has an owner and nobody else touches it, so that the table needs no lock (ConnP-T).
// Source: Willmann, Rixner and Cox, USENIX ATC 2006, ConnP-T: the four-tuple chooses a protocol thread; what has no full tuple lives on thread 0.
// Idea: a part an owner. Listeners and half-open connections are in part 0; the handshake's ACK takes the connection to the part of its four-tuple.
// Cost: whoever is not the owner sends a message. So does the owner of a part for each SYN, and to ask whether there is a listener on an ephemeral port.
// Holds: whoever uses a part owns it at that time, or uses the table by himself; who waits for the owner of part 0 lets nobody into his own meanwhile.

// An Owned table has parts with owners instead of locks. Without Own it is right for one goroutine at a time. A dispatch model that lets nobody but
// owners use it calls Own once, at rest; from then on
//
//   - segments and requests go to the CPU that owns their ConnInfo.Part, and those of listeners to the owner of part 0;
//   - SlowTimo scans what its CPU owns, and is called on every owner;
//   - Connect with a port to be chosen finds only ports whose four-tuples its CPU owns, ErrNoPort says so, and other owners may be asked next.
//
// Walk and Len may still be called by anybody.
type Owned interface {
	Info
	// Own makes CPU owners[i] the owner of part i; there are Config.Owners parts. ask(from, to, do) is how the table has do called as the owner of
	// part to would call it; it returns when do has. from is the part whose owner calls, who lets nobody use his part meanwhile, or
	// Nobody, for a Walk. Owners ask nobody but the owner of part 0, who asks nobody: so they cannot wait for each other.
	Own(owners []int, ask func(from, to int, do func()))
}

// Nobody is who asks without owning a part.
const Nobody = -1

// A part is one owner's share of the connections.
type part struct {
	tb    table
	users users // only in torture builds, see guard.go
	_     [lineSize]byte
}

// doorway is what belongs to part 0 beside its connections: whatever has no full four-tuple, or is not a connection yet.
type doorway struct {
	wild  table    // the listeners
	sc    syncache // the half-open connections
	users users    // only in torture builds
	_     [lineSize]byte
}

type ownedInfo struct {
	base
	parts   []part
	ask     func(from, to int, do func())
	_       [lineSize]byte
	door    doorway
	gen     atomic.Uint64 // the number of walks begun, which is every inpcb's gencnt
	_       [lineSize]byte
	walk    locks.Mtx // walkers take turns: they share the visitor
	visitor visitor
	handles []ownedCPU
}

type ownedCPU struct {
	*cpu
	in    *ownedInfo
	first int    // the part that it owns
	end   int    // the part after it; without Own every CPU has all parts
	asked uint64 // messages to the owner of part 0
	// What it asks of the owner of part 0, and the answer. It waits meanwhile, so that the owner may use this CPU's handle.
	toInput, toListening, toAbort func() // askInput and so on: made once, as each would allocate
	seg                           *Segment
	inc                           *ConnInfo
	found                         bool
	child                         *Inpcb
	_                             [lineSize]byte
}

func newOwned(cfg Config) (Info, error) {
	in := &ownedInfo{parts: make([]part, cfg.Owners), ask: func(_, _ int, do func()) { do() }}
	witness.Name(&in.walk, "walk")
	in.init(cfg, nil)
	in.door.wild.init(1, 1, cfg.Seed)
	in.door.sc.init(syncacheSize(&cfg), false)
	for i := range in.parts {
		in.parts[i].tb.init(max(1, cfg.Conns/cfg.Owners), cfg.Buckets, cfg.Seed)
	}
	in.visitor.init(in)
	in.handles = make([]ownedCPU, len(in.cpus))
	for i := range in.handles {
		c := &in.handles[i]
		c.cpu, c.in, c.end = in.cpus[i], in, len(in.parts)
		c.toInput, c.toListening, c.toAbort = c.askInput, c.askListening, c.askAbort
	}
	return in, nil
}

func (in *ownedInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

func (in *ownedInfo) Own(owners []int, ask func(from, to int, do func())) {
	if len(owners) != len(in.parts) {
		panic(fmt.Sprintf("pcbinfo: %d owners for %d parts", len(owners), len(in.parts)))
	}
	for i := range in.handles {
		in.handles[i].first, in.handles[i].end = 0, 0
	}
	for i, cpu := range owners {
		in.handles[cpu].first, in.handles[cpu].end = i, i+1
	}
	in.ask = ask
}

// enter begins to use inc's part. An owner has but one.
func (c *ownedCPU) enter(inc *ConnInfo) *part {
	i := c.first
	if probe.Enabled || c.end-c.first != 1 {
		i = inc.Part(len(c.in.parts))
	}
	return c.use(i)
}

func (c *ownedCPU) use(i int) *part {
	p := &c.in.parts[i]
	if probe.Enabled {
		if !c.owns(i) {
			panic(oracle.Violated(oracle.Exclusion, "part %d is used by CPU %d, which owns those from %d to before %d", i, c.id, c.first, c.end))
		}
		p.users.begin("part", true)
	}
	return p
}

func (p *part) leave() {
	if probe.Enabled {
		p.users.end("part", true)
	}
}

func (c *ownedCPU) owns(i int) bool { return c.first <= i && i < c.end }

func (d *doorway) enter() *doorway {
	if probe.Enabled {
		d.users.begin("listeners and syncache", true)
	}
	return d
}

func (d *doorway) leave() {
	if probe.Enabled {
		d.users.end("listeners and syncache", true)
	}
}

// ask has the owner of part 0 do something for c.
func (c *ownedCPU) ask(do func()) {
	if c.first > 0 {
		c.asked++
	}
	c.in.ask(c.first, 0, do)
}

func (c *ownedCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		p := c.enter(&seg.Inc)
		c.input(p, seg, seg.Inc.hash(c.b.cfg.Seed))
		p.leave()
	}
}

func (c *ownedCPU) input(p *part, seg *Segment, hash uint32) {
	inp := p.tb.lookupExact(&seg.Inc, hash)
	if inp == nil {
		c.seg = seg
		c.ask(c.toInput)
		if !c.found {
			c.drop(seg, DropNoPCB)
			return
		}
		if inp = c.child; inp == nil {
			return
		}
		c.insert(&p.tb, inp) // the connection moves here
	}
	switch c.process(inp, seg) {
	case remove:
		c.close(&p.tb, inp)
	case timeWait:
		c.startTimeWait(&p.tb.tw, inp)
	case reopen:
		c.close(&p.tb, inp)
		c.input(p, seg, hash)
	}
}

// askInput is what listeners and half-open connections do with a segment that no connection of its part takes.
func (c *ownedCPU) askInput() {
	d := c.in.door.enter()
	defer d.leave()
	if c.found = d.wild.lookupWild(c.seg.Inc.Laddr, c.seg.Inc.Lport) != nil; c.found {
		c.child = c.listen(&d.sc, c.seg)
	}
}

// insert's Load of gen pairs with the Add in Walk: what is inserted after a walk began is newer.
func (c *ownedCPU) insert(tb *table, inp *Inpcb) {
	tb.insert(inp)
	probe.Load(&c.in.gen)
	inp.gencnt = c.in.gen.Load()
}

// close takes inp out of its table and frees it.
func (c *ownedCPU) close(tb *table, inp *Inpcb) {
	tb.remove(inp)
	c.free(inp)
}

func (c *ownedCPU) Send(inc *ConnInfo, n int) error {
	if inc.Fport == 0 {
		d := c.in.door.enter()
		defer d.leave()
		return c.sendOn(d.wild.lookupUser(inc), inc, n)
	}
	p := c.enter(inc)
	defer p.leave()
	return c.sendOn(p.tb.lookupUser(inc), inc, n)
}

func (c *ownedCPU) sendOn(inp *Inpcb, inc *ConnInfo, n int) error {
	if inp == nil {
		return ErrNotFound
	}
	return c.send(inp, inc, n)
}

// Connect with a port to be chosen takes one whose four-tuple is its own: neither the request nor the peer's answers then go elsewhere.
func (c *ownedCPU) Connect(inc *ConnInfo) (iss uint32, err error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	if inc.Lport != 0 {
		if !c.connect(inc, &iss, false) {
			return 0, ErrInUse
		}
		return iss, nil
	}
	err = c.ephemeral(inc, func() bool { return c.owns(inc.Part(len(c.in.parts))) && c.connect(inc, &iss, true) })
	return iss, err
}

// connect asks for a listener last, and inserts right after the answer: nobody looks the four-tuple up in between.
func (c *ownedCPU) connect(inc *ConnInfo, iss *uint32, ephemeral bool) bool {
	p := c.enter(inc)
	defer p.leave()
	if p.tb.lookupExact(inc, inc.hash(c.b.cfg.Seed)) != nil || ephemeral && c.listening(inc) {
		return false
	}
	inp := c.allocConnect(inc)
	*iss = inp.tp.iss
	c.insert(&p.tb, inp)
	return true
}

func (c *ownedCPU) listening(inc *ConnInfo) bool {
	c.inc = inc
	c.ask(c.toListening)
	return c.found
}

func (c *ownedCPU) askListening() {
	d := c.in.door.enter()
	defer d.leave()
	c.found = d.wild.lookupWild(c.inc.Laddr, c.inc.Lport) != nil
}

func (c *ownedCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	d := c.in.door.enter()
	defer d.leave()
	if d.wild.lookupListener(inc.Laddr, inc.Lport) != nil {
		return ErrInUse
	}
	c.insert(&d.wild, c.allocListen(inc))
	return nil
}

func (c *ownedCPU) Close(inc *ConnInfo) error {
	if inc.Fport == 0 {
		return c.closeListener(inc)
	}
	p := c.enter(inc)
	defer p.leave()
	inp := p.tb.lookupUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	gone, err := c.usrClosed(inp, inc)
	if gone {
		c.close(&p.tb, inp)
	}
	return err
}

func (c *ownedCPU) closeListener(inc *ConnInfo) error {
	d := c.in.door.enter()
	defer d.leave()
	inp := d.wild.lookupUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	c.close(&d.wild, inp)
	return nil
}

func (c *ownedCPU) Abort(inc *ConnInfo) error {
	if inc.Fport == 0 {
		return c.closeListener(inc)
	}
	p := c.enter(inc)
	defer p.leave()
	if inp := p.tb.lookupUser(inc); inp != nil {
		c.close(&p.tb, inp)
		return nil
	}
	c.inc = inc
	c.ask(c.toAbort)
	if !c.found {
		return ErrNotFound
	}
	return nil
}

func (c *ownedCPU) askAbort() {
	d := c.in.door.enter()
	defer d.leave()
	c.found = c.abortHalfOpen(&d.sc, c.inc) == nil
}

func (c *ownedCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for i := c.first; i < c.end; i++ {
		p := c.use(i)
		for inp := p.tb.tw.expired(now); inp != nil; inp = p.tb.tw.expired(now) {
			c.stats.Expired++
			c.close(&p.tb, inp)
		}
		p.leave()
	}
}

// A visitor is what a walker has owners do, each for its own part.
type visitor struct {
	in          *ownedInfo
	show, count func() // showTable, countTable
	tb          *table
	users       *users
	f           func(*Xinpcb) bool
	ended       bool
	n           int
}

func (v *visitor) init(in *ownedInfo) { v.in, v.show, v.count = in, v.showTable, v.countTable }

// each has do called for each table by its owner, until the visit is ended.
func (v *visitor) each(do func()) {
	in := v.in
	for i := range in.parts {
		if v.tb, v.users = &in.parts[i].tb, &in.parts[i].users; !v.ended {
			in.ask(Nobody, i, do)
		}
	}
	if v.tb, v.users = &in.door.wild, &in.door.users; !v.ended {
		in.ask(Nobody, 0, do)
	}
}

func (v *visitor) showTable() {
	if probe.Enabled {
		v.users.begin("part that is walked", true)
		defer v.users.end("part that is walked", true)
	}
	c, x := &v.in.handles[v.in.cfg.CPUs], &v.in.x
	gen := v.in.gen.Load()
	for inp := v.tb.list.Load(); inp != nil && !v.ended; inp = inp.listNext.Load() {
		if inp.gencnt < gen {
			c.show(x, inp)
			v.ended = !v.f(x)
		}
	}
}

func (v *visitor) countTable() { v.n += v.tb.count }

// Walk begins a new generation and has each owner copy what is older of its part. An inpcb that was being inserted when the walk began may have read
// the generation before, and is met then.
func (in *ownedInfo) Walk(f func(*Xinpcb) bool) {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	probe.RMW(&in.gen)
	in.gen.Add(1)
	v := &in.visitor
	v.f, v.ended = f, false
	v.each(v.show)
}

func (in *ownedInfo) Len() int {
	in.walk.Lock(nil)
	defer in.walk.Unlock(nil)
	v := &in.visitor
	v.n, v.ended = 0, false
	v.each(v.count)
	return v.n
}

func (in *ownedInfo) Counters() []Counter {
	asked := uint64(0)
	for i := range in.handles {
		asked += in.handles[i].asked
	}
	return []Counter{{Name: "owner-asks", Value: asked}}
}

func (in *ownedInfo) Close() error {
	tables := []*table{&in.door.wild}
	for i := range in.parts {
		tables = append(tables, &in.parts[i].tb)
	}
	return in.finish(in.gen.Load(), tables, []*syncache{&in.door.sc}, func() {
		c := &in.handles[in.cfg.CPUs]
		for _, tb := range tables {
			for inp := tb.list.Load(); inp != nil; inp = tb.list.Load() {
				c.close(tb, inp)
			}
		}
	})
}
