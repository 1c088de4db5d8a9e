package pcbtest

import (
	"sync"

	"pcbbench/pcbinfo"
)

// A Reference is an Info that is right by being plain: one map, one mutex, memory from the heap, a model of TCP that counts instead of
// wrapping. Of package pcbinfo it uses the types, and ISN, whose promises checkKeys holds it to. It holds any number of half-open
// connections, so what is compared with it must stay below the syncache's limits.
type Reference struct {
	first, last uint16 // ephemeral ports
	msl         uint32

	mu    sync.Mutex
	conns map[pcbinfo.ConnInfo]*conn // listeners too, whose foreign end is zero
	half  map[pcbinfo.ConnInfo]halfOpen
	now   uint32
	cpus  []*refCPU
}

// A conn is a connection, or a listener, which has no model.
type conn struct {
	*model
	waits   bool // in TIME-WAIT, until the tick expires
	expires uint32
}

// xinpcb is what a walk must tell of the one named inc.
func (c *conn) xinpcb(inc pcbinfo.ConnInfo) pcbinfo.Xinpcb {
	if c.model == nil {
		return pcbinfo.Xinpcb{Inc: inc, State: pcbinfo.Listen}
	}
	return c.model.xinpcb(inc)
}

// A halfOpen is a connection between SYN and handshake ACK.
type halfOpen struct{ irs, iss uint32 }

// NewReference makes one for cfg, whose ephemeral ports and MSL must be set.
func NewReference(cfg pcbinfo.Config) *Reference {
	r := &Reference{first: cfg.FirstPort, last: cfg.LastPort, msl: cfg.MSL,
		conns: make(map[pcbinfo.ConnInfo]*conn), half: make(map[pcbinfo.ConnInfo]halfOpen)}
	for range cfg.CPUs {
		r.cpus = append(r.cpus, &refCPU{r: r})
	}
	return r
}

// CPU returns a handle.
func (r *Reference) CPU(cpu int) pcbinfo.CPU { return r.cpus[cpu] }

// Walk calls f for everything in the map.
func (r *Reference) Walk(f func(x *pcbinfo.Xinpcb) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for inc, c := range r.conns {
		if x := c.xinpcb(inc); !f(&x) {
			return
		}
	}
}

// Len is the size of the map.
func (r *Reference) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// Counters, Zone and Close: the Reference counts nothing of its own and has no memory to lose.
func (r *Reference) Counters() []pcbinfo.Counter { return nil }
func (r *Reference) Zone() pcbinfo.ZoneStats     { return pcbinfo.ZoneStats{} }
func (r *Reference) Close() error                { return nil }

// Stats sums the handles'.
func (r *Reference) Stats() (s pcbinfo.Stats) {
	for _, c := range r.cpus {
		for o, n := range c.stats.Outcomes {
			s.Outcomes[o] += n
		}
		s.Acks += c.stats.Acks
		s.Rsts += c.stats.Rsts
		s.SynAcks += c.stats.SynAcks
		s.Reused += c.stats.Reused
		s.Expired += c.stats.Expired
	}
	return s
}

// listener finds the one for a local end, bound to the address rather than to any.
func (r *Reference) listener(inc *pcbinfo.ConnInfo) *conn {
	if l := r.conns[pcbinfo.ConnInfo{Laddr: inc.Laddr, Lport: inc.Lport}]; l != nil {
		return l
	}
	return r.conns[pcbinfo.ConnInfo{Lport: inc.Lport}]
}

// portFree reports whether inc's local port is an ephemeral one that is free towards inc's peer.
func (r *Reference) portFree(inc *pcbinfo.ConnInfo) bool {
	return r.first <= inc.Lport && inc.Lport <= r.last && r.conns[*inc] == nil && r.listener(inc) == nil
}

// position tells where inc's connection stands; a history asks.
func (r *Reference) position(inc *pcbinfo.ConnInfo) position {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.conns[*inc]; c != nil {
		x := c.xinpcb(*inc)
		return position{state: x.State, rcvNxt: x.RcvNxt, una: x.SndUna, sndNxt: x.SndNxt}
	}
	if h, ok := r.half[*inc]; ok {
		return position{state: pcbinfo.Listen, rcvNxt: h.irs + 1, una: h.iss, sndNxt: h.iss + 1}
	}
	return position{}
}
