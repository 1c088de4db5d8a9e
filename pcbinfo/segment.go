package pcbinfo

import "strings"

// The flag bits of a segment, as on the wire (RFC 9293 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// FlagString spells flags as tcpdump's readers expect, for instance "SYN|ACK".
func FlagString(flags uint8) string {
	var names []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG"} {
		if flags&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// A Segment is one inbound TCP segment after the header was checked: what tcp_input knows when it goes to look
// for the inpcb, and what netisr knows of the packet around it. Segments are built before a run and travel as pointers into rings; a table
// reads them and never writes them, nor keeps the pointer after Input returns. One fills a 64-byte line.
type Segment struct {
	Inc      ConnInfo
	Seq, Ack uint32
	Win      uint32 // the peer's receive window in bytes, scaled
	FlowID   uint32 // the RSS hash a network card would deliver (m_pkthdr.flowid)
	Len      uint16 // bytes of text
	Flags    uint8
	Proto    uint8  // who takes it from netisr, by the number of its registration; a table does not look at this and the rest
	Source   uint16 // where it came in (m_pkthdr.rcvif): the input context
	Slot     uint8  // the sender's own note, to know it again when it is handled
	Level    uint8  // of encapsulation taken off so far, written by who does that
}

// synFinRst are the flags of a segment that may change the table, known before any lock is taken.
const synFinRst = SYN | FIN | RST

func (s *Segment) is(flags uint8) bool { return s.Flags&flags == flags }

// opens reports whether a listener takes the segment as a connection's first; port 0 would name a listener.
func (s *Segment) opens() bool { return s.Flags&(SYN|ACK|RST|FIN) == SYN && s.Inc.Fport != 0 }

// before and atOrBefore order sequence numbers modulo 2^32 (RFC 9293 3.4).
func before(a, b uint32) bool     { return int32(a-b) < 0 }
func atOrBefore(a, b uint32) bool { return int32(a-b) <= 0 }
