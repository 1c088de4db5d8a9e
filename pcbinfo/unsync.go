package pcbinfo

// unsync.go: the table without any lock.
// Source: the sequential twin that perfbook ships beside each of its schemes (route_seq.c, hash_unsync.c).
// Idea: what the lookups and the TCP machine cost on one CPU when nothing needs protecting.
// Cost: none, and no correctness beyond one CPU: it is also the negative control that the checks must catch.
// Holds: one goroutine in the whole table at a time.

type unsyncInfo struct {
	base
	tb      table
	sc      syncache
	handles []unsyncCPU
}

type unsyncCPU struct {
	*cpu
	in *unsyncInfo
}

func newUnsync(cfg Config) (Info, error) {
	in := &unsyncInfo{}
	in.init(cfg, nil)
	in.tb.init(cfg.Conns, cfg.Buckets, cfg.Seed)
	in.sc.init(syncacheSize(&cfg), false)
	for _, c := range in.cpus {
		in.handles = append(in.handles, unsyncCPU{c, in})
	}
	return in, nil
}

func (in *unsyncInfo) CPU(cpu int) CPU { return &in.handles[cpu] }

func (c *unsyncCPU) Input(segs []*Segment) {
	for _, seg := range segs {
		c.input(seg)
	}
}

func (c *unsyncCPU) input(seg *Segment) {
	tb := &c.in.tb
	inp := tb.lookup(&seg.Inc)
	if inp == nil {
		c.drop(seg, DropNoPCB)
		return
	}
	if inp.tp.state == Listen {
		if inp = c.listen(&c.in.sc, seg); inp == nil {
			return
		}
		tb.insert(inp)
	}
	switch c.process(inp, seg) {
	case remove:
		c.close(inp)
	case timeWait:
		c.startTimeWait(&tb.tw, inp)
	case reopen:
		c.close(inp)
		c.input(seg)
	}
}

// close takes inp out of the table and frees it (tcp_close).
func (c *unsyncCPU) close(inp *Inpcb) {
	c.in.tb.remove(inp)
	c.free(inp)
}

func (c *unsyncCPU) Send(inc *ConnInfo, n int) error {
	inp := c.in.tb.lookupUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	return c.send(inp, inc, n)
}

func (c *unsyncCPU) Connect(inc *ConnInfo) (uint32, error) {
	if err := checkConnect(inc); err != nil {
		return 0, err
	}
	if err := c.choosePort(&c.in.tb, inc); err != nil {
		return 0, err
	}
	inp := c.allocConnect(inc)
	c.in.tb.insert(inp)
	return inp.tp.iss, nil
}

func (c *unsyncCPU) Listen(inc *ConnInfo) error {
	if inc.Lport == 0 {
		return ErrInvalid
	}
	if c.in.tb.lookupListener(inc.Laddr, inc.Lport) != nil {
		return ErrInUse
	}
	c.in.tb.insert(c.allocListen(inc))
	return nil
}

func (c *unsyncCPU) Close(inc *ConnInfo) error {
	inp := c.in.tb.lookupUser(inc)
	if inp == nil {
		return ErrNotFound
	}
	gone, err := c.usrClosed(inp, inc)
	if gone {
		c.close(inp)
	}
	return err
}

func (c *unsyncCPU) Abort(inc *ConnInfo) error {
	inp := c.in.tb.lookupUser(inc)
	if inp == nil {
		return c.abortHalfOpen(&c.in.sc, inc)
	}
	c.close(inp)
	return nil
}

func (c *unsyncCPU) SlowTimo(now uint32) {
	c.b.now.Store(now)
	for inp := c.in.tb.tw.expired(now); inp != nil; inp = c.in.tb.tw.expired(now) {
		c.stats.Expired++
		c.close(inp)
	}
}

func (in *unsyncInfo) Walk(f func(*Xinpcb) bool) {
	c := &in.handles[in.cfg.CPUs]
	x := &in.x
	for inp := in.tb.list.Load(); inp != nil; inp = inp.listNext.Load() {
		if c.show(x, inp); !f(x) {
			return
		}
	}
}

func (in *unsyncInfo) Len() int            { return in.tb.count }
func (in *unsyncInfo) Counters() []Counter { return nil }

func (in *unsyncInfo) Close() error {
	c := &in.handles[in.cfg.CPUs]
	return in.finish(in.tb.gencnt, []*table{&in.tb}, []*syncache{&in.sc}, func() {
		for inp := in.tb.list.Load(); inp != nil; inp = in.tb.list.Load() {
			c.close(inp)
		}
	})
}
