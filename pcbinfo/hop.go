package pcbinfo

import (
	"cmp"
	"sync/atomic"

	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
)

// hop.go: smr's lookups where reclamation protects single blocks.
// Source: Michael, IEEE TPDS 15(6), 2004 (hazard pointers), for chains whose writers hold a lock instead of marking links (Harris, DISC 2001).
// Idea: from block to block, each protected before it is looked into and then found to be where the link says, in a block that is not gone.
// Cost: a store, or two read-modify-writes, and a second look at the link and at its block, for every block on the way.
// Holds: what is looked into is protected, and was linked after it was; see smr.Objects. A block says that it is gone before it is unlinked.

// The lists that a block can be gone from.
const (
	inHash = 1 << iota
	inList
)

// hopTries is how often a walk begins anew because the block that it stood on went. After that it takes the writers' lock: one who lost his CPU between
// saying that a block is gone and unlinking it holds up every walk that comes by it, and a lock knows how to wait for him.
const hopTries = 8

// readers is what smr needs of reclamation to look into the table: sections, or walks.
type readers interface {
	Enter(cpu int)
	Exit(cpu int)
}

// reclamation makes what cfg.SMR names; one of the two is nil.
func reclamation(cfg *Config) (dom smr.Domain, objs smr.Objects, err error) {
	name := cmp.Or(cfg.SMR, "gus")
	kind, err := smr.Find(name)
	switch {
	case err != nil:
	case kind.NewObjects != nil:
		objs, err = smr.NewObjects(name, cfg.CPUs+1)
	default:
		dom, err = smr.New(name, cfg.CPUs+1)
	}
	return dom, objs, err
}

// lookup, lookupExact and lookupUser are the table's, inside; where single blocks are protected, what they return is.
func (c *smrCPU) lookup(inc *ConnInfo) *Inpcb {
	if c.objs == nil {
		return c.in.tb.lookup(inc)
	}
	if inp := c.lookupExact(inc); inp != nil {
		return inp
	}
	return c.hop(&c.in.tb.wildbase[inc.Lport%wildHash], inc, fitsWild)
}

func (c *smrCPU) lookupExact(inc *ConnInfo) *Inpcb {
	tb := &c.in.tb
	if c.objs == nil {
		return tb.lookupExact(inc, tb.hash(inc))
	}
	return c.hop(&tb.hashbase[tb.hash(inc)&tb.mask], inc, fitsExact)
}

func (c *smrCPU) lookupUser(inc *ConnInfo) *Inpcb {
	switch {
	case c.objs == nil:
		return c.in.tb.lookupUser(inc)
	case inc.Fport == 0:
		return c.hop(&c.in.tb.wildbase[inc.Lport%wildHash], inc, fitsListener)
	}
	return c.lookupExact(inc)
}

// What fits in table.lookupExact, lookupWild and lookupListener.
func fitsExact(inp *Inpcb, inc *ConnInfo) bool { return inp.inc.match(inc) }

func fitsWild(inp *Inpcb, inc *ConnInfo) bool {
	return inp.inc.Lport == inc.Lport && (inp.inc.Laddr == inc.Laddr || inp.inc.Laddr.IsAny())
}

func fitsListener(inp *Inpcb, inc *ConnInfo) bool {
	return inp.inc.Lport == inc.Lport && inp.inc.Laddr == inc.Laddr
}

// A hopper goes along a list. It protects the block that it stands on, unless there is none yet or it cannot go, and the one that it goes to.
type hopper struct {
	c    *smrCPU
	of   *bucket                // whose chain it is; nil: the list
	link *atomic.Pointer[Inpcb] // to be followed
	at   *Inpcb                 // the block that link is in; nil: one that is not protected, as it cannot go, or the head
	slot int                    // for the next block; the other one holds at
	list uint32
}

// next goes on to what the link says, nil at the end. It cannot if the block that it stands on is gone: its link may lead anywhere.
func (h *hopper) next() (inp *Inpcb, ok bool) {
	for {
		probe.Load(h.link)
		if inp = h.link.Load(); inp == nil {
			return nil, true
		}
		if probe.Enabled {
			h.c.stand(h.at, nil)
		}
		h.c.objs.Protect(h.c.id, h.slot, &inp.obj)
		probe.Load(h.link)
		still := h.link.Load() == inp // pairs with the Store in removeHash and removeList
		if h.at != nil && h.at.obj.Gone(h.list) {
			return nil, false
		}
		if still {
			break
		}
	}
	if probe.Enabled {
		if h.c.stand(h.at, inp); h.of != nil {
			h.c.in.tb.mustBeOf(h.of, inp)
		}
	}
	h.at, h.slot = inp, h.slot^1
	if h.link = &inp.hashNext; h.list == inList {
		h.link = &inp.listNext
	}
	return inp, true
}

// hop finds the first of a chain that fits inc.
func (c *smrCPU) hop(b *bucket, inc *ConnInfo, fits func(*Inpcb, *ConnInfo) bool) *Inpcb {
	for range hopTries {
		h := hopper{c: c, of: b, link: &b.head, list: inHash}
		inp, ok := h.next()
		for inp != nil && !fits(inp, inc) {
			inp, ok = h.next()
		}
		if ok {
			return inp
		}
		probe.Pause()
	}
	c.exit()
	c.lockHash()
	defer c.unlockHash()
	inp := b.head.Load()
	for inp != nil && !fits(inp, inc) {
		inp = inp.hashNext.Load()
	}
	c.protect(inp)
	return inp
}

// hopAfter is firstOld. from is the head's link, or that of an inpcb whose lock the caller holds.
func (c *smrCPU) hopAfter(from *atomic.Pointer[Inpcb], gen uint64) *Inpcb {
	for range hopTries {
		h := hopper{c: c, link: from, list: inList}
		inp, ok := h.next()
		for inp != nil && inp.gencnt > gen {
			inp, ok = h.next()
		}
		if ok {
			return inp
		}
		probe.Pause()
	}
	c.exit()
	c.lockList()
	defer c.unlockList()
	inp := firstOld(from, gen)
	c.protect(inp)
	return inp
}

// protect begins a new walk at inp, which is linked as long as the caller holds the lock over the list. nil begins it nowhere.
func (c *smrCPU) protect(inp *Inpcb) {
	c.enter()
	if inp == nil {
		return
	}
	c.objs.Protect(c.id, 0, &inp.obj)
	if probe.Enabled {
		c.stand(nil, inp)
	}
}
