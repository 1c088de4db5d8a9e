// Package pcap turns a packet capture of real TCP into connections that can be replayed.
//
// It works in two steps. Read takes a pcap or pcapng file and keeps the TCP header of every packet
// and the length of its payload; what it cannot use it counts and names by position. Flows sorts the
// packets into connections, takes the passive side of each for our host, and writes down what
// happened to it: segments that arrived, and what its user did (send, close, abort), which is what
// the segments that left imply. A replay feeds the first to a TCP machine and calls it for the
// second; the machine must then end in the Flow's State.
//
// The files are read by github.com/gopacket/gopacket, in pure Go.
package pcap

import (
	"net/netip"
	"time"
)

// Flags of a TCP header, as on the wire.
const (
	FIN uint8 = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// A Capture is the TCP of one capture file.
type Capture struct {
	Name     string   // as given to Read
	LinkType string   // of the first record, in gopacket's words
	Records  int      // records in the file, used or not
	Packets  []Packet // in the order of the file; at least one
	Skipped  []Skip   // one a reason, in order of first occurrence
}

// A Packet is one TCP segment as captured. Its checksums are not verified: a capture taken on the
// sending host shows them before the network card has filled them in.
type Packet struct {
	Record   int           // position in the file, from 1
	Time     time.Duration // since the first packet; never runs backwards
	Src, Dst netip.AddrPort
	Seq, Ack uint32
	Len      uint32 // bytes of payload on the wire, however few of them were captured
	Win      uint16 // as in the header
	Flags    uint8  // FIN to URG
	Scale    int8   // shift count of the window scale option (RFC 7323, section 2), -1 without one
}

// syn reports whether p opens a connection or answers such a packet. What its FIN flag says is void
// then (RFC 9293, section 3.10.7), and with a RST flag it is a RST.
func (p *Packet) syn() bool { return p.Flags&(SYN|RST) == SYN }

// carries reports whether p takes up sequence numbers, its SYN aside.
func (p *Packet) carries() bool { return !p.syn() && (p.Len > 0 || p.Flags&FIN != 0) }

// A Skip counts the records that could not be used for one reason.
type Skip struct {
	Reason string
	Count  int
	First  []int // positions of the first maxPositions of them, from 1
}

// maxPositions bounds what a Skip remembers: enough to look at the records, however many there are.
const maxPositions = 8

// skip counts record as unusable.
func (c *Capture) skip(record int, reason string) {
	i := 0
	for i < len(c.Skipped) && c.Skipped[i].Reason != reason {
		i++
	}
	if i == len(c.Skipped) {
		c.Skipped = append(c.Skipped, Skip{Reason: reason})
	}
	s := &c.Skipped[i]
	s.Count++
	if len(s.First) < maxPositions {
		s.First = append(s.First, record)
	}
}
