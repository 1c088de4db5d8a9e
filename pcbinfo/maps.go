package pcbinfo

import (
	"maps"
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
)

// maps.go: what the schemes on maps share, without a lock: whoever calls holds what the scheme says guards it. The probes are one for each
// operation on a map: what a map touches inside is not counted.

// A nameMap is inpcbs by their names in a Go map: a connection's four-tuple, or a listener's end.
type nameMap struct {
	m     map[ConnInfo]*Inpcb
	users users // only in torture builds, see guard.go
}

func newNameMap(conns int) nameMap { return nameMap{m: make(map[ConnInfo]*Inpcb, conns)} }

// exact finds the inpcb of that very name.
func (nm *nameMap) exact(name *ConnInfo) *Inpcb {
	if probe.Enabled {
		nm.users.begin("the map", false)
		defer nm.users.end("the map", false)
	}
	probe.Load(&nm.m)
	return nm.m[*name]
}

// listener finds the listener for a local end: one bound to the address before one bound to any.
func (nm *nameMap) listener(laddr Addr, lport uint16) *Inpcb {
	if inp := nm.exact(&ConnInfo{Laddr: laddr, Lport: lport}); inp != nil {
		return inp
	}
	return nm.exact(&ConnInfo{Lport: lport})
}

// insert enters inp under its name, which is free.
func (nm *nameMap) insert(inp *Inpcb) {
	if probe.Enabled {
		nm.users.begin("the map", true)
		defer nm.users.end("the map", true)
		if nm.m[inp.inc] != nil {
			panic(oracle.Violated(oracle.Answer, "%v is inserted while it stands in the table", inp.inc))
		}
	}
	probe.Store(&nm.m)
	nm.m[inp.inc] = inp
}

func (nm *nameMap) remove(inp *Inpcb) {
	if probe.Enabled {
		nm.users.begin("the map", true)
		defer nm.users.end("the map", true)
	}
	probe.Store(&nm.m)
	n := len(nm.m)
	if delete(nm.m, inp.inc); len(nm.m) == n {
		panic("pcbinfo: remove of an inpcb that is not in the map: " + inp.inc.String())
	}
}

// A listeners is the listeners of a table whose lookups take no lock: a map that is never written, but replaced by one that differs in one listener
// (atomic.Value's example of a read-mostly map). Writers hold the scheme's ports. Who finds the same map before and after other looks knows that no
// listener came or went between: the collector gives its memory to no other while somebody has it.
type listeners struct{ now atomic.Pointer[nameMap] }

func (l *listeners) init() { l.now.Store(&nameMap{}) }

// load's Load pairs with replace's Store: a map seen here is whole.
func (l *listeners) load() *nameMap {
	probe.Load(&l.now)
	return l.now.Load()
}

func (l *listeners) insert(inp *Inpcb) { l.replace(func(nm *nameMap) { nm.insert(inp) }) }
func (l *listeners) remove(inp *Inpcb) { l.replace(func(nm *nameMap) { nm.remove(inp) }) }

func (l *listeners) replace(change func(nm *nameMap)) {
	next := newNameMap(0)
	maps.Copy(next.m, l.load().m)
	change(&next)
	probe.Store(&l.now)
	l.now.Store(&next)
}

// part is the listeners as a mapped.
func (l *listeners) part() mapped {
	return mapped{func(f func(ConnInfo, *Inpcb)) { l.load().each(f) }, func(name *ConnInfo) *Inpcb { return l.load().exact(name) },
		func() int { return len(l.load().m) }, &twQueue{}}
}

// A mapped is a part of a table whose names stand in a map, as finish and its audit see it.
type mapped struct {
	each  func(f func(name ConnInfo, inp *Inpcb))
	find  func(name *ConnInfo) *Inpcb // as users' requests look for it
	count func() int
	tw    *twQueue
}

// part is nm as a mapped; find is where the scheme looks for what stands in it.
func (nm *nameMap) part(find func(*ConnInfo) *Inpcb, tw *twQueue) mapped {
	return mapped{nm.each, find, func() int { return len(nm.m) }, tw}
}

func (nm *nameMap) each(f func(name ConnInfo, inp *Inpcb)) {
	for name, inp := range nm.m {
		f(name, inp)
	}
}

// refer appends to snap the inpcbs that are older than the walk gen, each with a reference.
func (nm *nameMap) refer(snap []*Inpcb, gen uint64) []*Inpcb {
	if probe.Enabled {
		nm.users.begin("the map", false)
		defer nm.users.end("the map", false)
	}
	probe.Load(&nm.m)
	for _, inp := range nm.m {
		if inp.gencnt < gen {
			inp.ref()
			snap = append(snap, inp)
		}
	}
	return snap
}

// claim locks inp, which nobody else knows, where the order of locks lets it only be tried.
func (inp *Inpcb) claim() {
	if !inp.try(false) {
		panic("pcbinfo: somebody has locked an inpcb that is not in the table yet: " + inp.inc.String())
	}
}
