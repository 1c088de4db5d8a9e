package pcbinfo

import (
	"strings"
	"testing"

	"pcbbench/locks/oracle"
)

func TestShardmapGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "shardmap:shards=1", p).(*shardmapInfo)
		walker, s := &in.handles[2], &in.shards[0]
		inp := s.nm.exact(&p.inc)
		conns := func() any { return len(s.nm.m) }
		wild := func() any { return len(in.wild.m) }
		return in, []guard{
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, func() any { return inpLook{inp.gencnt, inp.tp, inp.flags} }},
			{"shard", func() { walker.lock(s) }, func() { walker.unlock(s) }, []string{"rst", "abort", "slowtimo", "connect"}, conns},
			{"shard-shared", func() { walker.rlock(s) }, func() { walker.runlock(s) }, []string{"rst", "abort", "slowtimo", "connect"}, conns},
			{"listeners", func() { in.wildLock.Lock(&walker.wildNode) }, func() { in.wildLock.Unlock(&walker.wildNode) }, []string{"listen", "unlisten"}, wild},
			{"ports", func() { in.ports.Lock(nil) }, func() { in.ports.Unlock(nil) }, []string{"listen", "unlisten"}, wild},
		}
	})
}

func TestSyncmapGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "syncmap", p).(*syncmapInfo)
		inp := in.load(&p.inc)
		other := in.sc.bucket(&ConnInfo{Laddr: p.inc.Laddr, Lport: 80, Faddr: p.inc.Faddr, Fport: tuple(2).Fport})
		return in, []guard{
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, func() any { return inpLook{inp.gencnt, inp.tp, inp.flags} }},
			{"ports", func() { in.ports.Lock(nil) }, func() { in.ports.Unlock(nil) }, []string{"listen", "unlisten"}, func() any { return in.wild.load() }},
			{"tw", func() { in.twLock.Lock(nil) }, func() { in.twLock.Unlock(nil) }, []string{"slowtimo"}, func() any { return in.Len() }},
			{"bucket", func() { other.lock.Lock(nil) }, func() { other.lock.Unlock(nil) }, []string{"connect"}, func() any { return in.Len() }},
		}
	})
}

func TestXsyncGuards(t *testing.T) {
	testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
		in := openBoth(t, "xsync", p).(*xsyncInfo)
		inp := in.load(&p.inc)
		other := in.sc.bucket(&ConnInfo{Laddr: p.inc.Laddr, Lport: 80, Faddr: p.inc.Faddr, Fport: tuple(2).Fport})
		return in, []guard{
			{"inpcb", inp.wlock, inp.wunlock, inpChanges, func() any { return inpLook{inp.gencnt, inp.tp, inp.flags} }},
			{"ports", func() { in.ports.Lock(nil) }, func() { in.ports.Unlock(nil) }, []string{"listen", "unlisten"}, func() any { return in.wild.load() }},
			{"tw", func() { in.twLock.Lock(nil) }, func() { in.twLock.Unlock(nil) }, []string{"slowtimo"}, func() any { return in.Len() }},
			{"bucket", func() { other.lock.Lock(nil) }, func() { other.lock.Unlock(nil) }, []string{"connect"}, func() any { return in.Len() }},
		}
	})
}

// TestListenersAreReplaced checks what a lookup without a lock relies on: a map that somebody has seen stays as it was, and is another one after
// any change.
func TestListenersAreReplaced(t *testing.T) {
	var l listeners
	l.init()
	a, b := &Inpcb{inc: ConnInfo{Lport: 80}}, &Inpcb{inc: ConnInfo{Lport: 80, Laddr: addr("192.0.2.1")}}
	seen := []*nameMap{l.load()}
	for _, change := range []func(){func() { l.insert(a) }, func() { l.insert(b) }, func() { l.remove(a) }, func() { l.insert(a) }} {
		change()
		seen = append(seen, l.load())
	}
	for i, want := range []*Inpcb{nil, a, b, b, b} {
		if got := seen[i].listener(b.inc.Laddr, 80); got != want {
			t.Errorf("map %d finds %v, want %v", i, got, want)
		}
		for j := range i {
			if seen[i] == seen[j] {
				t.Errorf("maps %d and %d are one", i, j)
			}
		}
	}
	mustPanic(t, "not in the map", func() { seen[0].remove(a) })
}

// TestAuditFindsMapFaults breaks one thing at a time in a table whose names stand in maps.
func TestAuditFindsMapFaults(t *testing.T) {
	home := tuple(0)
	first := func(in *shardmapInfo) *Inpcb { return in.shard(&home).nm.exact(&home) }
	for _, c := range []struct {
		name  string
		fault func(in *shardmapInfo)
		want  string
	}{
		{"nothing", func(in *shardmapInfo) {}, ""},
		{"key", func(in *shardmapInfo) { first(in).inc.Fport++ }, "stands in the map as"},
		{"hash", func(in *shardmapInfo) { first(in).hash++ }, "stands in the map as"},
		{"shard", func(in *shardmapInfo) {
			inp := first(in)
			s := in.shard(&home)
			s.nm.remove(inp)
			for i := range in.shards {
				if other := &in.shards[i]; other != s {
					other.nm.insert(inp)
					return
				}
			}
		}, "stands in the map as"},
		{"twice", func(in *shardmapInfo) {
			name := tuple(9)
			in.shard(&home).nm.m[name] = first(in)
		}, "met twice"},
		{"two shards", func(in *shardmapInfo) { in.wild.m[home] = first(in) }, "met twice"},
		{"listener", func(in *shardmapInfo) { first(in).tp.state = Listen }, "in state LISTEN"},
		{"generation", func(in *shardmapInfo) { first(in).gencnt = 100 }, "has generation"},
		{"queue", func(in *shardmapInfo) { first(in).onTw = true }, "TIME-WAIT queue: true"},
		{"queued", func(in *shardmapInfo) { in.shard(&home).tw = twQueue{head: first(in), tail: first(in)} }, "is in the TIME-WAIT queue, and not"},
		{"flag", func(in *shardmapInfo) { first(in).flags = inpDropped }, "has flags 1"},
		{"reference", func(in *shardmapInfo) { first(in).ref() }, "2 references"},
		{"locked", func(in *shardmapInfo) { first(in).wlock() }, "locked at rest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newInfo(t, "shardmap:shards=2", Config{CPUs: 1}).(*shardmapInfo)
			if err := in.CPU(0).Listen(&listen80); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				newPeer(tuple(i)).open(t, in.CPU(0))
			}
			c.fault(in)
			err := in.Close()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), oracle.Structure+": ") {
				t.Errorf("audit says %v, want %q", err, c.want)
			}
		})
	}
}

// TestAuditCounts has the count of syncmap's connections, which no map keeps, off by one.
func TestAuditCounts(t *testing.T) {
	in := openBoth(t, "syncmap", newPeer(tuple(1))).(*syncmapInfo)
	in.handles[1].count.Add(1)
	if err := in.Close(); err == nil || !strings.Contains(err.Error(), "the map counts 2 inpcbs and has 1") {
		t.Errorf("audit says %v", err)
	}
}
