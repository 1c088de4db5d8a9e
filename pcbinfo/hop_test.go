package pcbinfo

import "testing"

// objectVariants are smr's where reclamation protects single blocks.
var objectVariants = []string{"smr:smr=hazard", "smr:smr=refcount"}

// TestHopReader (H13, H14) stands on an inpcb while it and hundreds more go: it stays as it was until the walk is over, and nothing else waits for that.
func TestHopReader(t *testing.T) {
	for _, text := range objectVariants {
		t.Run(text, func(t *testing.T) {
			in, walker, p, inp := newSMRVariant(t, text)
			walker.enter()
			if got := walker.lookup(&p.inc); got != inp {
				t.Fatalf("found %p, want %p", got, inp)
			}
			if err := in.CPU(1).Abort(&p.inc); err != nil {
				t.Fatal(err)
			}
			for i := range 4 * magSize {
				q := newPeer(tuple(100 + i))
				q.open(t, in.CPU(1))
				if err := in.CPU(1).Abort(&q.inc); err != nil {
					t.Fatal(err)
				}
			}
			if inp.inc != p.inc || inp.refs.Load() != 0 {
				t.Errorf("under a reader the inpcb became %v with %d references", inp.inc, inp.refs.Load())
			}
			if z := in.Zone(); z.Reclaimed == 0 || z.Retired == 0 || z.PeakRetired > in.zone.objs.Bound(len(in.zone.cpus)) {
				t.Errorf("beside a reader %+v", z)
			}
			walker.exit()
			in.zone.sweep(&in.zone.cpus[1])
			if z := in.Zone(); z.Retired != 0 || inp.inc == p.inc {
				t.Errorf("after the reader %+v, and the one it stood on is %v", z, inp.inc)
			}
			closeInfo(t, in)
		})
	}
}

// TestHopCutOff: where a block on the way is about to go, and does not for long, lookups and walks find what is behind it under the writers' lock, and
// leave nothing behind on which somebody seems to stand.
func TestHopCutOff(t *testing.T) {
	for _, text := range objectVariants {
		for gone := range 2 { // the first of the list, the second
			in := newInfo(t, text, Config{CPUs: 1, Buckets: 1}).(*smrInfo)
			c := &in.handles[0]
			if err := c.Listen(&listen80); err != nil {
				t.Fatal(err)
			}
			behind, peers := newPeer(tuple(1)), [2]*peer{newPeer(tuple(2)), newPeer(tuple(3))}
			behind.open(t, c)
			want := in.tb.lookup(&behind.inc)
			peers[1].open(t, c)
			second := in.tb.lookup(&peers[1].inc)
			peers[0].open(t, c)
			first := in.tb.lookup(&peers[0].inc)
			if first.hashNext.Load() != second || first.listNext.Load() != second || second.hashNext.Load() != want {
				t.Fatal("the newer are not before the older")
			}
			inp := [...]*Inpcb{first, second}[gone]
			inp.obj.Unlink(inHash | inList)
			c.enter()
			if got := c.lookup(&behind.inc); got != want || !c.inside {
				t.Errorf("%s: found %p, want %p; inside: %v", text, got, want, c.inside)
			}
			c.exit()
			seen := map[ConnInfo]int{}
			in.Walk(func(x *Xinpcb) bool {
				seen[x.Inc]++
				return true
			})
			if seen[peers[0].inc] != 1 || seen[peers[1].inc] != 1 || seen[behind.inc] != 1 || seen[listen80] != 1 {
				t.Errorf("%s: a walk meets %v", text, seen)
			}
			c.enter()
			if got := c.lookupExact(&newPeer(tuple(4)).inc); got != nil {
				t.Errorf("%s: found %v, which is not there", text, got.inc)
			}
			c.exit()
			for _, inp := range [...]*Inpcb{first, second, want} {
				if n := inp.stood.Load(); n != 0 {
					t.Errorf("%s: nobody walks, and %d stand on %v", text, n, inp.inc)
				}
			}
			inp.obj.Link()
			closeInfo(t, in)
		}
	}
}

// TestHopWrongList: nothing that a block says of one list is taken for the other.
func TestHopWrongList(t *testing.T) {
	for _, text := range objectVariants {
		in, _, p, inp := newSMRVariant(t, text)
		in.handles[1].lockHash()
		in.tb.removeHash(inp)
		in.handles[1].unlockHash()
		if !inp.obj.Gone(inHash) || inp.obj.Gone(inList) {
			t.Errorf("%s: out of the hash", text)
		}
		in.handles[1].lockHash()
		inp.obj.Link()
		in.tb.insertHash(inp)
		in.handles[1].unlockHash()
		if got := in.tb.lookup(&p.inc); got != inp {
			t.Errorf("%s: back in the hash, and %p is found", text, got)
		}
		closeInfo(t, in)
	}
}

// TestIdle (qsbr): a CPU that has left its section holds memory back until it says that it idles; Close waits for none.
func TestIdle(t *testing.T) {
	in, walker, p, inp := newSMRVariant(t, "smr:smr=qsbr")
	walker.enter()
	walker.exit()
	if err := in.CPU(1).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	in.CPU(0).Idle()
	zc := &in.zone.cpus[1]
	zc.waiting = append(zc.waiting, retired{zc.pending, in.zone.dom.Advance()})
	zc.pending = magazine{}
	if in.zone.reclaim(zc); inp.inc != p.inc {
		t.Error("an inpcb came back while a CPU that had not said that it idles might look at it")
	}
	walker.Idle()
	if in.zone.reclaim(zc); inp.inc == p.inc {
		t.Error("every CPU idles, or asks, and the inpcb does not come back")
	}
	in.CPU(0).Input(nil)
	walker.enter()
	walker.exit()
	closeInfo(t, in)
	if z := in.Zone(); z.Retired != 0 {
		t.Errorf("%d inpcbs still wait after Close", z.Retired)
	}
}
