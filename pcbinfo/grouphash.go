package pcbinfo

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// A groupHash is a second hash over inpcbs that stand in a table, through links of their own: what one pcbgroup has of the table, or the
// listeners, which all of them share. It has no lock; whoever calls holds what pcbgroup.go says guards it, and nobody reads beside a writer. The
// links are atomic for the Loads of an audit's sake only, and cost what plain ones do to load.
type groupHash struct {
	base  []bucket
	mask  uint32
	users users // only in torture builds, see guard.go
}

func (h *groupHash) init(buckets int) {
	n := 1
	for n < buckets && n < maxBucket {
		n <<= 1
	}
	h.base = make([]bucket, n)
	h.mask = uint32(n - 1)
}

// lookupExact finds the connection for inc.
func (h *groupHash) lookupExact(inc *ConnInfo, hash uint32) *Inpcb {
	if probe.Enabled {
		h.users.begin("the group's hash", false)
		defer h.users.end("the group's hash", false)
	}
	b := &h.base[hash&h.mask]
	probe.Load(b)
	inp := b.head.Load()
	for inp != nil && !inp.inc.match(inc) {
		probe.Load(inp)
		inp = inp.groupNext.Load()
	}
	return inp
}

// lookupWild finds what is bound to a local end: to its address if there is one, else to any.
func (h *groupHash) lookupWild(laddr Addr, lport uint16) *Inpcb {
	if probe.Enabled {
		h.users.begin("the wildcard hash", false)
		defer h.users.end("the wildcard hash", false)
	}
	b := &h.base[uint32(lport)&h.mask]
	probe.Load(b)
	inp := b.head.Load()
	for inp != nil && (inp.inc.Lport != lport || inp.inc.Laddr != laddr && !inp.inc.Laddr.IsAny()) {
		probe.Load(inp)
		inp = inp.groupNext.Load()
	}
	return inp
}

// lookupListener finds the listener bound to exactly this address and port, past what is bound in order to connect.
func (h *groupHash) lookupListener(laddr Addr, lport uint16) *Inpcb {
	if probe.Enabled {
		h.users.begin("the wildcard hash", false)
		defer h.users.end("the wildcard hash", false)
	}
	inp := h.base[uint32(lport)&h.mask].head.Load()
	for inp != nil && (inp.inc.Lport != lport || inp.inc.Laddr != laddr || inp.inc.Fport != 0) {
		inp = inp.groupNext.Load()
	}
	return inp
}

// insert links a connection in.
func (h *groupHash) insert(inp *Inpcb) { h.link(&h.base[inp.hash&h.mask].head, inp) }

// insertWild links in what is bound; in a chain bound addresses come before the unspecified one.
func (h *groupHash) insertWild(inp *Inpcb) {
	at := &h.base[uint32(inp.inc.Lport)&h.mask].head
	if inp.inc.Laddr.IsAny() {
		for p := at.Load(); p != nil; p = at.Load() {
			at = &p.groupNext
		}
	}
	h.link(at, inp)
}

func (h *groupHash) link(at *atomic.Pointer[Inpcb], inp *Inpcb) {
	if probe.Enabled {
		h.users.begin("the group's hash", true)
		defer h.users.end("the group's hash", true)
	}
	inp.groupNext.Store(at.Load())
	probe.Store(at)
	at.Store(inp)
}

func (h *groupHash) remove(inp *Inpcb)     { h.unlink(&h.base[inp.hash&h.mask].head, inp) }
func (h *groupHash) removeWild(inp *Inpcb) { h.unlink(&h.base[uint32(inp.inc.Lport)&h.mask].head, inp) }

func (h *groupHash) unlink(at *atomic.Pointer[Inpcb], inp *Inpcb) {
	if probe.Enabled {
		h.users.begin("the group's hash", true)
		defer h.users.end("the group's hash", true)
	}
	for p := at.Load(); p != inp; p = at.Load() {
		if p == nil {
			panic("pcbinfo: an inpcb is not in its group: " + inp.inc.String())
		}
		at = &p.groupNext
	}
	probe.Store(at)
	at.Store(inp.groupNext.Load())
}

// auditGroups looks at every link of the groups and the listeners' hash at rest: what the table has is in the group that index names, or
// if it listens in wild, in its bucket, once; and nothing else is.
func (tb *table) auditGroups(groups []*groupHash, wild *groupHash, index func(hash uint32) int) error {
	a := &auditor{}
	left := tb.count
	for i, h := range groups {
		h.each(&left, func(bucket int, inp *Inpcb) {
			if inp.inc.Fport == 0 || index(inp.hash) != i || int(inp.hash&h.mask) != bucket || tb.lookupExact(&inp.inc, inp.hash) != inp {
				a.fail("%v in %v stands in bucket %d of group %d, which is not its own, or is not in the table", inp.inc, inp.tp.state, bucket, i)
			}
		})
	}
	wild.each(&left, func(bucket int, inp *Inpcb) {
		inc := &inp.inc
		if inc.Fport != 0 || int(uint32(inc.Lport)&wild.mask) != bucket || tb.lookupListener(inc.Laddr, inc.Lport) != inp {
			a.fail("%v in %v stands in bucket %d of the listeners, which is not its own, or is not in the table", inp.inc, inp.tp.state, bucket)
		} else if wild.lookupListener(inc.Laddr, inc.Lport) != inp || wild.lookupWild(inc.Laddr, inc.Lport) != inp {
			a.fail("listener %v stands behind one that hides it", inp.inc)
		}
	})
	if left != 0 {
		a.fail("of %d inpcbs %d are in no group, or if negative in two or in a circle", tb.count, left)
	}
	return a.err()
}

// each calls f for what stands in h, until left is below zero: links that are broken may go in circles.
func (h *groupHash) each(left *int, f func(bucket int, inp *Inpcb)) {
	for i := range h.base {
		for inp := h.base[i].head.Load(); inp != nil && *left >= 0; inp = inp.groupNext.Load() {
			f(i, inp)
			*left--
		}
	}
}
