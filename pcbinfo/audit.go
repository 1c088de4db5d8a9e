package pcbinfo

import (
	"errors"
	"fmt"

	"pcbbench/locks/oracle"
)

// An auditor looks at every link of a table and its memory at rest, before Close empties them. What it holds them to stands in their
// own files: which chain an inpcb belongs in, that every inpcb is in hash and list, TIME-WAITs in their queue, entries in their
// bucket, and every block that the zone carved in exactly one place. It marks what it has met, so that a million
// connections need no map.
type auditor struct {
	zone   *zone
	met    uint32 // this audit's mark, +1 for the list, +2 for the queue
	newest uint64 // generation of the table
	left   int    // how many blocks may still be met: links that are broken may go in circles
	errs   []error
}

const auditErrors = 5 // told in full

func (a *auditor) fail(format string, args ...any) {
	if len(a.errs) < auditErrors {
		a.errs = append(a.errs, fmt.Errorf(format, args...))
	}
}

// err is the audit's result.
func (a *auditor) err() error {
	if len(a.errs) == 0 {
		return nil
	}
	return oracle.Violated(oracle.Structure, "%w", errors.Join(a.errs...))
}

// auditTables looks at tables and maps, all of one Info whose generation is newest, and at their syncaches. Nothing else may be running.
func (z *zone) auditTables(newest, seed uint64, tables []*table, caches []*syncache, maps ...mapped) error {
	z.audits += 4
	a := &auditor{zone: z, met: z.audits, newest: newest, left: int(z.stats().Allocs)}
	for _, tb := range tables {
		a.hashes(tb, seed)
		a.list(tb)
		a.queue(&tb.tw, tb.each)
	}
	for i := range maps {
		a.mapped(&maps[i], seed)
	}
	for _, sc := range caches {
		a.syncache(sc)
	}
	a.free()
	return a.err()
}

// hashes marks what stands in the two hashes.
func (a *auditor) hashes(tb *table, seed uint64) {
	for i := range tb.hashbase {
		for inp := tb.hashbase[i].head.Load(); inp != nil && a.inpcb(inp); inp = inp.hashNext.Load() {
			hash := inp.inc.hash(seed)
			if inp.hash != hash || int(hash&tb.mask) != i || inp.inc.Fport == 0 {
				a.fail("%v with hash %#x stands in bucket %d of %d", inp.inc, inp.hash, i, len(tb.hashbase))
			}
			if first := tb.lookupExact(&inp.inc, hash); first != inp {
				a.fail("%v is in the hash twice", inp.inc)
			}
		}
	}
	for i := range tb.wildbase {
		anyPort := map[uint16]bool{} // unspecified addresses come last
		for inp := tb.wildbase[i].head.Load(); inp != nil && a.inpcb(inp); inp = inp.hashNext.Load() {
			if inp.inc.Fport != 0 || inp.tp.state != Listen || int(inp.inc.Lport%wildHash) != i {
				a.fail("%v in %v stands in bucket %d of the wildcard hash", inp.inc, inp.tp.state, i)
			}
			if anyPort[inp.inc.Lport] || tb.lookupListener(inp.inc.Laddr, inp.inc.Lport) != inp {
				a.fail("listener %v stands behind one that hides it", inp.inc)
			}
			anyPort[inp.inc.Lport] = inp.inc.Laddr.IsAny()
		}
	}
}

// inpcb checks one that a hash leads to, and marks it; false ends the chain.
func (a *auditor) inpcb(inp *Inpcb) bool {
	if a.left--; a.left < 0 || inp.mark >= a.met {
		a.fail("%v is met twice in the hash: a circle, or two chains", inp.inc)
		return false
	}
	inp.mark = a.met
	tp := &inp.tp
	switch {
	case inp.flags != 0 || inp.refs.Load() != 1 || inp.users.n.Load() != 0:
		a.fail("%v in %v at rest has flags %d, %d references, %d users", inp.inc, tp.state, inp.flags, inp.refs.Load(), inp.users.n.Load())
	case tp.state == Closed || tp.state >= numStates:
		a.fail("%v is in the table in state %v", inp.inc, tp.state)
	case !inp.lock.TryLock(nil):
		a.fail("%v in %v is locked at rest", inp.inc, tp.state)
	default:
		inp.lock.Unlock(nil)
	}
	if tp.state == TimeWait != inp.onTw {
		a.fail("%v is in %v, and in the TIME-WAIT queue: %v", inp.inc, tp.state, inp.onTw)
	}
	return true
}

// mapped compares a map with what stands in it: each under its own name, where it is looked for, once.
func (a *auditor) mapped(m *mapped, seed uint64) {
	n := 0
	m.each(func(name ConnInfo, inp *Inpcb) {
		if !a.inpcb(inp) {
			return
		}
		inp.mark = a.met + 1
		if inp.inc != name || inp.hash != inp.inc.hash(seed) || m.find(&name) != inp {
			a.fail("%v with hash %#x stands in the map as %v", inp.inc, inp.hash, name)
		}
		if (name.Fport == 0) != (inp.tp.state == Listen) {
			a.fail("%v stands in the map in state %v", name, inp.tp.state)
		}
		if inp.gencnt > a.newest {
			a.fail("%v has generation %d, the table %d", name, inp.gencnt, a.newest)
		}
		n++
	})
	if n != m.count() {
		a.fail("the map counts %d inpcbs and has %d", m.count(), n)
	}
	a.queue(m.tw, func(f func(*Inpcb)) int {
		m.each(func(_ ConnInfo, inp *Inpcb) { f(inp) })
		return n
	})
}

// list compares the list with the hashes.
func (a *auditor) list(tb *table) {
	n := 0
	from := &tb.list
	for inp := from.Load(); inp != nil; inp = from.Load() {
		if inp.mark != a.met {
			a.fail("%v in %v is in the list, and not in the hash or twice in the list", inp.inc, inp.tp.state)
			return
		}
		inp.mark = a.met + 1
		if inp.listPrev != from {
			a.fail("%v does not point back at what points at it in the list", inp.inc)
		}
		if inp.gencnt > a.newest {
			a.fail("%v has generation %d, the table %d", inp.inc, inp.gencnt, a.newest)
		}
		if next := inp.listNext.Load(); next != nil && next.gencnt > inp.gencnt {
			a.fail("%v has generation %d and stands before the older %d", inp.inc, inp.gencnt, next.gencnt)
		}
		from = &inp.listNext
		n++
	}
	hashed := tb.each(func(inp *Inpcb) {
		if inp.mark != a.met+1 && inp.mark != a.met+2 {
			a.fail("%v is in the hash and not in the list", inp.inc)
		}
	})
	if n != tb.count || n != hashed {
		a.fail("ipi_count is %d, the list has %d, the hashes %d", tb.count, n, hashed)
	}
}

// each calls f for what stands in the hashes, as far as the count goes.
func (tb *table) each(f func(*Inpcb)) (n int) {
	for _, base := range [][]bucket{tb.hashbase, tb.wildbase} {
		for i := range base {
			for inp := base[i].head.Load(); inp != nil && n <= tb.count; inp = inp.hashNext.Load() {
				f(inp)
				n++
			}
		}
	}
	return n
}

// queue compares the TIME-WAIT queue with who says to be in it.
func (a *auditor) queue(tw *twQueue, each func(func(*Inpcb)) int) {
	var prev *Inpcb
	for inp := tw.head; inp != nil; prev, inp = inp, inp.twNext {
		if inp.mark != a.met+1 || !inp.onTw || inp.twPrev != prev {
			a.fail("%v in %v is in the TIME-WAIT queue, and not in the table, or twice, or linked wrongly", inp.inc, inp.tp.state)
			return
		}
		inp.mark = a.met + 2
		if prev != nil && before(inp.twExpire, prev.twExpire) {
			a.fail("%v expires at %d and stands behind %d", inp.inc, inp.twExpire, prev.twExpire)
		}
	}
	if tw.tail != prev {
		a.fail("the TIME-WAIT queue does not end where it says")
	}
	each(func(inp *Inpcb) {
		if inp.onTw && inp.mark != a.met+2 {
			a.fail("%v is not in the TIME-WAIT queue as it says", inp.inc)
		}
	})
}

func (a *auditor) syncache(sc *syncache) {
	for i := range sc.buckets {
		b := &sc.buckets[i]
		if b.n < 0 || b.n > syncacheLimit {
			a.fail("syncache bucket %d has %d entries of %d", i, b.n, syncacheLimit)
			continue
		}
		for j := range b.entries[:b.n] {
			e := &b.entries[j]
			if sc.bucket(&e.inc) != b || b.find(&e.inc) != e {
				a.fail("syncache: %v is in bucket %d, which is not its own, or there twice", e.inc, i)
			}
			if e.iss != ISN(&e.inc, e.irs) || before(b.clock, e.born) {
				a.fail("syncache: %v has numbers %d and %d, born %d of %d", e.inc, e.irs, e.iss, e.born, b.clock)
			}
		}
		if !b.lock.TryLock(nil) {
			a.fail("syncache bucket %d is locked at rest", i)
		} else {
			b.lock.Unlock(nil)
		}
	}
}

// free looks at every block that the zone holds: poisoned if free, in no other place, and all that were carved.
func (a *auditor) free() {
	z := a.zone
	n := 0
	stack := func(m *magazine, free bool) {
		have := 0
		for inp := m.head; inp != nil; inp = inp.twNext {
			if inp.mark >= a.met {
				a.fail("a free block is in use, or free twice: %v in %v", inp.inc, inp.tp.state)
				return
			}
			inp.mark = a.met + 3
			if free && !inp.poisoned() {
				a.fail("a free block was written to: %v in %v, %d references", inp.inc, inp.tp.state, inp.refs.Load())
			}
			have++
		}
		if have != m.n {
			a.fail("a magazine of %d holds %d", m.n, have)
		}
		n += have
	}
	for i := range z.depot {
		stack(&z.depot[i], true)
	}
	for i := range z.cpus {
		zc := &z.cpus[i]
		stack(&zc.loaded, true)
		stack(&zc.prev, true)
		held := n
		stack(&zc.pending, false)
		for j := range zc.waiting {
			stack(&zc.waiting[j].mag, false)
		}
		if n-held != zc.retired {
			a.fail("CPU %d counts %d retired blocks and holds %d", i, zc.retired, n-held)
		}
	}
	if s := z.stats(); z.recycles() && n+int(s.Allocs-s.Frees) != z.made {
		a.fail("of %d blocks %d are free or retired and %d in use", z.made, n, s.Allocs-s.Frees)
	}
}
