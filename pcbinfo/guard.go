package pcbinfo

import (
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
)

// guard.go: what torture builds hold every scheme to while it runs, at the steps that all of them come through. Nothing of it is left
// in other builds: probe.Enabled is a constant.

// users are who uses something: readers, or one writer.
type users struct{ n atomic.Int32 }

// aloneUser is more than there can be readers.
const aloneUser = 1 << 20

func weight(alone bool) int32 {
	if alone {
		return aloneUser
	}
	return 1
}

// begin notes that the caller uses what u counts for, by itself or beside other readers, and panics with a Violation if somebody is in it whom the
// scheme's locks should have kept out. The probe gives whoever should be kept out a chance to come in.
func (u *users) begin(what string, alone bool) {
	n := weight(alone)
	if was := u.n.Add(n) - n; was != 0 && (alone || was >= aloneUser) {
		panic(oracle.Violated(oracle.Exclusion, "%s: used by two at once, by the later alone: %v", what, alone))
	}
	probe.Work(0)
}

func (u *users) end(what string, alone bool) {
	probe.Work(0)
	if u.n.Add(-weight(alone)) < 0 {
		panic(oracle.Violated(oracle.Exclusion, "%s: used by two at once", what))
	}
}

// begin notes that the caller uses inp, and panics if that is not in use for inc (nil: for anything). It returns which life of the memory this
// is.
func (inp *Inpcb) begin(inc *ConnInfo, alone bool) (gen uint32) {
	inp.users.begin("inpcb", alone)
	inp.inUse(inc)
	return inp.gen
}

// end takes begin's mark off.
func (inp *Inpcb) end(gen uint32, alone bool) {
	if inp.gen != gen || inp.refs.Load() < 1 {
		panic(oracle.Violated(oracle.Key, "%v: life %d, with %d references, became life %d under its user",
			inp.inc, gen, inp.refs.Load(), inp.gen))
	}
	inp.users.end("inpcb", alone)
}

func (inp *Inpcb) inUse(inc *ConnInfo) {
	switch {
	case inc != nil && inp.inc != *inc:
		panic(oracle.Violated(oracle.Key, "asked for %v and got %v", *inc, inp.inc))
	case inp.is(inpDropped | inpFreed):
		panic(oracle.Violated(oracle.Gone, "%v in %v is used after it was dropped (flags %d)", inp.inc, inp.tp.state, inp.flags))
	case inp.tp.state == Closed || inp.tp.state >= numStates:
		panic(oracle.Violated(oracle.Key, "%v is used in state %v", inp.inc, inp.tp.state))
	case inp.refs.Load() < 1:
		panic(oracle.Violated(oracle.Key, "%v is used with %d references", inp.inc, inp.refs.Load()))
	}
}

// named is what inc names as a user's: a listener has no foreign end.
func (inc *ConnInfo) named() *ConnInfo {
	if inc.Fport == 0 {
		return &ConnInfo{Laddr: inc.Laddr, Lport: inc.Lport}
	}
	return inc
}

// mustBeNew panics if a name that is to be inserted stands in the table.
func (tb *table) mustBeNew(inp *Inpcb) {
	b := &tb.hashbase[inp.hash&tb.mask]
	if inp.inc.Fport == 0 {
		b = &tb.wildbase[inp.inc.Lport%wildHash]
	}
	for p := b.head.Load(); p != nil; p = p.hashNext.Load() {
		if p.inc == inp.inc {
			panic(oracle.Violated(oracle.Answer, "%v is inserted while it stands in the table", inp.inc))
		}
	}
}

// mustBeUnseen panics if a block that readers may stand on is to be free at once.
func (z *zone) mustBeUnseen(inp *Inpcb) {
	if (z.objs != nil || z.dom != nil && z.dom.Recycles()) && inp.is(inpDropped) {
		panic(oracle.Violated(oracle.Reclaim, "%v was in the table and is freed without a grace period", inp.inc))
	}
}

// mustBeOver panics if a block comes back before the grace period is over that began when it was retired.
func (z *zone) mustBeOver(inp *Inpcb) {
	if !z.dom.Poll(inp.goal) {
		panic(oracle.Violated(oracle.Reclaim, "%v comes back before the readers are gone that may stand on it", inp.inc))
	}
}

// mustBeInside panics as smrCPU's does.
func (c *epochCPU) mustBeInside(inp *Inpcb) {
	if !c.inside {
		panic(oracle.Violated(oracle.Reclaim, "%v is tried outside of the section in which it was found", inp.inc))
	}
}

// freeBlock is more than there can be who stand on a block.
const freeBlock = 1 << 20

// becomeFree panics if a block comes back while somebody stands on it. Until becomeNew nobody may.
func (inp *Inpcb) becomeFree() {
	if n := inp.stood.Add(-freeBlock) + freeBlock; n != 0 {
		panic(oracle.Violated(oracle.Reclaim, "%v comes back while %d stand on it", inp.inc, n))
	}
}

func (inp *Inpcb) becomeNew() { inp.stood.Store(0) }

// stand notes that c stands on inp, nil: on nothing, and still on at, but not any more on what it came to at from. What is protected too late is never stood on.
// It is not told in which slots they are, or a walk that confused these would be believed.
func (c *smrCPU) stand(at, inp *Inpcb) {
	i := 0
	if at != nil && c.stands[0] == at {
		i = 1
	}
	if old := c.stands[i]; old != nil {
		old.stood.Add(-1)
	}
	if c.stands[i] = inp; inp != nil && inp.stood.Add(1) <= 0 {
		panic(oracle.Violated(oracle.Reclaim, "CPU %d stands on a block that is free", c.id))
	}
}

// standNowhere notes that c stands on nothing. A walk that was cut off left c on either one.
func (c *smrCPU) standNowhere() {
	for i, old := range c.stands {
		if old != nil {
			old.stood.Add(-1)
			c.stands[i] = nil
		}
	}
}

// mustBeOf panics if a walk along a chain has come to a block of another (hazard H13).
func (tb *table) mustBeOf(b *bucket, inp *Inpcb) {
	of := &tb.hashbase[inp.hash&tb.mask]
	if inp.inc.Fport == 0 {
		of = &tb.wildbase[inp.inc.Lport%wildHash]
	}
	if of != b {
		panic(oracle.Violated(oracle.Reclaim, "%v is met in a chain that it is not in", inp.inc))
	}
}

// mustBeInside panics if an inpcb is to be tried that nothing keeps from being somebody else's by now.
func (c *smrCPU) mustBeInside(inp *Inpcb) {
	if !c.inside {
		panic(oracle.Violated(oracle.Reclaim, "%v is tried outside of the section in which it was found", inp.inc))
	}
}
