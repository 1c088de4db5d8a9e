package harness

import (
	"math"
	"runtime/debug"
	"slices"
	"strings"

	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
	"pcbbench/pcbinfo"
)

// A tally is what was counted while one goroutine replayed laps. Bytes are none of it: what the heap holds depends on what it held before. Nor are
// wake-ups and context switches, which are the clock's.
type tally struct {
	sent     uint64 // segments
	accesses probe.Accesses
	locks    []witness.Count
	allocs   float64           // on the heap, a segment; negative: not known
	counters []pcbinfo.Counter // the scheme's, and those of the mix's protocols beside TCP
	stats    pcbinfo.Stats
}

// count replays a lap, and then those that count.
func (r *run) count(laps int) (t tally, err error) {
	r.workers = newWorkers(1)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector allocates too
	err = bounded(stuckAfter, "replaying laps", r.progress, func() error {
		r.lap(1)
		before, fewest := r.tally(), uint64(math.MaxUint64)
		for n := range laps {
			allocs := mallocs()
			r.lap(uint64(n + 2))
			fewest = min(fewest, mallocs()-allocs)
		}
		t = r.tally().since(before)
		t.allocs = r.allocsPerSeg(fewest)
		r.drain(0, r.ds[0], &r.workers[0])
		return nil
	})
	return t, err
}

// allocsPerSeg rounds a lap's heap allocations down to a hundredth a segment, as Sample.Allocs: the runtime has a few of its own, not in every lap.
// Where inpcbs come from the heap they are not known: witness notes the class of each, and when a map grows depends on its hash.
func (r *run) allocsPerSeg(lap uint64) float64 {
	if r.v.spec.Collects() {
		return -1
	}
	return math.Floor(100*float64(lap)/float64(max(1, r.w.Segments()))) / 100
}

// lap goes on to the end of the n-th lap: until all that was sent has been handled and answered. Walkers, who are at it all the time in other samples, walk once
// a lap.
func (r *run) lap(n uint64) {
	d := r.ds[0]
	r.until(0, d, &r.workers[0], n, func() bool { return !d.Before(n) && d.Rest() })
	for range r.v.walkers() {
		r.in.Walk(func(*pcbinfo.Xinpcb) bool { return true })
	}
}

// tally reads all counts but allocs, and adds to none.
func (r *run) tally() tally {
	return tally{sent: r.ds[0].Sent(), accesses: probe.Passed(), locks: witness.Counts(), counters: slices.Concat(r.in.Counters(), r.w.Counters()), stats: r.in.Stats()}
}

// since is what t counts beyond b, an earlier state of the same counts.
func (t tally) since(b tally) tally {
	t.sent -= b.sent
	t.accesses = t.accesses.Since(b.accesses)
	for i := range t.locks {
		c := &t.locks[i]
		was := slices.IndexFunc(b.locks, func(o witness.Count) bool { return o.Class == c.Class && o.Act == c.Act })
		if was >= 0 {
			c.N -= b.locks[was].N
		}
	}
	t.counters = since(t.counters, b.counters)
	t.stats = t.stats.Since(b.stats)
	return t
}

// values are t's, a segment sent. Acquisitions by class and outcomes are there where they happened; gauges stand as they are.
func (t *tally) values(put func(u unit, v float64)) {
	per := func(name, better string, n uint64) {
		put(unit{name: name + "/seg", better: better}, float64(n)/float64(t.sent))
	}
	per("locks", "lower", t.acquired())
	per("rmw", "lower", t.accesses.RMWs)
	per("stores", "lower", t.accesses.Stores)
	per("loads", "lower", t.accesses.Loads)
	per("waits", "lower", t.accesses.Waits)
	if t.allocs >= 0 {
		put(unit{name: "allocs/seg", better: "lower"}, t.allocs)
	}
	for _, c := range t.locks {
		per(lockUnit(c), "lower", c.N)
	}
	for _, c := range t.counters {
		if c.Gauge {
			put(unit{name: c.Name}, float64(c.Value))
		} else {
			per(c.Name, "", c.Value)
		}
	}
	for o, n := range t.stats.Outcomes {
		if n > 0 {
			per(pcbinfo.Outcome(o).String(), "", n)
		}
	}
}

// lockUnit is the metric of c, as in locks-tcbinfo and rlocks-inpcb.
func lockUnit(c witness.Count) string {
	if c.Class == "" {
		return c.Act.String()
	}
	return c.Act.String() + "-" + strings.ReplaceAll(c.Class, " ", "-")
}

// acquired is how many locks were taken, in whatever mode.
func (t *tally) acquired() (n uint64) {
	for _, c := range t.locks {
		if c.Act == witness.Locked || c.Act == witness.RLocked {
			n += c.N
		}
	}
	return n
}
