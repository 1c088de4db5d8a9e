package pcap

import (
	"fmt"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Reasons to skip a record, besides those that name a protocol or a link type.
const (
	skipEmpty     = "empty record"
	skipCut       = "header cut off by the snap length"
	skipMalformed = "malformed header"
	skipNotIP     = "not IP"
	skipARP       = "ARP"
	skipFragment  = "IP fragment"
	skipSameEnds  = "same source and destination"
	skipNoEnd     = "address or port zero"
)

// A decoder finds the TCP header in a record. It reuses gopacket's layers from one record to the next.
type decoder struct {
	eth  layers.Ethernet
	sll  layers.LinuxSLL
	sll2 layers.LinuxSLL2
	loop layers.Loopback
	vlan layers.Dot1Q
	ip4  layers.IPv4
	ip6  layers.IPv6
	ext  layers.IPv6ExtensionSkipper
	frag layers.IPv6Fragment
	tcp  layers.TCP

	cut bool // fewer bytes than an IPv4 header announces
}

// SetTruncated implements gopacket.DecodeFeedback.
func (d *decoder) SetTruncated() { d.cut = true }

// decode returns the TCP segment in frame, which had wire bytes before it was captured, or the reason
// why there is none.
func (d *decoder) decode(link layers.LinkType, frame []byte, wire int) (Packet, string) {
	if len(frame) == 0 {
		return Packet{}, skipEmpty
	}
	next, data, reason := d.link(link, frame)
	if reason == "" {
		next, data, reason = d.tags(next, data)
	}
	if reason != "" {
		if reason == skipMalformed && len(frame) < wire {
			reason = skipCut
		}
		return Packet{}, reason
	}
	dgram := datagram{data: data, wire: wire - (len(frame) - len(data)), whole: len(frame) >= wire}
	switch next {
	case layers.LayerTypeIPv4:
		return d.v4(dgram)
	case layers.LayerTypeIPv6:
		return d.v6(dgram)
	case layers.LayerTypeARP:
		return Packet{}, skipARP
	}
	return Packet{}, skipNotIP
}

// A datagram is an IP packet as captured. While its headers are taken off it shrinks to their payload.
type datagram struct {
	data  []byte // what was captured of it
	wire  int    // its length before capture
	whole bool   // the snap length took nothing away
}

// bad is the reason for a header that does not decode.
func (g *datagram) bad() string {
	if g.whole {
		return skipMalformed
	}
	return skipCut
}

// link takes the link layer off a frame and returns what follows.
func (d *decoder) link(link layers.LinkType, frame []byte) (gopacket.LayerType, []byte, string) {
	var l gopacket.DecodingLayer
	switch link {
	case layers.LinkTypeEthernet:
		l = &d.eth
	case layers.LinkTypeLinuxSLL:
		l = &d.sll
	case layers.LinkTypeLinuxSLL2:
		l = &d.sll2
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		l = &d.loop
	case layers.LinkTypeRaw, linkTypeRawBSD, linkTypeRawOpenBSD, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		return version(frame), frame, ""
	default:
		return 0, nil, fmt.Sprintf("link type %d (%v) not supported", link, link)
	}
	if l.DecodeFromBytes(frame, d) != nil {
		return 0, nil, skipMalformed
	}
	return l.NextLayerType(), l.LayerPayload(), ""
}

// DLT_RAW has a number of its own on some systems, and older files carry it.
const (
	linkTypeRawBSD     layers.LinkType = 12
	linkTypeRawOpenBSD layers.LinkType = 14
)

// version tells the two kinds of raw IP apart.
func version(data []byte) gopacket.LayerType {
	switch data[0] >> 4 {
	case 4:
		return layers.LayerTypeIPv4
	case 6:
		return layers.LayerTypeIPv6
	}
	return gopacket.LayerTypeZero
}

// tags takes VLAN tags off: one, or two and more (802.1ad, QinQ).
func (d *decoder) tags(next gopacket.LayerType, data []byte) (gopacket.LayerType, []byte, string) {
	for next == layers.LayerTypeDot1Q {
		if d.vlan.DecodeFromBytes(data, d) != nil {
			return 0, nil, skipMalformed
		}
		next, data = d.vlan.NextLayerType(), d.vlan.LayerPayload()
	}
	return next, data, ""
}

func (d *decoder) v4(g datagram) (Packet, string) {
	d.cut = false
	switch err := d.ip4.DecodeFromBytes(g.data, d); {
	case err != nil && d.cut:
		return Packet{}, g.bad()
	case err != nil, d.ip4.Version != 4:
		return Packet{}, skipMalformed
	}
	if d.ip4.FragOffset != 0 || d.ip4.Flags&layers.IPv4MoreFragments != 0 {
		return Packet{}, skipFragment
	}
	// A segment that the network card will split has no total length yet: the record's counts.
	if total := int(g.data[2])<<8 | int(g.data[3]); total != 0 {
		g.wire = total
	}
	g.data, g.wire = d.ip4.Payload, g.wire-len(d.ip4.Contents)
	src, _ := netip.AddrFromSlice(d.ip4.SrcIP)
	dst, _ := netip.AddrFromSlice(d.ip4.DstIP)
	return d.segment(g, d.ip4.Protocol, src, dst)
}

func (d *decoder) v6(g datagram) (Packet, string) {
	if d.ip6.DecodeFromBytes(g.data, d) != nil {
		return Packet{}, g.bad()
	}
	if d.ip6.Version != 6 {
		return Packet{}, skipMalformed
	}
	proto := d.ip6.NextHeader
	g.wire -= len(d.ip6.Contents)
	if d.ip6.Length != 0 { // else a jumbogram: the record's length counts
		g.wire = int(d.ip6.Length)
	}
	if hop := d.ip6.HopByHop; hop != nil {
		proto = hop.NextHeader
		g.wire -= hop.ActualLength
	}
	g.data = d.ip6.Payload
	proto, reason := d.extensions(&g, proto)
	if reason != "" {
		return Packet{}, reason
	}
	src, _ := netip.AddrFromSlice(d.ip6.SrcIP)
	dst, _ := netip.AddrFromSlice(d.ip6.DstIP)
	return d.segment(g, proto, src, dst)
}

// extensions takes IPv6 extension headers off and returns the protocol behind them.
func (d *decoder) extensions(g *datagram, proto layers.IPProtocol) (layers.IPProtocol, string) {
	for {
		switch proto {
		case layers.IPProtocolIPv6Routing, layers.IPProtocolIPv6Destination:
			if d.ext.DecodeFromBytes(g.data, d) != nil {
				return 0, g.bad()
			}
			proto, g.data, g.wire = d.ext.NextHeader, d.ext.Payload, g.wire-len(d.ext.Contents)
		case layers.IPProtocolIPv6Fragment:
			if d.frag.DecodeFromBytes(g.data, d) != nil {
				return 0, g.bad()
			}
			if d.frag.FragmentOffset != 0 || d.frag.MoreFragments {
				return 0, skipFragment
			}
			proto, g.data, g.wire = d.frag.NextHeader, d.frag.Payload, g.wire-len(d.frag.Contents)
		default:
			return proto, ""
		}
	}
}

// segment reads the TCP header. Options that the snap length cut off, or that are malformed, cost no
// more than the window scale.
func (d *decoder) segment(g datagram, proto layers.IPProtocol, src, dst netip.Addr) (Packet, string) {
	if proto != layers.IPProtocolTCP {
		return Packet{}, protocol(proto)
	}
	if len(g.data) < 20 {
		return Packet{}, g.bad()
	}
	_ = d.tcp.DecodeFromBytes(g.data, d) // fails for options only, once the offset is right
	header := int(d.tcp.DataOffset) * 4
	if header < 20 || header > g.wire || g.wire > maxSegment {
		return Packet{}, skipMalformed
	}
	p := Packet{
		Src: netip.AddrPortFrom(src, uint16(d.tcp.SrcPort)), Dst: netip.AddrPortFrom(dst, uint16(d.tcp.DstPort)),
		Seq: d.tcp.Seq, Ack: d.tcp.Ack, Win: d.tcp.Window, Len: uint32(g.wire - header),
		Flags: g.data[13] & (FIN | SYN | RST | PSH | ACK | URG), Scale: d.scale(),
	}
	if src.IsUnspecified() || dst.IsUnspecified() || p.Src.Port() == 0 || p.Dst.Port() == 0 {
		return Packet{}, skipNoEnd // nobody can be reached there
	}
	if p.Src == p.Dst {
		return Packet{}, skipSameEnds
	}
	return p, ""
}

// maxSegment is more than any network card is handed in one piece (Linux's BIG TCP stops at 512 KB).
// It bounds a length that is taken from the record for want of one in the IP header.
const maxSegment = 1 << 20

// scale returns the shift count of the window scale option, or -1. More than 14 counts as 14 (RFC
// 7323, section 2.3).
func (d *decoder) scale() int8 {
	for _, o := range d.tcp.Options {
		if o.OptionType == layers.TCPOptionKindWindowScale && len(o.OptionData) == 1 {
			return int8(min(o.OptionData[0], 14))
		}
	}
	return -1
}

// protocol names what is not TCP.
func protocol(proto layers.IPProtocol) string {
	if layers.IPProtocolMetadata[proto].DecodeWith == nil {
		return fmt.Sprintf("IP protocol %d", proto)
	}
	return proto.String()
}
