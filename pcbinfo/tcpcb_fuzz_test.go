package pcbinfo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// FuzzSegments plays what it reads from bytes on one machine and checks RFC 9293's invariants after every event.
func FuzzSegments(f *testing.F) {
	f.Add([]byte("\x00handshake, data, the end"))
	f.Add([]byte("\x81connects to somebody else"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := playBytes(data); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRandomSegments is FuzzSegments with bytes from a generator.
func TestRandomSegments(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for i := range uint64(300) {
		src := rand.NewChaCha8([32]byte{})
		src.Seed([32]byte{byte(i), byte(i >> 8), byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
		data := make([]byte, 3000)
		src.Read(data)
		if err := playBytes(data); err != nil {
			t.Fatalf("seed %d, run %d: %v", seed, i, err)
		}
	}
}

// eventBytes is how many bytes make an event.
const eventBytes = 6

// playBytes reads events; when a connection is over, the next begins.
func playBytes(data []byte) error {
	var tp Tcpcb
	for n := 0; len(data) >= eventBytes; n++ {
		e := [eventBytes]byte(data)
		data = data[eventBytes:]
		if tp.state == Closed {
			begin(&tp, &e)
			continue
		}
		old := tp
		what, err := playEvent(&tp, &e)
		if err == nil && tp.state != Closed {
			err = tp.invariants()
		}
		if err != nil {
			return fmt.Errorf("event %d: %s: %w\n\tfrom %+v\n\tto   %+v", n, what, err, old, tp)
		}
	}
	return nil
}

// begin starts a connection with numbers that may wrap around soon.
func begin(tp *Tcpcb, e *[eventBytes]byte) {
	numbers := [4]uint32{0, 1 << 31, 1<<32 - 100, 1 << 16}
	irs, iss := numbers[e[1]%4], numbers[e[2]%4]
	if e[0]%2 == 0 {
		tp.accept(irs, iss, 1000)
	} else {
		tp.connect(iss)
	}
}

func playEvent(tp *Tcpcb, e *[eventBytes]byte) (what string, err error) {
	old := *tp
	switch e[0] % 16 {
	case 0:
		n := 8 * int(e[1])
		tp.send(n)
		return fmt.Sprint("send ", n), moved(userEdges, old.state, tp.state)
	case 1:
		if gone, _ := tp.usrClosed(); gone {
			*tp = Tcpcb{}
			return "close", nil
		}
		return "close", moved(userEdges, old.state, tp.state)
	}
	seg := eventSegment(tp, e)
	v, err := doSegmentTwice(tp, &seg)
	if err == nil {
		err = checkVerdict(&old, tp, &seg, v)
	}
	if v.act == remove || v.act == reopen {
		*tp = Tcpcb{}
	}
	return fmt.Sprintf("%s seq %d ack %d win %d len %d, verdict %+v", FlagString(seg.Flags), seg.Seq, seg.Ack, seg.Win, seg.Len, v), err
}

// eventSegment makes a segment near the numbers that matter to tp, with likely flags or any.
func eventSegment(tp *Tcpcb, e *[eventBytes]byte) Segment {
	flags := e[1]
	if e[0]&0x80 != 0 {
		flags = [8]uint8{ACK, ACK, ACK | PSH, ACK | PSH, ACK | FIN, SYN | ACK, SYN, RST}[flags%8]
	}
	seqs := [16]uint32{0, 0, 0, 0, 0, 0, 1, 10, rcvWnd - 1, rcvWnd, 1 << 31, ^uint32(0), ^uint32(9), ^uint32(99), ^uint32(1 << 30), 1 << 30}
	acks := [8]uint32{tp.sndNxt, tp.sndNxt, tp.sndNxt, tp.sndUna, tp.sndUna + 1, tp.sndNxt + 1, tp.sndUna - 1, tp.sndNxt + 1<<31}
	return Segment{
		Seq: tp.rcvNxt + seqs[e[2]%16], Ack: acks[e[3]%8], Flags: flags,
		Len: [4]uint16{0, 0, 10, 100}[e[4]%4], Win: [4]uint32{1000, 1000, 100, 0}[e[5]%4],
	}
}

// The edges of RFC 9293's figure 5 that a user's close and a segment may take; a segment that acknowledges our SYN or FIN and
// has a FIN of its own takes two at once.
var (
	userEdges    = map[State][]State{Established: {FinWait1}, CloseWait: {LastAck}}
	segmentEdges = map[State][]State{
		SynSent:     {SynReceived, Established},
		SynReceived: {Established, FinWait1, CloseWait, Closing},
		Established: {CloseWait},
		FinWait1:    {FinWait2, Closing, TimeWait},
		FinWait2:    {TimeWait},
		Closing:     {TimeWait},
	}
)

func moved(edges map[State][]State, from, to State) error {
	if from != to && !slices.Contains(edges[from], to) {
		return fmt.Errorf("no way from %v to %v", from, to)
	}
	return nil
}

// checkVerdict compares what a segment did with what was said.
func checkVerdict(old, tp *Tcpcb, seg *Segment, v verdict) error {
	grew := tp.rcvd - old.rcvd
	for _, c := range []struct {
		bad  bool
		what string
	}{
		{v.act == remove && v.out != GotRst && old.state != LastAck, "removed without RST or the end of LAST-ACK"},
		{v.act == timeWait && tp.state != TimeWait, "2MSL outside of TIME-WAIT"},
		{v.act == reopen && (old.state != TimeWait || *tp != *old), "reopened what was not in TIME-WAIT"},
		{old.state != TimeWait && tp.state == TimeWait && v.act != timeWait, "TIME-WAIT without 2MSL"},
		{seg.is(RST) && v.reply == replyRst, "RST answered by RST"},
		{old.state != SynSent && before(tp.rcvNxt, old.rcvNxt), "rcv_nxt went back"},
		{before(tp.sndUna, old.sndUna), "snd_una went back"},
		{(v.out == GotData) != (grew > 0 && v.out != GotFin), "text without data, or data without text"},
		{v.out == GotFin && tp.state == old.state, "FIN changed nothing"},
		{unchanged(v.out) && *tp != *old, "a dropped segment changed the machine"},
	} {
		if c.bad {
			return fmt.Errorf("%s", c.what)
		}
	}
	return moved(segmentEdges, old.state, tp.state)
}

// unchanged reports whether a segment with this outcome must leave no trace.
func unchanged(out Outcome) bool {
	return slices.Contains([]Outcome{DropWindow, DropAck, DropSyn, DropRst, DropFlags}, out)
}

// invariants are what is true between events.
func (tp *Tcpcb) invariants() error {
	fin := uint32(0)
	if tp.finSent {
		fin = 1
	}
	open := tp.state >= Established
	for _, c := range []struct {
		ok   bool
		what string
	}{
		{atOrBefore(tp.iss, tp.sndUna) && atOrBefore(tp.sndUna, tp.sndNxt), "iss ≤ snd_una ≤ snd_nxt"},
		{tp.sndNxt-tp.iss-1-fin+tp.sndBuf == uint32(tp.sent), "bytes sent = on the wire + buffered"},
		{tp.state == SynSent || uint32(tp.rcvd) <= tp.rcvNxt-tp.irs-1, "bytes delivered ≤ received"},
		{tp.state != Established || uint32(tp.rcvd) == tp.rcvNxt-tp.irs-1, "in ESTABLISHED all bytes received are delivered"},
		{!open || tp.sndBuf == 0 || tp.sndNxt-tp.sndUna >= tp.sndWnd, "bytes are kept back by a full window only"},
		{!tp.finSent || tp.needFin && tp.sndBuf == 0, "FIN goes out when the user has closed and all bytes are out"},
		{!open || !tp.needFin || tp.sndBuf > 0 || tp.finSent, "FIN goes out as soon as it can"},
		{tp.needFin == (tp.state >= FinWait1) || !open, "the user has closed in FIN-WAIT-1 to TIME-WAIT only"},
		{tp.state < FinWait2 || tp.finSent && tp.sndUna == tp.sndNxt, "in FIN-WAIT-2 and TIME-WAIT our FIN is acknowledged"},
	} {
		if !c.ok {
			return fmt.Errorf("broken: %s", c.what)
		}
	}
	return nil
}
