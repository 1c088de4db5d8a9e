package pcbinfo

import (
	"strings"
	"testing"

	"pcbbench/locks/oracle"
)

// TestAuditFindsFaults breaks one link or field of a table at a time.
func TestAuditFindsFaults(t *testing.T) {
	first := func(in *globalInfo) *Inpcb { return in.tb.list.Load() }
	for _, c := range []struct {
		name  string
		fault func(in *globalInfo)
		want  string
	}{
		{"nothing", func(in *globalInfo) {}, ""},
		{"flag", func(in *globalInfo) { first(in).flags = inpDropped }, "has flags 1"},
		{"reference", func(in *globalInfo) { first(in).ref() }, "2 references"},
		{"locked", func(in *globalInfo) { first(in).wlock() }, "locked at rest"},
		{"state", func(in *globalInfo) { first(in).tp.state = Closed }, "in state CLOSED"},
		{"time-wait", func(in *globalInfo) { first(in).tp.state = TimeWait }, "TIME-WAIT queue: false"},
		{"queue", func(in *globalInfo) { in.tb.tw.head.onTw = false }, "TIME-WAIT queue: false"},
		{"queue tail", func(in *globalInfo) { in.tb.tw.tail = nil }, "does not end"},
		{"queue head", func(in *globalInfo) { in.tb.tw.head, in.tb.tw.tail = nil, nil }, "not in the TIME-WAIT queue as it says"},
		{"key", func(in *globalInfo) { first(in).inc.Fport++ }, "stands in bucket"},
		{"unlisted", func(in *globalInfo) { in.tb.removeList(first(in)) }, "not in the list"},
		{"unhashed", func(in *globalInfo) { in.tb.removeHash(first(in)) }, "not in the hash"},
		{"twice", func(in *globalInfo) { twin(in, first(in)) }, "twice"},
		{"circle", func(in *globalInfo) { first(in).listNext.Store(first(in)) }, "twice in the list"},
		{"back pointer", func(in *globalInfo) { first(in).listPrev = nil }, "point back"},
		{"count", func(in *globalInfo) { in.tb.count++ }, "ipi_count"},
		{"generation", func(in *globalInfo) { first(in).gencnt += 100 }, "has generation"},
		{"syncache", func(in *globalInfo) { in.sc.buckets[0].n, in.sc.buckets[1].n = 1, 1 }, "not its own"},
		{"syncache full", func(in *globalInfo) { in.sc.buckets[3].n = syncacheLimit + 1 }, "31 entries"},
		{"free and live", func(in *globalInfo) { in.zone.put(&in.zone.cpus[0], forget(first(in))) }, "in POISONED at rest"},
		{"freed twice", func(in *globalInfo) { m := &in.zone.cpus[0].loaded; m.head.twNext = m.head }, "free twice"},
		{"magazine", func(in *globalInfo) { in.zone.cpus[0].loaded.n-- }, "a magazine of"},
		{"written", func(in *globalInfo) { in.zone.cpus[0].loaded.head.tp.rcvNxt = 1 }, "written to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newInfo(t, "global", Config{CPUs: 1}).(*globalInfo)
			if err := in.CPU(0).Listen(&listen80); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				newPeer(tuple(i)).open(t, in.CPU(0))
			}
			old := first(in)
			old.tp.state = TimeWait
			in.CPU(0).(*globalCPU).startTimeWait(&in.tb.tw, old)
			newPeer(tuple(4)).open(t, in.CPU(0))
			c.fault(in)
			err := in.zone.auditTables(in.tb.gencnt, in.cfg.Seed, []*table{&in.tb}, []*syncache{&in.sc})
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) || oracle.Of(err) != oracle.Structure {
				t.Errorf("audit says %v, want %q", err, c.want)
			}
		})
	}
}

// twin puts another inpcb of the same name into the hash, which insertHash would not do in a torture build.
func twin(in *globalInfo, inp *Inpcb) {
	other := in.zone.alloc(0)
	other.inc, other.hash, other.tp.state = inp.inc, inp.hash, Established
	head := &in.tb.hashbase[inp.hash&in.tb.mask].head
	other.hashNext.Store(head.Load())
	head.Store(other)
}

// forget makes a live inpcb look free of references, as one who frees it too early would.
func forget(inp *Inpcb) *Inpcb {
	inp.refs.Store(0)
	return inp
}
