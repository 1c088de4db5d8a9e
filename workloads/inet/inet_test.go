package inet

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"pcbbench/pcbinfo"
)

// randomPrefix is of few bits that vary, so that prefixes nest.
func randomPrefix(rng *rand.Rand) netip.Prefix {
	if rng.IntN(2) == 0 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rng.IntN(4)), byte(rng.Uint32() & 0xc1), byte(rng.IntN(3))}), rng.IntN(33)).Masked()
	}
	var a [16]byte
	a[0], a[3], a[8], a[15] = 0xfd, byte(rng.IntN(4)), byte(rng.Uint32()&0x81), byte(rng.IntN(3))
	return netip.PrefixFrom(netip.AddrFrom16(a), rng.IntN(129)).Masked()
}

// routes is the same table as a list.
type routes map[netip.Prefix]*Nexthop

func (r routes) lookup(dst netip.Addr) (hop *Nexthop) {
	longest := -1
	for p, h := range r {
		if h != nil && p.Bits() > longest && p.Contains(dst) {
			longest, hop = p.Bits(), h
		}
	}
	return hop
}

// TestFib compares lookups with those in a list, while routes are replaced, withdrawn and entered again.
func TestFib(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		f, list := NewFib(), routes{}
		var prefixes []netip.Prefix
		hop := func() *Nexthop {
			if rng.IntN(4) == 0 {
				return nil
			}
			return &Nexthop{Ifindex: rng.IntN(1 << 30)}
		}
		for range rng.IntN(200) {
			p := randomPrefix(rng)
			if _, dup := list[p]; !dup {
				list[p] = hop()
				prefixes = append(prefixes, p)
				f.Add(p, list[p])
			}
		}
		if f.Len() != len(list) {
			t.Fatalf("seed %d: %d routes, Len is %d", seed, len(list), f.Len())
		}
		for range 500 {
			if len(prefixes) > 0 && rng.IntN(2) == 0 {
				p := prefixes[rng.IntN(len(prefixes))]
				list[p] = hop()
				f.Change(p, list[p])
			}
			dst := randomPrefix(rng).Addr()
			if got, want := f.Lookup(pcbinfo.AddrFrom(dst)), list.lookup(dst); got != want && !dst.IsUnspecified() {
				t.Fatalf("seed %d: %v has %v, want %v of %v", seed, dst, got, want, list)
			}
		}
	}
}

func TestChangeOfNoRoute(t *testing.T) {
	f := NewFib()
	f.Add(netip.MustParsePrefix("10.0.0.0/8"), nil)
	for _, p := range []string{"10.0.0.0/9", "10.0.0.0/7", "11.0.0.0/8", "fd00::/8"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a change of %s is taken", p)
				}
			}()
			f.Change(netip.MustParsePrefix(p), nil)
		}()
	}
}

// TestLookupBesideChange: a reader finds the old next hop, the new one, or the covering route's, complete, and the answer once the change is over.
func TestLookupBesideChange(t *testing.T) {
	f := NewFib()
	wide, narrow := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.1.2.0/24")
	dst := pcbinfo.AddrFrom(netip.MustParseAddr("10.1.2.3"))
	f.Add(wide, &Nexthop{Ifindex: 1, Gateway: dst})
	f.Add(narrow, nil)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				if h := f.Lookup(dst); h == nil || h.Gateway != dst || h.Ifindex < 1 || h.Ifindex > 3 {
					t.Errorf("beside changes a lookup finds %+v", h)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for i := range 3000 {
		if i%3 == 2 {
			f.Change(narrow, nil)
			if f.Lookup(dst).Ifindex != 1 {
				t.Error("a route that was withdrawn is still found")
			}
			continue
		}
		f.Change(narrow, &Nexthop{Ifindex: 2 + i%3, Gateway: dst})
		if got := f.Lookup(dst).Ifindex; got != 2+i%3 {
			t.Errorf("after a change to interface %d a lookup finds %d", 2+i%3, got)
		}
	}
	close(stop)
	wg.Wait()
}

// TestIfqueue: every packet is transmitted or counted as dropped, one batch at a time, and each sender's in order.
func TestIfqueue(t *testing.T) {
	const senders, each = 4, 3000
	for _, limit := range []int{1, 8, senders * each} {
		var q Ifqueue
		var next [senders]uint32
		sent, busy := 0, false
		q.Init(limit, func(handle int, segs []*pcbinfo.Segment) {
			if busy {
				t.Error("two transmit at a time")
			}
			busy = true
			if len(segs) == 0 || len(segs) > limit || handle >= senders {
				t.Errorf("handle %d transmits %d packets, limit %d", handle, len(segs), limit)
			}
			for _, seg := range segs {
				if seg.Seq < next[seg.Source] {
					t.Errorf("packet %d of sender %d comes after %d", seg.Seq, seg.Source, next[seg.Source]-1)
				}
				next[seg.Source] = seg.Seq + 1
			}
			sent += len(segs)
			busy = false
		})
		var refused [senders]int
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for k := range each {
					if !q.Handoff(s, &pcbinfo.Segment{Source: uint16(s), Seq: uint32(k)}) {
						refused[s]++
					}
				}
			})
		}
		wg.Wait()
		drops := 0
		for _, n := range refused {
			drops += n
		}
		if sent+drops != senders*each || q.Sent != uint64(sent) || q.Drops != uint64(drops) || limit == senders*each && drops > 0 {
			t.Errorf("limit %d: %d packets, %d sent (%d counted), %d dropped (%d counted)", limit, senders*each, sent, q.Sent, drops, q.Drops)
		}
	}
}

// TestIfqueueLimit fills a queue while somebody transmits: as many as the limit wait, the next is dropped, and the rest leaves in order.
func TestIfqueueLimit(t *testing.T) {
	var q Ifqueue
	var segs [6]pcbinfo.Segment
	var left []*pcbinfo.Segment
	q.Init(3, func(_ int, out []*pcbinfo.Segment) {
		if left = append(left, out...); len(left) > 1 {
			return
		}
		for i := range segs[1:] {
			if ok := q.Handoff(0, &segs[1+i]); ok != (i < 3) {
				t.Errorf("packet %d beyond the one that is being sent, limit 3: accepted %v", i, ok)
			}
		}
	})
	q.Handoff(0, &segs[0])
	if len(left) != 4 || q.Sent != 4 || q.Drops != 2 {
		t.Fatalf("%d left, %d sent, %d dropped; want 4, 4, 2", len(left), q.Sent, q.Drops)
	}
	for i, seg := range left {
		if seg != &segs[i] {
			t.Errorf("packet %d did not leave in its turn", i)
		}
	}
}

// TestLltable: neighbours that many tell of are entered once, and keep what was told last.
func TestLltable(t *testing.T) {
	const tellers, neighbours, rounds = 4, 50, 40
	var tb Lltable
	addr := func(teller, i int) pcbinfo.Addr {
		return pcbinfo.AddrFrom(netip.AddrFrom4([4]byte{10, 0, byte(teller), byte(i)}))
	}
	var added [tellers]int
	var wg sync.WaitGroup
	for w := range tellers {
		wg.Go(func() {
			for r := range rounds {
				for i := range neighbours {
					if tb.Update(addr(9, i), uint64(r)) { // everybody's
						added[w]++
					}
					if own := tb.Update(addr(w, i), uint64(r*neighbours+i)); own != (r == 0) {
						t.Errorf("neighbour %d of %d is new in round %d: %v", i, w, r, own)
					}
				}
			}
		})
	}
	wg.Wait()
	all := 0
	for _, n := range added {
		all += n
	}
	if all != neighbours || tb.Len() != (tellers+1)*neighbours {
		t.Errorf("%d entries, and %d of %d that all know were new", tb.Len(), all, neighbours)
	}
	for w := range tellers {
		for i := range neighbours {
			if at, ok := tb.Lookup(addr(w, i)); !ok || at != uint64((rounds-1)*neighbours+i) {
				t.Errorf("neighbour %d of %d is at %d, %v", i, w, at, ok)
			}
		}
	}
	if _, ok := tb.Lookup(addr(77, 1)); ok {
		t.Error("an unknown neighbour is found")
	}
}

// TestSteadyState: what is done for each packet allocates nothing, nor does a change of a route.
func TestSteadyState(t *testing.T) {
	f, p := NewFib(), netip.MustParsePrefix("10.0.0.0/8")
	hop, dst := &Nexthop{}, pcbinfo.AddrFrom(netip.MustParseAddr("10.1.2.3"))
	f.Add(p, nil)
	var q Ifqueue
	q.Init(2, func(int, []*pcbinfo.Segment) {})
	var tb Lltable
	seg := new(pcbinfo.Segment)
	if n := testing.AllocsPerRun(100, func() {
		f.Change(p, hop)
		f.Lookup(dst)
		q.Handoff(0, seg)
		tb.Update(dst, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
