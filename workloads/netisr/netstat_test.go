package netisr

import (
	"errors"
	"strings"
	"testing"

	"pcbbench/pcbinfo"
)

// TestNetstat compares what Write writes with what FreeBSD's netstat -Q would, for workers that are bound and for some that are not.
func TestNetstat(t *testing.T) {
	s := Stats{Contexts: 4, QLimit: 256,
		Protocols: []Protocol{
			{Name: "ip", Policy: Flow, QLimit: 256, M2flow: func(*pcbinfo.Segment) uint32 { return 0 }},
			{Name: "arp", Policy: Source, QLimit: 64},
			{Name: "ether", Policy: CPU, QLimit: 10240, M2cpuid: func(*pcbinfo.Segment) int { return 0 }}},
		Streams: []StreamStats{
			{Works: []Work{{WMark: 131, Dispatched: 7, HDispatched: 8, QDrops: 9, Queued: 1234567, Handled: 1234582}, {}, {Dispatched: 1, Handled: 1}}, Len: []int{0, 3, 0}},
			{Works: []Work{{}, {WMark: 1, Queued: 1, Handled: 1}, {}}, Len: []int{0, 0, 0}}}}
	const head = `Configuration:
Setting                             Current      Limit
Thread count                              2          4
Default queue limit                     256      10240
Dispatch policy          hybrid:policy=flow        n/a
Threads bound to CPUs              $bound        n/a

Protocols:
Name     Proto QLimit Policy Dispatch Flags
ip           0    256   flow  default   --F
arp          1     64 source  default   ---
ether        2  10240    cpu  default   C--

Workstreams:
WSID  CPU   Name       Len WMark    Disp'd   HDisp'd    QDrops    Queued   Handled
   0 $cpu   ip           0   131         7         8         9   1234567   1234582
   0 $cpu   arp          3     0         0         0         0         0         0
   0 $cpu   ether        0     0         1         0         0         0         1
   1 $CPU   ip           0     0         0         0         0         0         0
   1 $CPU   arp          0     1         0         0         0         1         1
   1 $CPU   ether        0     0         0         0         0         0         0
`
	for _, c := range []struct {
		cpus []int
		fill []string
	}{
		{[]int{0, 13}, []string{"$bound", " enabled", "$cpu", "   0", "$CPU", "  13"}},
		{nil, []string{"$bound", "disabled", "$cpu", "   -", "$CPU", "   -"}},
	} {
		var b strings.Builder
		if err := s.Write(&b, "hybrid:policy=flow", c.cpus); err != nil {
			t.Error(err)
		}
		if want := strings.NewReplacer(c.fill...).Replace(head); b.String() != want {
			t.Errorf("got\n%swant\n%s", b.String(), want)
		}
	}
	if err := s.Write(fullDisk{}, "direct", nil); !errors.Is(err, errFull) {
		t.Errorf("a full disk is reported as %v", err)
	}
}

type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestNetstatOfModel checks what a model's Stats bring to the table: resolved limits and policies.
func TestNetstatOfModel(t *testing.T) {
	sp, err := ParseSpec("netisr2:policy=source:qlimit=64")
	if err != nil {
		t.Fatal(err)
	}
	none := func(*At, []*pcbinfo.Segment) {}
	n := sp.New(Config{Contexts: []int{0, 1, 2}, Streams: []int{0, 1, 2}, Poll: true,
		Protocols: []Protocol{{Name: "ip", Policy: Flow, Handler: none}, {Name: "arp", Policy: Source, Handler: none}}})
	n.Context(1).Dispatch([]*pcbinfo.Segment{{Source: 2}, {Source: 2}, {Source: 1, Proto: 1}})
	for _, w := range n.Workers()[:2] {
		w.Run()
	}
	s := n.Stats()
	var b strings.Builder
	if err := s.Write(&b, sp.String(), nil); err != nil {
		t.Error(err)
	}
	for _, line := range []string{
		"Thread count                              3          3",
		"Default queue limit                     256      10240",
		"ip           0     64 source  default   ---",
		"   2    -   ip           2     2         0         0         0         2         0",
		"   1    -   arp          0     1         0         0         0         1         1",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("lacks the line\n%s\nin\n%s", line, b.String())
		}
	}
	if s.Handoffs != 2 {
		t.Errorf("%d packets went to another CPU, want the 2 of source 2", s.Handoffs)
	}
}
