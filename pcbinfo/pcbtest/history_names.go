package pcbtest

import (
	"net/netip"

	"pcbbench/pcbinfo"
)

// maxWorkers is how many owners of names there may be, besides everybody.
const maxWorkers = 254

// foreignPorts are peers' ports. They differ from the first in one bit, of the low or the high byte.
var foreignPorts = [...]uint16{1000, 1001, 1000 ^ 1<<14}

// names are the ends that a history uses; different owners' are different connections.
type names struct {
	local, foreign [2]pcbinfo.Addr    // IPv4, IPv6
	twins          []pcbinfo.ConnInfo // differ from a family's conn in one bit of one address word each
	any            []uint16           // ports on which to listen for any address too
}

func newNames(owner int, any ...uint16) names {
	v4 := func(a, b byte) pcbinfo.Addr { return pcbinfo.AddrFrom(netip.AddrFrom4([4]byte{a, 51, 100, b})) }
	v6 := func(a, b byte) pcbinfo.Addr {
		return pcbinfo.AddrFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, a, 15: b}))
	}
	id := byte(owner + 1)
	n := names{local: [2]pcbinfo.Addr{v4(198, id), v6(1, id)}, foreign: [2]pcbinfo.Addr{v4(203, 1), v6(2, 1)}, any: any}
	for family, flip := range [2][2]int{{7, 14}, {0, 8}} { // a byte of the high and of the low word, not the one that tells owners
		for _, at := range flip {
			inc := n.conn(family)
			n.twins = append(n.twins,
				pcbinfo.ConnInfo{Laddr: twin(inc.Laddr, at), Faddr: inc.Faddr, Lport: inc.Lport, Fport: inc.Fport},
				pcbinfo.ConnInfo{Laddr: inc.Laddr, Faddr: twin(inc.Faddr, at), Lport: inc.Lport, Fport: inc.Fport})
		}
	}
	return n
}

// conn is the connection of a family that has the twins.
func (n *names) conn(family int) pcbinfo.ConnInfo {
	return pcbinfo.ConnInfo{Laddr: n.local[family], Faddr: n.foreign[family], Lport: sharedPort, Fport: foreignPorts[0]}
}

// conns are all connections that lead to a listener, and the twins.
func (n *names) conns() []pcbinfo.ConnInfo {
	all := append([]pcbinfo.ConnInfo(nil), n.twins...)
	for family := range n.local {
		inc := n.conn(family)
		for _, inc.Lport = range []uint16{sharedPort, ownPort, firstPort} {
			for _, inc.Fport = range foreignPorts {
				all = append(all, inc)
			}
		}
	}
	return all
}

// twin is a with one bit of byte at turned over: the byte's highest in the first of a word, else its lowest.
func twin(a pcbinfo.Addr, at int) pcbinfo.Addr {
	b := a.Netip().As16()
	if at%8 == 0 {
		b[at] ^= 0x80
	} else {
		b[at] ^= 1
	}
	return pcbinfo.AddrFrom(netip.AddrFrom16(b))
}
