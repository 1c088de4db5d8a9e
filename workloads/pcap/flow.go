package pcap

import (
	"net/netip"
	"slices"
	"time"
)

// A Kind says what an Event is.
type Kind uint8

const (
	SegmentIn Kind = iota // a segment arrives from the peer
	UserSend              // our user sends Len bytes
	UserClose             // our user closes: no more to send
	UserAbort             // our user aborts: the connection, or its half-open entry, is gone at once
)

// An Event is one thing that happens to a connection on our host.
//
// Sequence numbers are relative: Seq 0 is the peer's SYN and Ack 1 acknowledges ours. A segment from
// before the capture may lie below, so they wrap. A segment that stands for several (see Flows) may
// be longer than IP allows.
type Event struct {
	Time   time.Duration // since the first packet of the capture
	Record int           // position of the packet that it comes from, or that gave occasion to it
	Kind   Kind
	Flags  uint8  // SegmentIn
	Seq    uint32 // SegmentIn
	Ack    uint32 // SegmentIn with ACK
	Win    uint32 // SegmentIn: bytes; as in the header where the window scale is not known
	Len    uint32 // SegmentIn, UserSend: bytes
}

// A Flow is one connection of the capture, as our host sees it.
type Flow struct {
	Remote, Local netip.AddrPort // Local is our host
	ISN           uint32         // the peer's initial sequence number: Event.Seq + ISN is what was captured
	Events        []Event        // Time and Record never decrease
	State         State          // of our host after the last packet
	Received      uint64         // bytes of the peer that our host has got in order by then
	Sent          uint64         // bytes that our host has sent by then
	MidStream     bool           // the capture begins after the handshake; Events begin with one all the same
	Replaced      bool           // a later Flow opens the same pair again
	Counts
}

// Counts is what Flows met in one Flow, or in all.
type Counts struct {
	Segments         int    // captured, both ways
	OutOfOrder       int    // from the peer, beyond a hole
	Retransmitted    int    // both ways, with nothing new in them: retransmissions, keep-alives that carry a byte
	Stale            int    // left out: of an older connection of the pair, or of none
	Repeated         int    // segments added so that what arrived beyond a hole is delivered
	Synthesized      int    // segments added that the capture lacks although our host answered them
	SynthesizedBytes uint64 // payload of those
	Moved            int    // times our user had to act before its segment was captured, if it ever was
}

func (c *Counts) add(d Counts) {
	c.Segments += d.Segments
	c.OutOfOrder += d.OutOfOrder
	c.Retransmitted += d.Retransmitted
	c.Stale += d.Stale
	c.Repeated += d.Repeated
	c.Synthesized += d.Synthesized
	c.SynthesizedBytes += d.SynthesizedBytes
	c.Moved += d.Moved
}

// Flows returns the connections of the capture in order of their first packets. Our host is the
// passive side of each: the one that gets the SYN; where the SYN is not captured, the one that
// answers it; where neither is, the one with the lower port or, if they are equal, the receiver of
// the first packet. The sides of a simultaneous open are those of its first SYN.
//
// The Events are for a TCP that follows RFC 9293 and RFC 5961 but has no reassembly queue: it refuses
// what lies beyond rcv_nxt. It may or may not look at the ACK of a segment that it refuses. It takes
// data that comes with the ACK of a handshake, sends without regard to windows, and its 2MSL timer
// does not fire. Replayed into it, the events of a Flow end in State, and in between
//
//   - what arrived beyond a hole is refused, and comes once more when the hole is closed, in one
//     segment (Repeated);
//   - bytes that our host acknowledged and the capture lacks arrive before it goes on (Synthesized);
//     bytes that it did not acknowledge stay a hole;
//   - no acknowledgement comes before our user has sent what it acknowledges, and a FIN of ours that
//     was captured behind the peer's, but does not acknowledge it, comes first (Moved);
//   - where the pair is opened again, the older connection is closed first, by a UserAbort if its
//     state would not make room for the new SYN by itself. Its State is then Closed, and Replaced says so.
//
// Events of several Flows fall into the order of the capture by Record, then by position in the slice.
func (c *Capture) Flows() ([]Flow, Summary) {
	var flows []Flow
	s := Summary{Records: c.Records, Skipped: c.Skipped}
	for _, packets := range c.pairs() {
		for _, conn := range connections(packets) {
			f := build(conn)
			flows = append(flows, f)
			s.add(&f)
		}
	}
	// The first event of a Flow carries the position of its first packet.
	slices.SortFunc(flows, func(a, b Flow) int { return a.Events[0].Record - b.Events[0].Record })
	return flows, s
}

// pairs sorts the packets by pair.
func (c *Capture) pairs() [][]*Packet {
	at := map[pair]int{}
	var all [][]*Packet
	for i := range c.Packets {
		p := &c.Packets[i]
		key := pairOf(p)
		n, ok := at[key]
		if !ok {
			n = len(all)
			at[key] = n
			all = append(all, nil)
		}
		all[n] = append(all[n], p)
	}
	return all
}
