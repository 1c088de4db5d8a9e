package lockbench

import (
	"fmt"
	"unsafe"

	"pcbbench/locks"
)

// A Unit is a metric: its name, which direction is better, and what it is.
type Unit struct{ Name, Better, Doc string }

// Units are the metrics of a result, in the order in which they stand on its line. What a load has nothing of is left out.
var Units = []Unit{
	// Of the plain part:
	{"ns/lock", "lower", "wall time × CPUs that the workers had / sections: CPU time a section, think time and all waiting included"},
	{"locks/s", "higher", "sections a second, all workers together"},
	{"over-ns", "lower", "ns/lock less floor-ns, at least 0.001"},
	{"floor-ns", "lower", "ns/lock of the same load with no lock and nothing shared; with -uneven, of the same share of each worker's sections, if each has a CPU"},
	{"jain", "higher", "Jain's index over the workers' sections, 1/workers to 1"},
	{"ns/streak-p90", "lower", "sections in a row of one worker, as time: weighed by length, 90% of sections were in no longer streak; lengths are rounded down to powers of two"},
	{"ns/streak-p100", "lower", "the same: the longest, not rounded"},
	{"ns/starve-p90", "lower", "others' sections between two of one worker, as time: weighed by length, 90% of them in no longer one; lengths are rounded down to powers of two"},
	{"ns/starve-p100", "lower", "the same: the longest, not rounded"},
	{"contended", "", "with -try: share of sections that a try failed for"},
	{"retries/read", "lower", "optimistic reads that were done again, a reading section; only of locks that have such"},
	// Of the stamped part:
	{"wait-p50-ns", "lower", "from arriving at the lock to getting in: median"},
	{"wait-p99-ns", "lower", "the same: 99th percentile"},
	{"wait-p99.9-ns", "lower", "the same: 99.9th percentile"},
	{"wait-max-ns", "lower", "the same: the longest"},
	{"handoff-p50-ns", "lower", "from one worker's letting go to the getting in of another that waited: median"},
	{"handoff-p99-ns", "lower", "the same: 99th percentile"},
	{"handoff-max-ns", "lower", "the same: the longest"},
	{"jain-8w", "higher", "mean of Jain's index over windows of 8 sections a worker"},
	{"jain-64w", "higher", "the same, of 64 sections a worker"},
	{"jain-1ms", "higher", "the same, of a millisecond"},
	{"jain-hold", "higher", "Jain's index over the time for which each worker had the lock"},
	{"full", "higher", "share of the measured time from the last worker's first section to the first one's last: all were under way, though more than there are CPUs took turns"},
	{"stamped-ns/lock", "lower", "ns/lock of the stamped part: what stamping added is the difference"},
	{"stamp-ns", "lower", "time that reading the clock takes"},
	{"B/lock", "lower", "bytes of the lock, without padding and nodes"},
	{"B/node", "lower", "bytes of a worker's node, padding included: one size serves all locks that queue"},
	// Of the machine meanwhile, beside those that every result has:
	{"ctxsw/lock", "lower", "context switches of our threads in the plain and the stamped part, warm-up included, a section of these"},
}

// leastOver is what stands for no measurable cost: benchmark text takes 0 ns for a unit of its own beside times, which it has in seconds.
const leastOver = 0.001

// Values puts r's metrics, all but the machine's.
func (r *Result) Values(put func(unit string, v float64)) {
	plain := &r.Plain
	put("ns/lock", r.cpu(plain))
	put("locks/s", float64(plain.sections)/plain.wall*1e9)
	if r.Floor > 0 {
		put("over-ns", max(leastOver, r.cpu(plain)-r.Floor))
		put("floor-ns", r.Floor)
	}
	put("jain", jain(plain.each))
	if plain.writes > 0 {
		each := plain.wall * float64(r.Locks) / float64(plain.writes) // from one section of a lock to its next
		put("ns/streak-p90", each*plain.streaks.percentile(0.9))
		put("ns/streak-p100", each*float64(plain.streaks.most))
		if plain.starves.most > 0 {
			put("ns/starve-p90", each*plain.starves.percentile(0.9))
			put("ns/starve-p100", each*float64(plain.starves.most))
		}
	}
	if r.Try {
		put("contended", float64(plain.failed)/float64(plain.sections))
	}
	if reads := plain.sections - plain.writes; plain.optimist && reads > 0 {
		put("retries/read", float64(plain.retries)/float64(reads))
	}
	r.stamped(put)
	put("B/lock", float64(r.spec().Kind().Bytes))
	put("B/node", float64(unsafe.Sizeof(locks.Node{})))
}

// stamped puts the metrics of the stamped part.
func (r *Result) stamped(put func(string, float64)) {
	ns := r.clock.NS
	put("wait-p50-ns", ns(r.Waits.ValueAtQuantile(50)))
	put("wait-p99-ns", ns(r.Waits.ValueAtQuantile(99)))
	put("wait-p99.9-ns", ns(r.Waits.ValueAtQuantile(99.9)))
	put("wait-max-ns", ns(r.Waits.Max()))
	if r.HandOffs.TotalCount() > 0 {
		put("handoff-p50-ns", ns(r.HandOffs.ValueAtQuantile(50)))
		put("handoff-p99-ns", ns(r.HandOffs.ValueAtQuantile(99)))
		put("handoff-max-ns", ns(r.HandOffs.Max()))
	}
	for i, size := range WindowSizes {
		if r.Windows[i].n > 0 {
			put(fmt.Sprintf("jain-%dw", size), r.Windows[i].value())
		}
	}
	if r.Millis.n > 0 {
		put("jain-1ms", r.Millis.value())
	}
	put("jain-hold", r.Holds)
	put("full", r.Together)
	put("stamped-ns/lock", r.cpu(&r.Stamped))
	put("stamp-ns", r.Stamp)
}

// lowFull is the share of the time below which not all workers were really under way together.
const lowFull = 0.8

// Note says what to know of r beside its figures; "" if nothing.
func (r *Result) Note() string {
	if r.Together < lowFull {
		return fmt.Sprintf("full concurrency %.2f: all %d workers were under way together for less than %.1f of the measured time", r.Together, r.Workers, lowFull)
	}
	return ""
}

// Sections are those of the plain part, which the line counts.
func (r *Result) Sections() uint64 { return r.Plain.sections }

// All are the sections of both parts with the lock, those of their warm-up included.
func (r *Result) All() uint64 { return r.Plain.all + r.Stamped.all }
