package pcap

import (
	"fmt"
	"strings"
)

// A Summary says what Flows made of a capture.
type Summary struct {
	Records   int // in the file
	Flows     int
	MidStream int // flows without a handshake in the capture
	Replaced  int // flows whose pair was opened again
	Counts        // of all flows
	Skipped   []Skip
}

func (s *Summary) add(f *Flow) {
	s.Flows++
	if f.MidStream {
		s.MidStream++
	}
	if f.Replaced {
		s.Replaced++
	}
	s.Counts.add(f.Counts)
}

// String returns the summary in a few lines for people, the last without a newline.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d flows (%d opened mid-stream, %d replaced) of %d segments in %d records\n", s.Flows, s.MidStream, s.Replaced, s.Segments, s.Records)
	fmt.Fprintf(&b, "%d segments out of order, %d retransmitted, %d stale\n", s.OutOfOrder, s.Retransmitted, s.Stale)
	fmt.Fprintf(&b, "added %d repeated and %d synthesized segments (%d bytes), moved %d user events\n", s.Repeated, s.Synthesized, s.SynthesizedBytes, s.Moved)
	fmt.Fprintf(&b, "skipped %d records%s", skipped(s.Skipped), list(": ", s.Skipped))
	return b.String()
}

func skipped(skips []Skip) int {
	n := 0
	for _, s := range skips {
		n += s.Count
	}
	return n
}

// list names the reasons with their positions, behind sep if there are any.
func list(sep string, skips []Skip) string {
	var parts []string
	for _, s := range skips {
		more := ""
		if s.Count > len(s.First) {
			more = " ..."
		}
		at := strings.Trim(fmt.Sprint(s.First), "[]")
		parts = append(parts, fmt.Sprintf("%d %s (at %s%s)", s.Count, s.Reason, at, more))
	}
	if len(parts) == 0 {
		return ""
	}
	return sep + strings.Join(parts, ", ")
}
