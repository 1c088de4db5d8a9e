package pcbinfo

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
)

// An Addr is an IP address as the table keeps it: sixteen bytes in two words, IPv4 mapped into IPv6
// (RFC 4291 2.5.5.2), so that one compare serves both families. The zero Addr is the unspecified address
// of either family: a listener bound to it takes segments for any local address.
type Addr struct{ hi, lo uint64 }

// AddrFrom converts a; the unspecified addresses 0.0.0.0 and :: both become the zero Addr. Zones are dropped.
func AddrFrom(a netip.Addr) Addr {
	if a = a.Unmap(); !a.IsValid() || a.IsUnspecified() {
		return Addr{}
	}
	b := a.As16()
	return Addr{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Is4 reports whether a is an IPv4 address.
func (a Addr) Is4() bool { return a.hi == 0 && a.lo>>32 == 0xffff }

// IsAny reports whether a is the unspecified address.
func (a Addr) IsAny() bool { return a == Addr{} }

// Netip converts a back; IPv4 addresses come out unmapped.
func (a Addr) Netip() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return netip.AddrFrom16(b).Unmap()
}

// A ConnInfo names a connection (struct in_conninfo): the foreign and the local end. A listener's foreign
// end is zero and its local address may be. Ports are in host order.
type ConnInfo struct {
	Faddr, Laddr Addr
	Fport, Lport uint16
}

// String gives the ends in netstat's order, local first.
func (inc ConnInfo) String() string {
	return fmt.Sprintf("%v<-%v", netip.AddrPortFrom(inc.Laddr.Netip(), inc.Lport),
		netip.AddrPortFrom(inc.Faddr.Netip(), inc.Fport))
}

func (inc *ConnInfo) ports() uint64 { return uint64(inc.Fport)<<16 | uint64(inc.Lport) }

// match compares whole keys. The words that differ most between connections come first.
func (inc *ConnInfo) match(o *ConnInfo) bool {
	return inc.Fport == o.Fport && inc.Lport == o.Lport && inc.Faddr.lo == o.Faddr.lo &&
		inc.Laddr.lo == o.Laddr.lo && inc.Faddr.hi == o.Faddr.hi && inc.Laddr.hi == o.Laddr.hi
}

// hash mixes the four-tuple by folded multiplication (the step of wyhash), keyed by seed. FreeBSD 6 folded by
// exclusive or alone, which an attacker who picks his ports can aim; a benchmark's regular addresses would
// aim it by accident.
func (inc *ConnInfo) hash(seed uint64) uint32 {
	// The first constant keeps small seeds from cancelling small interface identifiers: a factor of 0 forgets the other one.
	h := fold(inc.Faddr.lo^seed^0xa0761d6478bd642f, inc.Laddr.lo^inc.ports()<<32^0x9e3779b97f4a7c15)
	if inc.Faddr.hi != 0 {
		h = fold(h^inc.Faddr.hi, inc.Laddr.hi^0xd1b54a32d192ed03)
	}
	return uint32(h ^ h>>32)
}

// Part is which of n parts, in which connections are dealt out by their four-tuples, inc belongs to. What has no full four-tuple, as a listener, is in
// part 0.
func (inc *ConnInfo) Part(n int) int {
	if inc.Fport == 0 {
		return 0
	}
	return int(uint64(inc.hash(partSeed)) * uint64(n) >> 32)
}

// partSeed keeps the parts apart from the buckets, which tables choose by the same hash.
const partSeed = 0xbb67ae8584caa73b

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// ISN is the sequence number with which the stack answers a SYN: RFC 6528's F(tuple, secret) + M, with the
// peer's initial number as the clock M. A generator can so know the answers before the run starts, and a
// new incarnation of a tuple is ahead of the old one exactly as far as the peer's is.
func ISN(inc *ConnInfo, m uint32) uint32 { return inc.hash(isnSecret) + m }

const isnSecret = 0x6a09e667f3bcc908
