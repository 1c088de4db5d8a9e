package workloads

import (
	"encoding/binary"
	"net/netip"

	"pcbbench/pcbinfo"
)

// Our end, and the foreign ends: the ranges set aside for documentation and benchmarking (RFC 5737, 3849, 2544, 5180).
var (
	localV4 = pcbinfo.AddrFrom(netip.MustParseAddr("192.0.2.1"))
	localV6 = pcbinfo.AddrFrom(netip.MustParseAddr("2001:db8::1"))
)

const (
	firstListenPort = 5000
	remotePort      = 443 // where our own connects go
)

// peerAddr is the i-th foreign address, 0 ≤ i < maxPeers.
func peerAddr(i int, v6 bool) pcbinfo.Addr {
	if v6 {
		a := [16]byte{0x20, 0x01, 0x00, 0x02} // 2001:2::/48
		binary.BigEndian.PutUint32(a[12:], uint32(i)+1)
		return pcbinfo.AddrFrom(netip.AddrFrom16(a))
	}
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 198<<24|18<<16+uint32(i))
	return pcbinfo.AddrFrom(netip.AddrFrom4(a))
}

// connInfo is the i-th of all four-tuples towards our listeners: neighbours differ in listener, then peer, then port.
func (p *Params) connInfo(i int) pcbinfo.ConnInfo {
	v6 := p.isV6(i)
	listener := i % p.Listeners
	i /= p.Listeners
	peer := i % p.Peers
	port := i / p.Peers
	return pcbinfo.ConnInfo{Faddr: peerAddr(peer, v6), Laddr: localAddr(v6), Fport: uint16(firstPeerPort + port), Lport: uint16(firstListenPort + listener)}
}

// outbound is the four-tuple of the i-th connection that we open; the stack chooses its local port.
func (p *Params) outbound(i int) pcbinfo.ConnInfo {
	v6 := p.isV6(i)
	return pcbinfo.ConnInfo{Faddr: peerAddr(i%p.Peers, v6), Laddr: localAddr(v6), Fport: remotePort}
}

// isV6 spreads the IPv6 share evenly over the indices, by the golden ratio.
func (p *Params) isV6(i int) bool { return float64(uint32(i)*0x9e3779b9)/(1<<32) < p.V6 }

func localAddr(v6 bool) pcbinfo.Addr {
	if v6 {
		return localV6
	}
	return localV4
}
