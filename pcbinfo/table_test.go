package pcbinfo

import (
	"slices"
	"testing"
)

func newTable(buckets int) *table {
	tb := new(table)
	tb.init(16, buckets, 1)
	return tb
}

func newInpcb(tb *table, inc ConnInfo) *Inpcb {
	return &Inpcb{inc: inc, hash: tb.hash(&inc)}
}

func TestTableSize(t *testing.T) {
	for _, c := range []struct{ conns, buckets, want int }{{1024, 0, 1024}, {1000, 0, 1024}, {1025, 0, 2048}, {1024, 1, 1}, {1, 0, 1}} {
		var tb table
		if tb.init(c.conns, c.buckets, 0); len(tb.hashbase) != c.want {
			t.Errorf("%d connections, %d buckets asked for: %d buckets, want %d", c.conns, c.buckets, len(tb.hashbase), c.want)
		}
	}
}

// TestTableWildcard binds listeners in all orders: one bound to the address is found before one bound to any.
func TestTableWildcard(t *testing.T) {
	here, there, v6 := addr("192.0.2.1"), addr("192.0.2.2"), addr("2001:db8::1")
	ends := []ConnInfo{{Lport: 80}, {Laddr: here, Lport: 80}, {Lport: 80 + wildHash}, {Laddr: here, Lport: 80 + wildHash}} // one chain
	for n, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 0, 3, 1}} {
		tb := newTable(0)
		inps := make([]*Inpcb, len(ends))
		for _, i := range order {
			inps[i] = newInpcb(tb, ends[i])
			tb.insert(inps[i])
		}
		check := func(laddr Addr, lport uint16, want *Inpcb) {
			t.Helper()
			if got := tb.lookupWild(laddr, lport); got != want {
				t.Errorf("order %d: %v port %d: found %v", n, laddr.Netip(), lport, got)
			}
		}
		check(here, 80, inps[1])
		check(there, 80, inps[0])
		check(v6, 80, inps[0])
		check(here, 80+wildHash, inps[3])
		check(there, 80+wildHash, inps[2])
		check(here, 81, nil)
		if got := tb.lookupListener(Addr{}, 80); got != inps[0] {
			t.Errorf("order %d: the listener for any address: found %v", n, got)
		}
		tb.remove(inps[1])
		check(here, 80, inps[0])
		tb.remove(inps[0])
		check(here, 80, nil)
		check(here, 80+wildHash, inps[3])
	}
}

// TestTableConnectionFirst lets a connection and its listener answer for the same segment.
func TestTableConnectionFirst(t *testing.T) {
	tb := newTable(1)
	lsn, conn := newInpcb(tb, listen80), newInpcb(tb, tuple(1))
	tb.insert(conn)
	tb.insert(lsn)
	one, two := tuple(1), tuple(2)
	if tb.lookup(&one) != conn || tb.lookup(&two) != lsn {
		t.Error("the listener hides the connection, or the other way round")
	}
	if tb.lookupUser(&one) != conn || tb.lookupUser(&two) != nil || tb.lookupUser(&listen80) != lsn {
		t.Error("a user's name finds something else than what it names")
	}
}

// TestTableRemoveKeepsNext removes what a reader may stand on: from there it must still get to what follows.
func TestTableRemoveKeepsNext(t *testing.T) {
	tb := newTable(1)
	var inps [4]*Inpcb
	for i := range inps {
		inps[i] = newInpcb(tb, tuple(i))
		tb.insert(inps[i])
	}
	mid, next := inps[2], inps[1]
	tb.remove(mid)
	if mid.hashNext.Load() != next || mid.listNext.Load() != next {
		t.Error("a removed inpcb has lost its way back into the chain or the list")
	}
	if inc := mid.inc; tb.lookupExact(&inc, mid.hash) != nil {
		t.Error("a removed inpcb is still found")
	}
	if !mid.is(inpDropped) || !mid.is(inpFreed) {
		t.Error("a removed inpcb is not marked as such")
	}
	mustPanic(t, "not in the hash", func() { tb.removeHash(mid) })
	if got, want := list(tb), []*Inpcb{inps[3], inps[1], inps[0]}; !slices.Equal(got, want) || tb.count != 3 {
		t.Errorf("the list is %v, %d counted", got, tb.count)
	}
}

// list is tb's list from the newest on; it panics where the links back are wrong.
func list(tb *table) (inps []*Inpcb) {
	prev := &tb.list
	for inp := prev.Load(); inp != nil; inp = prev.Load() {
		if inp.listPrev != prev {
			panic("listPrev does not point at what points here")
		}
		inps = append(inps, inp)
		prev = &inp.listNext
	}
	return inps
}

func TestTableGenerations(t *testing.T) {
	tb := newTable(0)
	a, b := newInpcb(tb, tuple(1)), newInpcb(tb, tuple(2))
	tb.insert(a)
	tb.insert(b)
	gen := tb.gencnt
	tb.remove(a)
	tb.insert(a)
	if a.gencnt <= gen || b.gencnt > gen {
		t.Errorf("table's generation %d, then %d inserted; the one from before has %d", gen, a.gencnt, b.gencnt)
	}
}

// TestTimeWaitQueue checks the order of expiry, and that removal anywhere leaves the queue whole.
func TestTimeWaitQueue(t *testing.T) {
	const msl = 10
	for _, gone := range []int{0, 1, 2} {
		var q twQueue
		var inps [3]Inpcb
		for i := range inps {
			q.restart(&inps[i], uint32(i), msl)
		}
		q.remove(&inps[gone])
		q.remove(&inps[gone]) // once is enough, twice no harm: most inpcbs are not on the queue
		for i := range inps {
			if i == gone {
				continue
			}
			if inp := q.expired(uint32(i) + 2*msl - 1); inp != nil {
				t.Errorf("without %d: %d expired early", gone, i)
			}
			if inp := q.expired(uint32(i) + 2*msl); inp != &inps[i] {
				t.Errorf("without %d: %d did not expire, or is not the oldest", gone, i)
			}
			q.remove(&inps[i])
		}
		if q.head != nil || q.tail != nil {
			t.Errorf("without %d: the queue is not empty: head %v, tail %v", gone, q.head, q.tail)
		}
	}
	var q twQueue
	var a, b Inpcb
	now := uint32(1<<32 - 5) // ticks wrap around
	q.restart(&a, now, msl)
	q.restart(&b, now+1, msl)
	q.restart(&a, now+2, msl)
	if q.expired(now+2*msl) != nil || q.expired(now+1+2*msl) != &b {
		t.Error("an entry that was put back is still ahead of a younger one")
	}
}
