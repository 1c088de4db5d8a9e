package netisrtest

import (
	"runtime"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// Behind is sp with tables that are reached through a dispatch model that keeps them to its workstreams, so that what is correct for one goroutine, or for
// owners, can be given to many. Each CPU of such a table is a user of the model and an input context, whose segments go through one by one. The model's
// threads are goroutines of the table's own, until its Close: they poll, or sleep in Serve. Its scheme must be Owned.
func Behind(sp pcbinfo.Spec, model netisr.Spec, poll bool) pcbinfo.Spec {
	if !sp.Owned || !model.Owns {
		panic("netisrtest: " + sp.String() + " behind " + model.String() + " has no owners")
	}
	inner := sp.Scheme.New
	sp.Workers = 0
	sp.Scheme.New = func(cfg pcbinfo.Config) (pcbinfo.Info, error) {
		cpus, streams := cfg.CPUs, model.Streams(cfg.CPUs)
		cfg.CPUs, cfg.Owners = cpus+streams, streams
		in, err := inner(cfg)
		if err != nil {
			return nil, err
		}
		b := &behind{Owned: in.(pcbinfo.Owned)}
		b.start(model, cpus, streams, poll)
		return b, nil
	}
	return sp
}

// A behind is a table with the model before it.
type behind struct {
	pcbinfo.Owned
	isr    netisr.Isr
	users  []*ownedUser
	team   crew.Crew // the model's threads
	closed atomic.Bool
	failed atomic.Pointer[error] // what one of them panicked with first
}

func (b *behind) start(model netisr.Spec, cpus, streams int, poll bool) {
	handles := func(first, n int) (list []int) {
		for i := range n {
			list = append(list, first+i)
		}
		return list
	}
	contexts := handles(0, cpus)
	b.isr = model.New(netisr.Config{Table: &inside{b.Owned, b}, Contexts: contexts, Streams: handles(cpus, streams), Users: contexts, Poll: poll,
		Protocols: []netisr.Protocol{{Name: "ip", Policy: netisr.Flow, Handler: b.handle}}})
	for i := range cpus {
		u := &ownedUser{CPU: b.isr.User(i), b: b, port: b.isr.Context(i)}
		u.seg.Source = uint16(i)
		b.users = append(b.users, u)
	}
	for _, w := range b.isr.Workers() {
		b.team.Go(func() error {
			if !poll {
				w.Serve()
				return nil
			}
			for !b.closed.Load() {
				if w.Run() == 0 {
					runtime.Gosched()
				}
			}
			return nil
		})
	}
}

func (b *behind) CPU(cpu int) pcbinfo.CPU { return b.users[cpu] }

// Close ends the threads first.
func (b *behind) Close() error {
	b.isr.Stop()
	b.closed.Store(true)
	if err := b.team.Join(); err != nil {
		return err
	}
	b.check()
	return b.Owned.Close()
}

// guard runs what the model does with the table. A panic is kept for the users, whom it would otherwise leave waiting.
func (b *behind) guard(f func()) {
	if err := oracle.Guard(func() error { f(); return nil }); err != nil {
		b.failed.CompareAndSwap(nil, &err)
	}
}

func (b *behind) check() {
	if err := b.failed.Load(); err != nil {
		panic(*err)
	}
}

// handle notes whose segments come to what.
func (b *behind) handle(at *netisr.At, segs []*pcbinfo.Segment) {
	cpu := b.Owned.CPU(at.Handle)
	for i, seg := range segs {
		u := b.users[seg.Source]
		u.note(cpu, func() { b.guard(func() { cpu.Input(segs[i : i+1]) }) })
		u.handled.Store(true)
		u.bell.Ring()
	}
}

// An ownedUser is a CPU of the table as its users see it.
type ownedUser struct {
	pcbinfo.CPU // the model's
	b           *behind
	port        netisr.Dispatcher
	seg         pcbinfo.Segment
	handled     atomic.Bool
	bell        locks.Bell
	stats       pcbinfo.Stats
}

// note adds what cpu counts during f.
func (u *ownedUser) note(cpu pcbinfo.CPU, f func()) {
	before := *cpu.Stats()
	f()
	u.stats = u.stats.Since(before.Since(*cpu.Stats()))
}

func (u *ownedUser) Stats() *pcbinfo.Stats { return &u.stats }

// Input returns when all has been handled.
func (u *ownedUser) Input(segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		from := u.seg.Source
		u.seg = *seg
		u.seg.Source = from
		u.handled.Store(false)
		for left := []*pcbinfo.Segment{&u.seg}; len(left) > 0; {
			left = u.port.Dispatch(left)
		}
		for !u.handled.Load() {
			u.bell.Sleep(u.handled.Load)
		}
		u.b.check()
	}
}

func (u *ownedUser) Send(inc *pcbinfo.ConnInfo, n int) error {
	defer u.b.check()
	return u.CPU.Send(inc, n)
}

func (u *ownedUser) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	defer u.b.check()
	return u.CPU.Connect(inc)
}

func (u *ownedUser) Listen(inc *pcbinfo.ConnInfo) error {
	defer u.b.check()
	return u.CPU.Listen(inc)
}

func (u *ownedUser) Close(inc *pcbinfo.ConnInfo) error {
	defer u.b.check()
	return u.CPU.Close(inc)
}

func (u *ownedUser) Abort(inc *pcbinfo.ConnInfo) error {
	defer u.b.check()
	return u.CPU.Abort(inc)
}

func (u *ownedUser) SlowTimo(now uint32) {
	defer u.b.check()
	u.CPU.SlowTimo(now)
}

// inside is the table as the model sees it.
type inside struct {
	pcbinfo.Owned
	b *behind
}

func (in *inside) CPU(cpu int) pcbinfo.CPU { return &insideCPU{in.Owned.CPU(cpu), in.b} }

func (in *inside) Own(owners []int, ask func(from, to int, do func())) {
	in.Owned.Own(owners, func(from, to int, do func()) { ask(from, to, func() { in.b.guard(do) }) })
}

// An insideCPU is a handle that an owner uses for users' requests.
type insideCPU struct {
	pcbinfo.CPU
	b *behind
}

func (c *insideCPU) Send(inc *pcbinfo.ConnInfo, n int) (err error) {
	c.b.guard(func() { err = c.CPU.Send(inc, n) })
	return err
}

func (c *insideCPU) Connect(inc *pcbinfo.ConnInfo) (iss uint32, err error) {
	c.b.guard(func() { iss, err = c.CPU.Connect(inc) })
	return iss, err
}

func (c *insideCPU) Listen(inc *pcbinfo.ConnInfo) (err error) {
	c.b.guard(func() { err = c.CPU.Listen(inc) })
	return err
}

func (c *insideCPU) Close(inc *pcbinfo.ConnInfo) (err error) {
	c.b.guard(func() { err = c.CPU.Close(inc) })
	return err
}

func (c *insideCPU) Abort(inc *pcbinfo.ConnInfo) (err error) {
	c.b.guard(func() { err = c.CPU.Abort(inc) })
	return err
}

// SlowTimo is the first user's to call: he has counted what expires.
func (c *insideCPU) SlowTimo(now uint32) {
	c.b.users[0].note(c.CPU, func() { c.b.guard(func() { c.CPU.SlowTimo(now) }) })
}
