package pcbinfo

import (
	"errors"

	"pcbbench/locks/oracle"
)

// buckets_audit.go: what audit.go and guard.go are to a table, for one whose hashes are buckets: every chain ends where it should, everything
// stands in its own chain, once, and TIME-WAITs in one of the queues.

// finishBuckets is finish.
func (in *bucketInfo) finishBuckets(empty func()) error {
	if err := errors.Join(in.zone.audit(in.bs.live()), in.auditBuckets([]*syncache{&in.sc})); err != nil {
		return err // emptying what is broken may not end
	}
	empty()
	in.zone.drain()
	return errors.Join(in.zone.audit(0), in.auditBuckets(nil))
}

// auditBuckets looks at all links at rest. The marks are auditTables'.
func (in *bucketInfo) auditBuckets(caches []*syncache) error {
	z := &in.zone
	z.audits += 4
	a := &auditor{zone: z, met: z.audits, newest: in.bs.gen.Load(), left: int(z.stats().Allocs)}
	for i := 0; i < in.bs.all(); i = in.bs.next(i) {
		a.bucket(&in.bs, i)
	}
	for i := range in.handles {
		a.timeWaits(&in.handles[i])
	}
	for i := 0; i < in.bs.all(); i = in.bs.next(i) {
		for inp := in.bs.chains[i].head.Load(); !in.bs.ends(inp) && len(a.errs) == 0; inp = inp.hashNext.Load() {
			if inp.onTw && inp.mark != a.met+2 {
				a.fail("%v is not in a TIME-WAIT queue as it says", inp.inc)
			}
		}
	}
	for _, sc := range caches {
		a.syncache(sc)
	}
	a.free()
	return a.err()
}

// bucket marks what stands in chain i.
func (a *auditor) bucket(bs *buckets, i int) {
	ch := &bs.chains[i]
	anyPort := map[uint16]bool{} // unspecified addresses come last
	inp := ch.head.Load()
	for ; !bs.ends(inp) && a.inpcb(inp); inp = inp.hashNext.Load() {
		if inp.inc.Fport == 0 {
			if anyPort[inp.inc.Lport] {
				a.fail("listener %v stands behind one that hides it", inp.inc)
			}
			anyPort[inp.inc.Lport] = inp.inc.Laddr.IsAny()
		}
		if inp.hash != inp.inc.hash(bs.seed) || bs.at(inp) != i || (inp.inc.Fport == 0) != (inp.tp.state == Listen) {
			a.fail("%v in %v with hash %#x stands in chain %d of %d", inp.inc, inp.tp.state, inp.hash, i, bs.all())
		}
		if bs.scan(i, &inp.inc) != inp {
			a.fail("%v is in its chain twice", inp.inc)
		}
		if inp.gencnt > a.newest {
			a.fail("%v has generation %d, the table %d", inp.inc, inp.gencnt, a.newest)
		}
		if bs.marked != (inp.name.Load() != 0) {
			a.fail("%v is in the table by the name %#x", inp.inc, inp.name.Load())
		}
	}
	switch {
	case bs.ends(inp) && inp != bs.end(i):
		a.fail("chain %d of %d ends in another's end", i, bs.all())
	case !ch.lock.TryLock(nil):
		a.fail("bucket %d of %d is locked at rest", i, bs.all())
	default:
		ch.lock.Unlock(nil)
	}
	if i >= bs.wild && bs.seq(i).Load()%2 != 0 {
		a.fail("chain %d of %d is being changed at rest", i, bs.all())
	}
}

// timeWaits compares a CPU's queue with who says to be in it.
func (a *auditor) timeWaits(h *bucketCPU) {
	var prev *Inpcb
	for inp := h.tw.head; inp != nil; prev, inp = inp, inp.twNext {
		if inp.mark != a.met || !inp.onTw || int(inp.twCPU) != h.id || inp.twPrev != prev {
			a.fail("%v in %v is in CPU %d's TIME-WAIT queue, and not in the table, or twice, or linked wrongly", inp.inc, inp.tp.state, h.id)
			return
		}
		inp.mark = a.met + 2
		if prev != nil && before(inp.twExpire, prev.twExpire) {
			a.fail("%v expires at %d and stands behind %d", inp.inc, inp.twExpire, prev.twExpire)
		}
	}
	if h.tw.tail != prev {
		a.fail("CPU %d's TIME-WAIT queue does not end where it says", h.id)
	}
}

// live is how many inpcbs there are, by who has chain i or all of them at rest.
func (bs *buckets) live() (n int) {
	for i := 0; i < bs.all(); i = bs.next(i) {
		n += bs.count(i)
	}
	return n
}

func (bs *buckets) count(i int) (n int) {
	for inp := bs.chains[i].head.Load(); !bs.ends(inp); inp = inp.hashNext.Load() {
		n++
	}
	return n
}

// mustBeNew panics if a name that is to be inserted stands in chain i.
func (bs *buckets) mustBeNew(i int, inp *Inpcb) {
	for p := bs.chains[i].head.Load(); !bs.ends(p); p = p.hashNext.Load() {
		if p.inc == inp.inc {
			panic(oracle.Violated(oracle.Answer, "%v is inserted while it stands in the table", inp.inc))
		}
	}
}

// mustBeInside panics if an inpcb is to be tried that nothing keeps from being somebody else's by now.
func (c *bucketCPU) mustBeInside(inp *Inpcb) {
	if !c.inside {
		panic(oracle.Violated(oracle.Reclaim, "%v is tried outside of the section in which it was found", inp.inc))
	}
}
