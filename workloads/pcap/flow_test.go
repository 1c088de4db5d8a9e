package pcap

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	peer = netip.MustParseAddrPort("192.0.2.1:40000")
	host = netip.MustParseAddrPort("192.0.2.2:80")
)

// Initial sequence numbers of the peer, which wraps soon, and of our host. Every further connection
// of the pair, 'b' and 'c', begins a hundred thousand further on.
const (
	peerISN = 1<<32 - 50
	hostISN = 1<<31 - 50
	further = 100000000
)

// script reads packets, one a line: direction ('<' to our host, '>' from it) and connection of the
// pair (none for the first, or b, c), flags, sequence number, acknowledgement and length. Numbers are
// relative to the SYNs, missing ones 0.
func script(t *testing.T, text string) []Packet {
	var packets []Packet
	for line := range strings.SplitSeq(text, ";") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		var dir, flags string
		var seq, ack, n uint32
		if k, err := fmt.Sscan(line, &dir, &flags, &seq, &ack, &n); k < 2 {
			t.Fatalf("%q: %v", line, err)
		}
		p := Packet{Src: peer, Dst: host, Len: n, Scale: -1, Win: 1000}
		base := uint32(0)
		if len(dir) > 1 {
			base = further * uint32(dir[1]-'a')
		}
		p.Seq, p.Ack = peerISN+base+seq, hostISN+base+ack
		if dir[0] == '>' {
			p.Src, p.Dst = host, peer
			p.Seq, p.Ack = hostISN+base+seq, peerISN+base+ack
		}
		for _, f := range flags {
			p.Flags |= map[rune]uint8{'F': FIN, 'S': SYN, 'R': RST, 'P': PSH, 'A': ACK, 'U': URG, '.': 0}[f]
		}
		if p.Flags&ACK == 0 {
			p.Ack = 0
		}
		packets = append(packets, p)
	}
	for i := range packets {
		packets[i].Record, packets[i].Time = i+1, time.Duration(i)*time.Millisecond
	}
	return packets
}

// shake is the handshake that most of the scripts begin with.
const shake = "< S; > SA 0 1; < A 1 1;"

func TestFlows(t *testing.T) {
	tests := []struct {
		name   string
		script string
		want   string // states of the flows
		got    uint64 // bytes of the peer, of all flows
		sent   uint64
		counts Counts // of all flows; Segments is not looked at
	}{
		{name: "open", script: shake, want: "ESTABLISHED"},
		{name: "half open", script: "< S; > SA 0 1", want: "SYN_RCVD"},
		{name: "no answer", script: "< S; < S; < S", want: "SYN_RCVD", counts: Counts{Retransmitted: 2}},
		{name: "refused", script: "< S; > RA 0 1", want: "CLOSED"},
		{name: "refused twice", script: "< S; > RA 0 1; < S; > RA 0 1", want: "CLOSED CLOSED"},
		{name: "given up", script: "< S; > SA 0 1; < R 1", want: "CLOSED"},
		{name: "SYN and SYN|ACK again", script: "< S; > SA 0 1; < S; > SA 0 1; < A 1 1; < S", want: "ESTABLISHED", counts: Counts{Retransmitted: 2}},
		{name: "peer closes", script: shake + "< A 1 1 100; > A 1 101 50; < FA 101 51; > A 51 102", want: "CLOSE_WAIT", got: 100, sent: 50},
		{name: "peer closes, then host", script: shake + "< FA 1 1; > A 1 2; > FA 1 2", want: "LAST_ACK"},
		{name: "closed by peer", script: shake + "< FA 1 1 10; > A 1 12; > FA 1 12 20; < A 12 22", want: "CLOSED", got: 10, sent: 20},
		{name: "host closes", script: shake + "> FA 1 1 70", want: "FIN_WAIT_1", sent: 70},
		{name: "host closes, acknowledged", script: shake + "> FA 1 1; < A 1 2; < A 1 2 30", want: "FIN_WAIT_2", got: 30},
		{name: "closed by host", script: shake + "> FA 1 1; < A 1 2; < FA 1 2; > A 2 2", want: "TIME_WAIT"},
		{name: "FIN and ACK of FIN in one", script: shake + "> FA 1 1; < FA 1 2; > A 2 2", want: "TIME_WAIT"},
		{name: "both close", script: shake + "> FA 1 1; < FA 1 1; > A 2 2", want: "CLOSING"},
		{name: "both close, acknowledged", script: shake + "> FA 1 1; < FA 1 1; > A 2 2; < A 2 2", want: "TIME_WAIT"},
		{name: "both close, crossed before the capture", script: shake + "< FA 1 1; > FA 1 1; > A 2 2; < A 2 2", want: "TIME_WAIT", counts: Counts{Moved: 1}},
		{name: "FIN again", script: shake + "< FA 1 1; < FA 1 1; > FA 1 2; > FA 1 2", want: "LAST_ACK", counts: Counts{Retransmitted: 2}},
		{name: "ACK of our FIN on an old segment", script: shake + "< A 1 1 10; > FA 1 11; < FA 11 1; > A 2 12; < FA 11 2", want: "TIME_WAIT", got: 10, counts: Counts{Retransmitted: 1, Repeated: 1}},
		{name: "ACK of our FIN beyond a hole", script: shake + "> FA 1 1; < A 101 2", want: "FIN_WAIT_2", counts: Counts{Repeated: 1}},
		{name: "reset", script: shake + "< A 1 1 100; < RA 101 1; < A 101 1", want: "CLOSED", got: 100},
		{name: "reset without ACK", script: shake + "< R 1", want: "CLOSED"},
		{name: "reset beside rcv_nxt", script: shake + "< RA 2 1; < RA 0 1", want: "ESTABLISHED"},
		{name: "reset by host", script: shake + "> RA 1 1; < A 1 1; > R 1", want: "CLOSED"},
		{name: "reset after FIN", script: shake + "< FA 1 1; > A 1 2; < R 2", want: "CLOSED"},
		{name: "reset after FIN, one behind", script: shake + "< FA 1 1; > A 1 2; < R 1", want: "CLOSE_WAIT"},
		{name: "reset of TIME_WAIT", script: shake + "> FA 1 1; < FA 1 2; > A 2 2; < R 2", want: "CLOSED"},
		{name: "keep-alive", script: shake + "< A 1 1 10; < A 10 1; < A 10 1 1; > A 1 11; > A 0 11", want: "ESTABLISHED", got: 10, counts: Counts{Retransmitted: 1}},
		{name: "window probe", script: shake + "< A 1 1 100; < A 101 1 1; < A 101 1 100", want: "ESTABLISHED", got: 200},
		{name: "retransmission", script: shake + "> A 1 1 10; > A 1 1 10; > A 1 1 20; < A 1 21", want: "ESTABLISHED", sent: 20, counts: Counts{Retransmitted: 1}},
		{name: "loss", script: shake + "< A 1 1 10; < A 21 1 10; < A 31 1 10; < A 11 1 10; > A 1 41", want: "ESTABLISHED", got: 40, counts: Counts{OutOfOrder: 2, Repeated: 1}},
		{name: "loss, FIN beyond", script: shake + "< A 11 1 10; < FA 21 1 10; < A 1 1 10; > A 1 32; > FA 1 32; < A 32 2", want: "CLOSED", got: 30, counts: Counts{OutOfOrder: 2, Repeated: 1}},
		{name: "two holes", script: shake + "< A 11 1 10; < A 31 1 10; < A 1 1 10; < A 21 1 10", want: "ESTABLISHED", got: 40, counts: Counts{OutOfOrder: 2, Repeated: 2}},
		{name: "sent again beyond a hole", script: shake + "< A 11 1 10; < A 11 1 10; < A 1 1 20", want: "ESTABLISHED", got: 20, counts: Counts{OutOfOrder: 1, Retransmitted: 1}},
		{name: "partial overlap", script: shake + "< A 1 1 10; < A 6 1 10; < A 1 1 30", want: "ESTABLISHED", got: 30},
		{name: "more than 4 GB", script: shake + "< A 1 1 1073741824; < A 1073741825 1 1073741824; < A 2147483649 1 1073741824; < A 3221225473 1 1073741824; < A 1 1 1073741824; < FA 1073741825 1; > A 1 1073741826", want: "CLOSE_WAIT", got: 5 << 30},
		{name: "hole never filled", script: shake + "< A 11 1 10; < FA 21 1", want: "ESTABLISHED", counts: Counts{OutOfOrder: 2}},
		{name: "hole acknowledged", script: shake + "< A 11 1 10; < FA 21 1; > A 1 22", want: "CLOSE_WAIT", got: 20, counts: Counts{OutOfOrder: 2, Repeated: 1, Synthesized: 1, SynthesizedBytes: 10}},
		{name: "ACK beyond a hole", script: shake + "> A 1 1 10; < A 11 11; > FA 11 1; < A 1 12 10", want: "FIN_WAIT_2", got: 10, sent: 10},
		{name: "reordered ACK overtakes FIN", script: shake + "> FA 1 1; < A 2 2; < FA 1 2; > A 2 2", want: "TIME_WAIT", counts: Counts{Repeated: 1}},
		{name: "acknowledged before captured", script: shake + "< A 1 101; > A 1 1 100; < A 1 202; > FA 101 1 100", want: "FIN_WAIT_2", sent: 200, counts: Counts{Moved: 2}},
		{name: "segment without ACK", script: shake + "< . 1 0 10; < F 1 0", want: "ESTABLISHED"},
		{name: "beyond our FIN", script: shake + "> FA 1 1; < FA 1 3", want: "FIN_WAIT_1"},
		{name: "beyond the peer's FIN", script: shake + "< FA 1 1; < A 2 1 10; < A 1 1 10; > A 1 12", want: "CLOSE_WAIT"},
		{name: "data on the SYN", script: "< S 0 0 10; > SA 0 1; < A 1 1 10; > A 1 11", want: "ESTABLISHED", got: 10},
		{name: "data on the SYN, taken", script: "< S 0 0 10; > SA 0 11; < A 11 1 10; > A 1 21", want: "ESTABLISHED", got: 20, counts: Counts{OutOfOrder: 1, Repeated: 1, Synthesized: 2, SynthesizedBytes: 10}},
		{name: "handshake ends with data", script: "< S; > SA 0 1; < A 1 1 10; < A 1 1", want: "ESTABLISHED", got: 10},
		{name: "handshake ends with FIN", script: "< S; > SA 0 1; < FA 1 1 10", want: "CLOSE_WAIT", got: 10, counts: Counts{Synthesized: 1}},
		{name: "ACK of handshake missing", script: "< S; > SA 0 1; > A 1 1 10; < A 1 11 10", want: "ESTABLISHED", got: 10, sent: 10, counts: Counts{Synthesized: 1}},
		{name: "ACK of handshake overtaken", script: "< S; > SA 0 1; < A 11 1 10; < A 1 1; < A 1 1 10", want: "ESTABLISHED", got: 20, counts: Counts{OutOfOrder: 1, Repeated: 1, Synthesized: 1}},
		{name: "SYN missing", script: "> SA 0 1; < A 1 1 10", want: "ESTABLISHED", got: 10, counts: Counts{Synthesized: 1}},
		{name: "SYN after SYN|ACK", script: "> SA 0 1; < S; < A 1 1", want: "ESTABLISHED", counts: Counts{Synthesized: 1, Retransmitted: 1}},
		{name: "SYN|ACK missing", script: "< S; < A 1 1; < A 1 1 10; > A 1 11 5", want: "ESTABLISHED", got: 10, sent: 5},
		{name: "half open forgotten", script: "< S; > SA 0 1; < S; >b SA 0 4194967297; <b A 4194967297 1", want: "CLOSED ESTABLISHED", counts: Counts{Retransmitted: 1, Synthesized: 1}},
		{name: "simultaneous open", script: "< S; > S; < SA 0 1; > SA 0 1; > A 1 1 10", want: "ESTABLISHED", sent: 10},
		{name: "simultaneous open, our SYN missing", script: "< S; < SA 0 1; > SA 0 1; < A 1 1 10", want: "ESTABLISHED", got: 10},
		{name: "only the peer", script: "< S; < A 1 1; < A 1 1 100; < A 101 51; < FA 101 51", want: "CLOSE_WAIT", got: 100, sent: 50, counts: Counts{Moved: 1}},
		{name: "only the host", script: "> SA 0 1; > A 1 101 50; > A 51 201; > FA 51 201", want: "FIN_WAIT_1", got: 200, sent: 50, counts: Counts{Synthesized: 4, SynthesizedBytes: 200}},
		{name: "mid-stream", script: "< A 501 301 10; > A 301 511 10; < FA 511 311; > FA 311 512; < A 512 312", want: "CLOSED", got: 10, sent: 10},
		{name: "mid-stream, host first", script: "> A 301 501 10; < A 501 311 20; < A 491 311 10", want: "ESTABLISHED", got: 20, sent: 10, counts: Counts{Retransmitted: 1}},
		{name: "mid-stream, reset", script: "< R 501", want: "CLOSED"},
		{name: "mid-stream, aborted", script: "> RA 501 301", want: "CLOSED"},
		{name: "TIME_WAIT recycled", script: shake + "> FA 1 1; < FA 1 2; > A 2 2; <b S; >b SA 0 1; <b A 1 1", want: "CLOSED ESTABLISHED"},
		{name: "TIME_WAIT recycled from below", script: "<b S; >b SA 0 1; <b A 1 1; >b FA 1 1; <b FA 1 2; >b A 2 2;" + shake, want: "CLOSED ESTABLISHED"},
		{name: "TIME_WAIT recycled, no answer", script: shake + "> FA 1 1; < FA 1 2; > A 2 2; <b S", want: "CLOSED SYN_RCVD"},
		{name: "TIME_WAIT not recycled", script: "<b S; >b SA 0 1; <b A 1 1; >b FA 1 1; <b FA 1 2; >b A 2 2; < S", want: "TIME_WAIT", counts: Counts{Stale: 1}},
		{name: "old segments", script: shake + "< A 1 1 100; > FA 1 101; < FA 101 2; > A 2 102; <b S; >b SA 0 1; < A 1 1 100; <b A 1 1; < FA 101 2; > A 2 102; < S; <b A 1 1 10", want: "CLOSED ESTABLISHED", got: 110, counts: Counts{Stale: 4}},
		{name: "old segments, numbered above", script: "<b S; >b SA 0 1; <b A 1 1 100; >b FA 1 101; <b FA 101 2; >b A 2 102;" + shake + "<b A 1 1 100; >b A 1 1 1; <b FA 101 2; < A 1 1 10", want: "CLOSED ESTABLISHED", got: 110, counts: Counts{Stale: 3}},
		{name: "opened again unclosed", script: shake + "< A 1 1 10; <b S; >b SA 0 1; <b A 1 1; <c S; <c A 1 1", want: "CLOSED CLOSED ESTABLISHED", got: 10},
		{name: "opened again half open", script: "< S; > SA 0 1; <b S", want: "CLOSED SYN_RCVD"},
		{name: "opened again, SYN missing", script: shake + ">b SA 0 1; <b A 1 1", want: "CLOSED ESTABLISHED", counts: Counts{Synthesized: 1}},
		{name: "opened from the other side", script: shake + ">b S; <b SA 0 1; >b A 1 1", want: "CLOSED ESTABLISHED"},
		{name: "challenged SYN", script: shake + "<b S; > A 1 1; < A 1 1 10", want: "ESTABLISHED", got: 10, counts: Counts{Stale: 1}},
		{name: "of no connection", script: shake + "< A 2147483000 1 10; < A 1 2147483000 10", want: "ESTABLISHED", counts: Counts{Stale: 2}},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			c := Capture{Packets: script(t, tt.script)}
			flows, s := c.Flows()
			var states []string
			var got, sent uint64
			for _, f := range flows {
				states = append(states, f.State.String())
				got, sent = got+f.Received, sent+f.Sent
			}
			if joined := strings.Join(states, " "); joined != tt.want {
				t.Errorf("states are %s, want %s", joined, tt.want)
			}
			s.Segments = 0
			if got != tt.got || sent != tt.sent || s.Counts != tt.counts {
				t.Errorf("received %d sent %d %+v, want %d %d %+v", got, sent, s.Counts, tt.got, tt.sent, tt.counts)
			}
			if f := flows[0]; f.MidStream != strings.HasPrefix(tt.name, "mid-stream") {
				t.Errorf("mid-stream is %v", f.MidStream)
			}
			checkReplay(t, flows)
			if t.Failed() {
				logFlows(t, flows)
			}
		})
	}
}

func logFlows(t *testing.T, flows []Flow) {
	for _, f := range flows {
		t.Logf("%v -> %v %v", f.Remote, f.Local, f.State)
		for _, e := range f.Events {
			t.Logf("\t%+v", e)
		}
	}
}

// A TIME_WAIT connection makes room for a SYN beyond it; another needs an abort.
func TestReplaced(t *testing.T) {
	const old = "<b S; >b SA 0 1; <b A 1 1; >b FA 1 1; <b FA 1 2; >b A 2 2;"
	for next, abort := range map[string]bool{"<c S; >c SA 0 1": false, "< S; > SA 0 1": true, "": false} {
		flows, _ := (&Capture{Packets: script(t, old+next)}).Flows()
		events := flows[0].Events
		if got := events[len(events)-1].Kind == UserAbort; got != abort || flows[0].Replaced != (next != "") {
			t.Errorf("%q: abort %v, replaced %v", next, got, flows[0].Replaced)
		}
	}
}

// Whatever the packets are, the replay ends in the state that they imply.
func TestFlowsRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for n := range 20000 {
		c := Capture{Packets: randomPackets(r)}
		flows, s := c.Flows()
		if s.Segments+s.Stale != len(c.Packets) {
			t.Errorf("%d packets, but %d segments and %d stale", len(c.Packets), s.Segments, s.Stale)
		}
		if checkReplay(t, flows); t.Failed() {
			t.Logf("capture %d", n)
			for _, p := range c.Packets {
				t.Logf("%+v", p)
			}
			logFlows(t, flows)
			return
		}
	}
}

// randomPackets returns packets of one pair whose numbers and flags meet often.
func randomPackets(r *rand.Rand) []Packet {
	flags := []uint8{ACK, ACK, ACK, ACK, FIN | ACK, SYN, SYN | ACK, RST, RST | ACK, 0, FIN, SYN | FIN, SYN | RST}
	packets := make([]Packet, 1+r.IntN(24))
	numbers := 3 + r.IntN(12)
	for i := range packets {
		p := Packet{
			Record: i + 1, Time: time.Duration(i), Src: peer, Dst: host, Scale: -1,
			Flags: flags[r.IntN(len(flags))], Len: uint32(max(0, r.IntN(6)-3)),
		}
		p.Seq, p.Ack = peerISN+uint32(r.IntN(numbers)), hostISN+uint32(r.IntN(numbers))
		if r.IntN(2) == 0 {
			p.Src, p.Dst, p.Seq, p.Ack = p.Dst, p.Src, p.Ack, p.Seq
		}
		if i == 0 && r.IntN(3) > 0 {
			p.Src, p.Dst, p.Flags, p.Seq = peer, host, SYN, peerISN
		}
		packets[i] = p
	}
	return packets
}

const shipped = "../testdata/http.pcap"

// The kernel of the server in the shipped capture wrote down the states of its connections when the
// capture ended.
func TestShippedCapture(t *testing.T) {
	c, err := Open(shipped)
	if err != nil {
		t.Fatal(err)
	}
	flows, s := c.Flows()
	checkReplay(t, flows)
	kernel := kernelStates(t)
	for _, f := range flows {
		if f.Replaced || f.Local.Addr() == netip.MustParseAddr("192.0.2.9") { // of no host: its SYN is not answered
			continue
		}
		if want := kernel[f.Local.String()+" "+f.Remote.String()]; f.State != want {
			t.Errorf("%v -> %v is in %v, the kernel had it in %v", f.Remote, f.Local, f.State, want)
		}
	}
	if s.Flows != len(flows) || s.Segments != len(c.Packets) || s.MidStream == 0 || s.Replaced == 0 || s.OutOfOrder == 0 || s.Repeated == 0 || len(s.Skipped) == 0 {
		t.Errorf("the capture lacks something that it was made to have:\n%v", s)
	}
	states := map[State]bool{}
	for _, f := range flows {
		states[f.State] = true
	}
	for _, want := range []State{Closed, SynReceived, Established, CloseWait, FinWait1, LastAck, FinWait2, TimeWait} {
		if !states[want] {
			t.Errorf("no flow ends in %v", want)
		}
	}
}

// kernelStates reads what ss(8) wrote. What it does not list is closed.
func kernelStates(t *testing.T) map[string]State {
	text, err := os.ReadFile("../testdata/http.states")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]State{
		"ESTAB": Established, "SYN-RECV": SynReceived, "CLOSE-WAIT": CloseWait, "LAST-ACK": LastAck, "TIME-WAIT": TimeWait,
		"FIN-WAIT-1": FinWait1, "FIN-WAIT-2": FinWait2, "CLOSING": Closing,
	}
	states := map[string]State{}
	for line := range strings.Lines(string(text)) {
		name, pair, _ := strings.Cut(strings.TrimSpace(line), " ")
		state, ok := names[name]
		if !ok {
			t.Fatalf("state %q of ss", name)
		}
		states[pair] = state
	}
	return states
}

// Our host is the passive side, as far as the packets tell.
func TestSides(t *testing.T) {
	const addr = "2001:db8::1"
	for _, tt := range []struct {
		src, dst, local uint16
		flags           uint8
	}{
		{40000, 80, 80, SYN},
		{80, 40000, 40000, SYN},
		{40000, 80, 40000, SYN | ACK},
		{40000, 80, 80, ACK},
		{80, 40000, 80, ACK},
		{80, 40000, 80, RST | SYN},
		{179, 179, 179, ACK}, // the receiver, by its address
	} {
		src, dst := netip.MustParseAddr(addr), netip.MustParseAddr(addr).Next()
		c := Capture{Packets: []Packet{{Record: 1, Src: netip.AddrPortFrom(src, tt.src), Dst: netip.AddrPortFrom(dst, tt.dst), Flags: tt.flags, Ack: 5}}}
		flows, _ := c.Flows()
		local := flows[0].Local
		if local.Port() != tt.local || tt.src == tt.dst && local.Addr() != dst {
			t.Errorf("%+v: our host is %v", tt, local)
		}
	}
}

func TestWindowScale(t *testing.T) {
	packets := script(t, shake)
	packets[0].Scale, packets[1].Scale = 7, 3
	flows, _ := (&Capture{Packets: packets}).Flows()
	if e := flows[0].Events; e[0].Win != 1000 || e[1].Win != 1000<<7 {
		t.Errorf("windows are %d on the SYN and %d after it, want 1000 and 128000", e[0].Win, e[1].Win)
	}
	packets[1].Scale = -1
	flows, _ = (&Capture{Packets: packets}).Flows()
	if e := flows[0].Events; e[1].Win != 1000 {
		t.Errorf("window is %d although only one side offers to scale", e[1].Win)
	}
}

func TestSummary(t *testing.T) {
	c := Capture{Records: 30, Packets: script(t, shake+"< A 11 1 10")}
	for i := range 12 {
		c.skip(5+2*i, skipARP)
	}
	c.skip(6, skipCut)
	_, s := c.Flows()
	const want = `1 flows (0 opened mid-stream, 0 replaced) of 4 segments in 30 records
1 segments out of order, 0 retransmitted, 0 stale
added 0 repeated and 0 synthesized segments (0 bytes), moved 0 user events
skipped 13 records: 12 ARP (at 5 7 9 11 13 15 17 19 ...), 1 header cut off by the snap length (at 6)`
	if got := s.String(); got != want {
		t.Errorf("summary is\n%s\nwant\n%s", got, want)
	}
}
