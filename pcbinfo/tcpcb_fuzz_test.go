package pcbinfo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// FuzzSegments plays what it reads from bytes on one machine and checks RFC 9293's invariants after every event. Seeds are in
// testdata/fuzz, named for what happens in them.
func FuzzSegments(f *testing.F) {
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
	var finTaken bool
	for n := 0; len(data) >= eventBytes; n++ {
		e := [eventBytes]byte(data)
		data = data[eventBytes:]
		if tp.state == Closed {
			begin(&tp, &e)
			finTaken = false
			continue
		}
		old := tp
		what, err := playEvent(&tp, &e, &finTaken)
		if err == nil && tp.state != Closed {
			err = tp.invariants(finTaken)
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

// playEvent lets one event happen; finTaken is whether the peer's FIN has been received.
func playEvent(tp *Tcpcb, e *[eventBytes]byte, finTaken *bool) (what string, err error) {
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
		err = errors.Join(checkVerdict(&old, tp, &seg, v), checkReceived(&old, tp, &seg, v, *finTaken), checkAcked(&old, tp, &seg))
	}
	*finTaken = *finTaken || v.out == GotFin
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
	for _, c := range []struct {
		bad  bool
		what string
	}{
		{v.act == remove && v.out != GotRst && old.state != LastAck, "removed without RST or the end of LAST-ACK"},
		{v.act == remove && v.out != GotRst && tp.sndUna != tp.sndNxt, "LAST-ACK ended without the ACK of our FIN"},
		{v.out == GotRst && v.act != remove, "a RST was obeyed and the connection stays"},
		{v.out == GotRst && old.state != SynSent && seg.Seq != old.rcvNxt, "a RST beside rcv_nxt was obeyed"},
		{v.out == GotRst && old.state == SynSent && (!seg.is(ACK) || seg.Ack != old.sndNxt), "a RST that does not acknowledge the SYN was obeyed"},
		{v.act == timeWait && tp.state != TimeWait, "2MSL outside of TIME-WAIT"},
		{v.act == reopen && (old.state != TimeWait || *tp != *old), "reopened what was not in TIME-WAIT"},
		{old.state != TimeWait && tp.state == TimeWait && v.act != timeWait, "TIME-WAIT without 2MSL"},
		{seg.is(RST) && v.reply == replyRst, "RST answered by RST"},
		{v.out == GotFin && tp.state == old.state, "FIN changed nothing"},
		{unchanged(v.out) && *tp != *old, "a dropped segment changed the machine"},
	} {
		if c.bad {
			return errors.New(c.what)
		}
	}
	return moved(segmentEdges, old.state, tp.state)
}

// checkReceived holds what was delivered to the user against what the segment brought: text from rcv_nxt on, then FIN, each octet once
// and in order, and nothing after the FIN.
func checkReceived(old, tp *Tcpcb, seg *Segment, v verdict, finTaken bool) error {
	if old.state == SynSent { // which takes neither
		old = &Tcpcb{rcvNxt: tp.rcvNxt}
	}
	grew, moved := tp.rcvd-old.rcvd, tp.rcvNxt-old.rcvNxt
	fin := uint32(0)
	if v.out == GotFin {
		fin = 1
	}
	end := seg.Seq + uint32(seg.Len)
	for _, c := range []struct {
		bad  bool
		what string
	}{
		{uint64(moved) != grew+uint64(fin), "rcv_nxt did not move by the text delivered and the FIN taken"},
		{moved > 0 && finTaken, "text or FIN taken after the peer's FIN"},
		{moved > 0 && (!seg.is(ACK) || seg.Flags&(SYN|RST) != 0), "text or FIN taken from a SYN, from a RST, or without ACK"},
		{moved > 0 && before(old.rcvNxt, seg.Seq), "text or FIN taken beyond a hole"},
		{grew > 0 && end != old.rcvNxt+uint32(grew), "text delivered that the segment does not hold"},
		{fin > 0 && (!seg.is(FIN) || end+1 != tp.rcvNxt), "a FIN taken that is not there"},
		{(v.out == GotData) != (grew > 0 && fin == 0), "text without data, or data without text"},
	} {
		if c.bad {
			return errors.New(c.what)
		}
	}
	return nil
}

// checkAcked holds our side against the segment: it acknowledges what it says, if that was sent, and lets out what its window allows.
func checkAcked(old, tp *Tcpcb, seg *Segment) error {
	out := tp.sndNxt - old.sndNxt
	if tp.finSent && !old.finSent {
		out-- // FIN needs no window
	}
	for _, c := range []struct {
		bad  bool
		what string
	}{
		{before(tp.sndUna, old.sndUna), "snd_una went back"},
		{tp.sndUna != old.sndUna && (!seg.is(ACK) || tp.sndUna != seg.Ack), "snd_una is not what the segment acknowledges"},
		{tp.sndUna != old.sndUna && before(old.sndNxt, seg.Ack), "an ACK of what was not sent was taken"},
		{int32(out) < 0, "snd_nxt went back"},
		{out > 0 && tp.sndNxt-tp.sndUna > tp.sndWnd && !tp.finSent, "text was sent beyond the window"},
		{tp.sent != old.sent || tp.needFin != old.needFin, "a segment sent or closed for the user"},
		{tp.sndWnd != old.sndWnd && tp.sndWnd != seg.Win, "the window is not what the segment offers"},
		{tp.sndWnd != old.sndWnd && old.state >= Established && before(seg.Ack, old.sndUna), "an old ACK changed the window"},
	} {
		if c.bad {
			return errors.New(c.what)
		}
	}
	return nil
}

// unchanged reports whether a segment with this outcome must leave no trace.
func unchanged(out Outcome) bool {
	return slices.Contains([]Outcome{DropWindow, DropAck, DropSyn, DropRst, DropFlags}, out)
}

// invariants are what is true between events.
func (tp *Tcpcb) invariants(finTaken bool) error {
	one := map[bool]uint32{true: 1}
	afterFin := tp.state == CloseWait || tp.state == Closing || tp.state == LastAck || tp.state == TimeWait
	open := tp.state >= Established
	for _, c := range []struct {
		ok   bool
		what string
	}{
		{atOrBefore(tp.iss, tp.sndUna) && atOrBefore(tp.sndUna, tp.sndNxt), "iss ≤ snd_una ≤ snd_nxt"},
		{tp.sndNxt-tp.iss-1-one[tp.finSent]+tp.sndBuf == uint32(tp.sent), "bytes sent = acked + in flight + buffered"},
		{tp.state == SynSent || tp.irs+1+uint32(tp.rcvd)+one[finTaken] == tp.rcvNxt, "rcv_nxt = SYN + bytes delivered + FIN"},
		{afterFin == finTaken, "the peer's FIN was taken in CLOSE-WAIT, CLOSING, LAST-ACK and TIME-WAIT only"},
		{open || tp.sndNxt == tp.iss+1 && tp.sndUna == tp.iss, "until the handshake is over nothing but the SYN is out"},
		{!open || tp.sndBuf == 0 || tp.sndNxt-tp.sndUna >= tp.sndWnd, "bytes are kept back by a full window only"},
		{!tp.finSent || tp.needFin && tp.sndBuf == 0, "FIN goes out when the user has closed and all bytes are out"},
		{!open || !tp.needFin || tp.sndBuf > 0 || tp.finSent, "FIN goes out as soon as it can"},
		{tp.needFin == (tp.state >= FinWait1) || !open, "the user has closed in FIN-WAIT-1 to TIME-WAIT only"},
		{!open || tp.sndUna != tp.iss, "the SYN is acknowledged from ESTABLISHED on"},
		{tp.state >= FinWait2 || !tp.finSent || tp.sndUna != tp.sndNxt, "an acknowledged FIN leads to FIN-WAIT-2 or TIME-WAIT, or ends LAST-ACK"},
		{tp.state < FinWait2 || tp.finSent && tp.sndUna == tp.sndNxt, "in FIN-WAIT-2 and TIME-WAIT our FIN is acknowledged"},
	} {
		if !c.ok {
			return fmt.Errorf("broken: %s", c.what)
		}
	}
	return nil
}
