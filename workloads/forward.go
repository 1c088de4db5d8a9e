package workloads

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"pcbbench/pcbinfo"
	"pcbbench/workloads/inet"
	"pcbbench/workloads/netisr"
)

// forward.go: a router's packets, which are nobody's here.
// Source: FreeBSD netinet/ip_fastfwd.c (ip_fastforward, since 11 ip_tryforward): TTL, route lookup (in_fib.c), if_output and IFQ_HANDOFF. On the talk's TODO list.
// Idea: nothing is shared but a routing table that hardly ever changes and the interfaces' output queues, each with a lock: as many CPUs as interfaces may go on.
// A host route to one of the busiest destinations comes or goes all the time; one of 64 flows has no route, and one has come to the end of its TTL.
// What a lap is: at least four packets a flow on average, drawn by popularity.

var forward = Mix{Name: "forward", Conns: 4096, Payload: 512, Popularity: true, Routes: 1024, Ifs: 4, NoTable: true, write: writeForward,
	Doc:    "packets that are passed on: route lookup without a lock, a locked output queue an interface; no connections",
	Source: "FreeBSD ip_fastfwd.c, in_fib.c, IFQ_HANDOFF; sizes and popularity are assumptions"}

const (
	firstTTL  = 64  // what hosts send with (RFC 1700). Ack stands for it: nobody reads that of a packet that is passed on
	ifqLimit  = 255 // of packets, as if_em.c sets it for its ring of 256
	aggregate = 16  // every so many-th route is shorter and covers those up to the next such one
	flapping  = 16  // host routes that come and go
)

// The fates of forward's packets; from sent on, one for each interface.
const (
	noRoute = iota
	expired
	sent
)

func writeForward(b *builder) error {
	r := newRouter(b.p.Routes, b.p.Ifs)
	b.path, b.async = r, true
	n := b.lapOf(b.p.Conns, rpcPerConn*b.p.Conns) * b.p.Conns
	for i, times := range b.draw(n, b.p.Conns) {
		inc := b.p.connInfo(i)
		fate, ttl := sent, uint32(firstTTL)
		switch i % 64 {
		case 62:
			fate = noRoute
		case 63:
			fate, ttl = expired, 1
		}
		route := b.rng.IntN(b.p.Routes)
		dst := host(route, b.p.isV6(i), byte(1+b.rng.IntN(254)))
		switch fate {
		case noRoute:
			dst = unrouted(b.p.isV6(i))
		case sent:
			fate += r.ifindex(route)
			r.flap(dst, r.ifindex(route))
		}
		inc.Laddr = pcbinfo.AddrFrom(dst)
		p := b.passive(inc, false)
		p.ack = ttl
		for _, at := range times {
			p.seek(int(at))
			p.segment(pcbinfo.ACK, b.p.Payload, firstFate+pcbinfo.Outcome(fate))
		}
		p.packets(ttl / firstTTL) // what was taken off
	}
	return nil
}

// host is a host of the i-th network: of 10.i.i.0/24 or fd00:0:i::/48.
func host(i int, v6 bool, host byte) netip.Addr {
	if v6 {
		return netip.AddrFrom16([16]byte{0: 0xfd, 4: byte(i >> 8), 5: byte(i), 15: host})
	}
	return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), host})
}

// unrouted is a host that there is no route to (RFC 5737, RFC 3849).
func unrouted(v6 bool) netip.Addr {
	if v6 {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0xff, 15: 1})
	}
	return netip.AddrFrom4([4]byte{198, 51, 100, 1})
}

// A router is forward's path.
type router struct {
	t       *Traffic
	fib     *inet.Fib
	ifs     []inet.Ifqueue
	lost    [sent][]counted // by fate and handle
	flaps   []flap
	changes uint64
}

// A flap is a host route that comes and goes. It leads out of the interface that the route below it leads to, by another gateway.
type flap struct {
	route netip.Prefix
	hop   *inet.Nexthop
	up    bool
}

func newRouter(routes, ifs int) *router {
	r := &router{fib: inet.NewFib(), ifs: make([]inet.Ifqueue, ifs)}
	for i := range routes {
		for _, v6 := range []bool{false, true} {
			bits := 24
			if v6 {
				bits = 48
			}
			if i%aggregate == 0 {
				bits -= 4
			}
			r.fib.Add(netip.PrefixFrom(host(i, v6, 0), bits), r.nexthop(r.ifindex(i), 1))
		}
	}
	return r
}

// ifindex is the interface that network i is behind.
func (r *router) ifindex(i int) int { return i % len(r.ifs) }

// nexthop is the gateway of that number behind an interface.
func (r *router) nexthop(ifindex int, gateway byte) *inet.Nexthop {
	return &inet.Nexthop{Ifindex: ifindex, Gateway: pcbinfo.AddrFrom(netip.AddrFrom4([4]byte{172, 16, byte(ifindex), gateway}))}
}

// flap makes a host route to dst of the next that come and go.
func (r *router) flap(dst netip.Addr, ifindex int) {
	p := netip.PrefixFrom(dst, dst.BitLen())
	known := slices.ContainsFunc(r.flaps, func(f flap) bool { return f.route == p })
	if known || len(r.flaps) == flapping {
		return
	}
	r.fib.Add(p, nil)
	r.flaps = append(r.flaps, flap{route: p, hop: r.nexthop(ifindex, 2)})
}

// tick is the routing daemon's turn.
func (r *router) tick() {
	if len(r.flaps) == 0 {
		return
	}
	f := &r.flaps[r.changes%uint64(len(r.flaps))]
	if f.up = !f.up; f.up {
		r.fib.Change(f.route, f.hop)
	} else {
		r.fib.Change(f.route, nil)
	}
	r.changes++
}

func (r *router) register(t *Traffic) []netisr.Protocol {
	r.t = t
	for i := range r.lost {
		r.lost[i] = make([]counted, len(t.table))
	}
	for i := range r.ifs {
		r.ifs[i].Init(ifqLimit, t.handled)
	}
	return []netisr.Protocol{t.ip(r.input)}
}

// input is ip_input of a router. A packet that is queued for an interface has been handled when it leaves.
func (r *router) input(at *netisr.At, segs []*pcbinfo.Segment) {
	for i, seg := range segs {
		if !r.tryForward(at.Handle, seg) {
			r.t.handled(at.Handle, segs[i:i+1])
		}
	}
}

// tryForward is ip_tryforward. It reports false of a packet that was dropped; another may be sent again by now.
func (r *router) tryForward(handle int, seg *pcbinfo.Segment) bool {
	if seg.Ack <= 1 { // an ICMP time exceeded
		r.lost[expired][handle].n++
		return false
	}
	seg.Ack--
	hop := r.fib.Lookup(seg.Inc.Laddr)
	if hop == nil { // an ICMP unreachable
		r.lost[noRoute][handle].n++
		return false
	}
	return r.ifs[hop.Ifindex].Handoff(handle, seg)
}

func (r *router) check(w *Workload, ds []*Driver) error {
	errs := []error{match("without a route", sum(r.lost[noRoute]), planned(ds, noRoute)),
		match("at the end of their TTL", sum(r.lost[expired]), planned(ds, expired))}
	for i := range r.ifs {
		q := &r.ifs[i]
		errs = append(errs, match(fmt.Sprintf("for interface %d", i), q.Sent+q.Drops, planned(ds, sent+i)))
	}
	return errors.Join(append(errs, w.checkTTL(ds))...)
}

// checkTTL finds packets that were not handled exactly once since they were sent last.
func (w *Workload) checkTTL(ds []*Driver) error {
	wrong := tally{}
	for _, d := range ds {
		if d.lap == 0 {
			continue
		}
		for i := range d.ring.segs {
			if seg := &d.ring.segs[i]; seg.Ack != firstTTL-1 && seg.Ack != 1 {
				wrong.add(fmt.Errorf("a packet to %v has a TTL of %d, should have %d or 1", seg.Inc.Laddr.Netip(), int32(seg.Ack), firstTTL-1))
			}
		}
	}
	return wrong.err()
}

func (r *router) counters() (cs []pcbinfo.Counter) {
	for i := range r.ifs {
		q := &r.ifs[i]
		cs = append(cs, pcbinfo.Counter{Name: fmt.Sprintf("if%d-sent", i), Value: q.Sent}, pcbinfo.Counter{Name: fmt.Sprintf("if%d-drops", i), Value: q.Drops})
	}
	return append(cs, pcbinfo.Counter{Name: "no-route", Value: sum(r.lost[noRoute])}, pcbinfo.Counter{Name: "ttl-expired", Value: sum(r.lost[expired])},
		pcbinfo.Counter{Name: "route-changes", Value: r.changes})
}
