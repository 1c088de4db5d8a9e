package pcbinfo

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// mustPanic runs f, which must panic with a text that contains want.
func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
			t.Errorf("panic %q, want one with %q", got, want)
		}
	}()
	f()
}

// await polls until is: for what another goroutine is certain to do soon.
func await(is func() bool) {
	for start := time.Now(); !is(); runtime.Gosched() {
		if time.Since(start) > time.Minute {
			panic("what was awaited for a minute did not come")
		}
	}
}

// giveWay lets other goroutines run, as far as they get without waiting for the caller. Whether they got there is not certain, so that a
// test may rely on it to find a fault, but not in order to pass.
func giveWay() {
	for range 500 {
		runtime.Gosched()
	}
}

// addr converts a literal.
func addr(text string) Addr { return AddrFrom(netip.MustParseAddr(text)) }

// tuple is the i-th connection of tests, to port 80.
func tuple(i int) ConnInfo {
	return ConnInfo{Laddr: addr("192.0.2.1"), Lport: 80, Faddr: addr("198.18.0.1"), Fport: uint16(1000 + i)}
}

// listen80 is the listener for them.
var listen80 = ConnInfo{Lport: 80}

// newInfo makes a table of the scheme that text names.
func newInfo(t *testing.T, text string, cfg Config) Info {
	t.Helper()
	sp, err := ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	in, err := sp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// tables lists the schemes that keep connections, of those with enough workers.
func tables(workers int) (names []string) {
	for _, s := range Schemes {
		if s.Table && (s.Workers == 0 || s.Workers >= workers) {
			names = append(names, s.Name)
		}
	}
	return append(names, "smr:smr=gc", "bucket:chain=nulls")
}

// eachTable runs f on a table of every scheme that is correct for so many workers, with a listener on port 80.
func eachTable(t *testing.T, workers int, f func(t *testing.T, in Info)) {
	for _, name := range tables(workers) {
		t.Run(name, func(t *testing.T) {
			in := newInfo(t, name, Config{CPUs: 2})
			if err := in.CPU(0).Listen(&listen80); err != nil {
				t.Fatal(err)
			}
			f(t, in)
			closeInfo(t, in)
		})
	}
}

// A peer is the far end of one connection.
type peer struct {
	inc      ConnInfo
	seq, ack uint32
}

// newPeer is about to send a SYN from where numbers of tests begin.
func newPeer(inc ConnInfo) *peer { return &peer{inc: inc, seq: 1000, ack: ISN(&inc, 1000) + 1} }

// segment makes the next one.
func (p *peer) segment(flags uint8, n int) *Segment {
	seg := &Segment{Inc: p.inc, Seq: p.seq, Ack: p.ack, Win: 1 << 16, Flags: flags, Len: uint16(n)}
	p.seq += uint32(n)
	if flags&(SYN|FIN) != 0 {
		p.seq++
	}
	return seg
}

// open makes the handshake.
func (p *peer) open(t *testing.T, c CPU) {
	t.Helper()
	input(t, c, p.segment(SYN, 0), GotSyn)
	input(t, c, p.segment(ACK, 0), GotAccept)
}

// input sends seg, which must come to want.
func input(t *testing.T, c CPU, seg *Segment, want Outcome) {
	t.Helper()
	if got := outcome(c, seg); got != want {
		t.Errorf("%s seq %d ack %d: %v, want %v", FlagString(seg.Flags), seg.Seq, seg.Ack, got, want)
	}
}

// outcome sends seg and returns what became of it.
func outcome(c CPU, seg *Segment) (out Outcome) {
	old := c.Stats().Outcomes
	c.Input([]*Segment{seg})
	for o, n := range c.Stats().Outcomes {
		if n != old[o] {
			out = Outcome(o)
		}
	}
	return out
}

// closeInfo ends a table, with nothing lost.
func closeInfo(t *testing.T, in Info) {
	t.Helper()
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

// counter is the scheme's own count of that name.
func counter(t *testing.T, in Info, name string) uint64 {
	t.Helper()
	for _, c := range in.Counters() {
		if c.Name == name {
			return c.Value
		}
	}
	t.Fatalf("no counter %q", name)
	return 0
}
