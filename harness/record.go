package harness

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
	"pcbbench/pcbinfo"
)

// A unit is a metric's name and what benchstat should know of it.
type unit struct{ name, better, assume, doc string }

// Units are the metrics of every result, in the order in which they stand on its line.
var Units = []unit{
	{"ns/seg", "lower", "", "wall time a segment, all workers together"},
	{"segs/s", "higher", "", "segments a second, all workers together"},
	{"p50-ns", "lower", "", "batch latency: median"},
	{"p99-ns", "lower", "", "batch latency: 99th percentile"},
	{"p99.9-ns", "lower", "", "batch latency: 99.9th percentile"},
	{"max-ns", "lower", "", "batch latency: the longest"},
	{"offered-segs/s", "", "", "open loop: arrivals a second"},
	{"lat-p50-ns", "lower", "", "open loop: from a segment's intended arrival until it has been handled: median"},
	{"lat-p99-ns", "lower", "", "the same: 99th percentile"},
	{"lat-p99.9-ns", "lower", "", "the same: 99.9th percentile"},
	{"lat-max-ns", "lower", "", "the same: the longest"},
	{"qdrops/arrival", "lower", "", "open loop: share of arrivals that a netisr queue refused"},
	{"rxdrops/arrival", "lower", "", "open loop: share of arrivals that found the receive ring full"},
	{"fairness", "higher", "", "Jain's index over the workers' segments, 1/workers to 1"},
	{"allocs/seg", "lower", "exact", "heap allocations a segment"},
	{"segs/batch", "higher", "", "segments in a batch: below batch= where connections are few"},
	{"B/conn", "lower", "", "heap bytes that a connection adds to the table"},
	{"B/table", "lower", "", "heap bytes of the empty table: buckets, half-open cache, locks and nodes"},
	{"sprayed", "higher", "", "share of neighbouring pieces of a sprayed connection on different workers"},
	{"waiting", "lower", "", "share of time spent keeping the order of sprayed connections"},
	{"walks/s", "higher", "", "pcblist walks a second"},
	{"walk-ns", "lower", "", "mean time of a walk"},
	{"handoffs/seg", "lower", "", "times that a segment was queued for another CPU, where there are queues"},
	{"segs/queue-batch", "higher", "", "segments that a netisr worker found in a queue, on average"},
	{"qdrops/seg", "lower", "", "times that a full queue refused a segment"},
	{"wakeups/seg", "lower", "", "wake-ups of sleeping netisr workers"},
	{"wake-p50-ns", "lower", "", "from the signal to the running worker: median"},
	{"wake-p99-ns", "lower", "", "from the signal to the running worker: 99th percentile"},
	{"user-wakeups/seg", "lower", "", "wake-ups of sleeping users"},
	{"user-wake-p50-ns", "lower", "", "from the signal to the running user: median"},
	{"user-wake-p99-ns", "lower", "", "from the signal to the running user: 99th percentile"},
	{"input-wakeups/seg", "lower", "", "wake-ups of sleeping input contexts"},
	{"input-wake-p50-ns", "lower", "", "from the signal to the running input context: median"},
	{"input-wake-p99-ns", "lower", "", "from the signal to the running input context: 99th percentile"},
	{"call-wakeups/seg", "lower", "", "wake-ups of who slept until a request was answered"},
	{"call-wake-p50-ns", "lower", "", "from the answer to the running caller: median"},
	{"call-wake-p99-ns", "lower", "", "from the answer to the running caller: 99th percentile"},
	{"pingpong-ns", "", "", "one-way time of a cache line between the first two workers' CPUs"},
	{"pingpong-class", "", "", "where these CPUs were: 1 near, 2 far, 3 moved meanwhile"},
	{"mul-ns", "", "", "time of a dependent multiplication just before: the inverse of the clock frequency"},
	{"late", "", "", "share of the segments in the second half of the measured time: a half, or more while still warming up"},
	{"rundelay-ns", "", "", "time our threads waited for a CPU"},
	{"steal-ns", "", "", "time the hypervisor ran somebody else"},
	{"foreign-ns", "", "", "CPU time of other processes"},
	{"ctxsw/seg", "lower", "", "context switches of our threads in the measured time"},
	{"ctxsw-voluntary/seg", "lower", "", "those of threads that went to sleep"},
	{"ctxsw-involuntary/seg", "lower", "", "those of threads that were preempted"},
	{"ns/packet", "lower", "", "hand-offs: wall time a packet, one way"},
	{"rtt-p50-ns", "lower", "", "hand-offs: a batch there and back, median"},
	{"rtt-p99-ns", "lower", "", "hand-offs: a batch there and back, 99th percentile"},
	{"ns/section", "lower", "", "reclamation: a reader's time for a section, its lookups included"},
	{"ns/hop", "lower", "", "the same by the blocks on its way"},
	{"ns/retire", "lower", "", "reclamation: the writer's time for a block, replaced, retired, and another one got back"},
	{"grace-p50-ns", "lower", "", "reclamation: from unlinking a block to its being free: median"},
	{"grace-p90-ns", "lower", "", "the same: 90th percentile"},
	{"grace-p99-ns", "lower", "", "the same: 99th percentile"},
	{"grace-max-ns", "lower", "", "the same: the longest, or what there was of it when the sample ended"},
	{"backlog-peak", "lower", "", "reclamation: the most blocks that were retired and not free"},
	{"backlog-bytes", "lower", "", "what these take"},
	{"backlog-bound", "lower", "", "how many there can be whatever readers do, where there is a bound; a sample with more fails"},
	{"backlog-t1", "lower", "", "the most in the first eighth of the measured time"},
	{"backlog-t2", "lower", "", "in the second, and so on"},
	{"backlog-t3", "lower", "", ""},
	{"backlog-t4", "lower", "", ""},
	{"backlog-t5", "lower", "", ""},
	{"backlog-t6", "lower", "", ""},
	{"backlog-t7", "lower", "", ""},
	{"backlog-t8", "lower", "", ""},
	{"gc-cpu", "lower", "", "reclamation by the collector: its share of the CPU time, as Go's runtime estimates that"},
	{"heap-bytes", "lower", "", "reclamation by the collector: the most that was in use on the heap, of eight looks"},
	{"cycles/seg", "lower", "", "on request: cycles in user space, of all threads"},
	{"instructions/seg", "lower", "", "on request: instructions, the same"},
	{"llc-miss/seg", "lower", "", "on request: misses of the last-level cache, the same"},
	{"remote-load/seg", "lower", "", "on request: loads that another node answered, the same"},
	{"hitm/seg", "lower", "", "on request: loads of a line that another core had modified, the same"},
	{"counter-share", "higher", "", "share of the time that the scarcest of these counted: below 1 they took turns, and were scaled up"},
	{"disturbed", "", "", "1: one of rundelay, steal and foreign was over its limit"},
	{"pair", "", "", "of pcbbench ab: samples with the same number belong together"},
	{"restart", "", "", "of pcbbench ab: how often the processes had been started"},
	{"locks/seg", "lower", "exact", "counted: lock acquisitions, of table, inpcb and whatever else, exclusive and shared"},
	{"rmw/seg", "lower", "exact", "counted: atomic read-modify-writes of shared words"},
	{"stores/seg", "lower", "exact", "counted: stores to shared words, beside those"},
	{"loads/seg", "lower", "exact", "counted: loads of shared words, beside those"},
	{"waits/seg", "lower", "exact", "counted: turns of busy waits, and parkings: one worker has nobody to wait for"},
}

// writeUnits writes the metadata of Units.
func writeUnits(w io.Writer) error {
	for _, u := range Units {
		if _, err := io.WriteString(w, u.metadata()); err != nil {
			return err
		}
	}
	return nil
}

// metadata is the line that tells benchstat of u, if there is anything to tell.
func (u unit) metadata() string {
	line := ""
	if u.better != "" {
		line += " better=" + u.better
	}
	if u.assume != "" {
		line += " assume=" + u.assume
	}
	if line == "" {
		return ""
	}
	return "Unit " + u.name + line + "\n"
}

// values puts s into benchmark values. What was not measured is left out rather than zero.
func (s *Sample) values(clock *machine.Clock) (vs []benchfmt.Value) {
	put := func(unit string, v float64) { vs = append(vs, benchfmt.Value{Value: v, Unit: unit}) }
	quantile := func(q float64) float64 { return clock.NS(s.Latency.ValueAtQuantile(q)) }
	put("ns/seg", s.NSPerSeg)
	put("segs/s", 1e9/s.NSPerSeg)
	if s.Open != nil {
		s.open(put, clock)
	} else {
		put("p50-ns", quantile(50))
		put("p99-ns", quantile(99))
		put("p99.9-ns", quantile(99.9))
		put("max-ns", clock.NS(s.Latency.Max()))
	}
	put("fairness", s.Fairness)
	put("allocs/seg", s.Allocs)
	put("segs/batch", s.SegsBatch)
	if s.BytesConn > 0 {
		put("B/conn", s.BytesConn)
	}
	if s.BytesTable > 0 {
		put("B/table", s.BytesTable)
	}
	if s.Sprayed > 0 {
		put("sprayed", s.Sprayed)
	}
	if s.Waiting > 0 {
		put("waiting", s.Waiting)
	}
	if s.Walks > 0 {
		put("walks/s", float64(s.Walks)/s.Wall.Seconds())
		put("walk-ns", float64(s.WalkTime)/float64(s.Walks))
	}
	s.dispatch(put, clock)
	s.distance(put)
	s.noise(put)
	s.counts(put)
	return vs
}

// distance is how far the first two workers' CPUs were apart.
func (s *Sample) distance(put func(string, float64)) {
	if s.Class != "" {
		put("pingpong-ns", (s.OneWay[0]+s.OneWay[1])/2)
		put("pingpong-class", classCode[s.Class])
	}
}

var classCode = map[machine.Class]float64{machine.Near: 1, machine.Far: 2, machine.Moved: 3}

func (s *Sample) noise(put func(string, float64)) {
	put("mul-ns", s.NSMul)
	put("late", s.Late)
	s.others(put)
	s.switches(put)
	s.counters(put)
	s.mark(put)
}

// others are who else took the CPUs.
func (s *Sample) others(put func(string, float64)) {
	known := func(unit string, c machine.Count) {
		if c.Known {
			put(unit, float64(c.N))
		}
	}
	known("rundelay-ns", s.Noise.RunDelay)
	known("steal-ns", s.Noise.Steal)
	known("foreign-ns", s.Noise.Foreign)
}

// told is lines below what disturbed the sample, if anything did.
func (s *Sample) told(lines string) string {
	if s.Disturbed == "" {
		return lines
	}
	return "# disturbed: " + s.Disturbed + "\n" + lines
}

// mark says whether the sample was disturbed.
func (s *Sample) mark(put func(string, float64)) {
	disturbed := 0.0
	if s.Disturbed != "" {
		disturbed = 1
	}
	put("disturbed", disturbed)
}

// counts are the scheme's own counters and those of the whole table, a segment taken in since the table was open; and those of the mix's other
// protocols, a packet sent.
func (s *Sample) counts(put func(string, float64)) {
	total := float64(max(1, s.Stats.Segments()))
	list := func(cs []pcbinfo.Counter, total float64) {
		for _, c := range cs {
			if c.Gauge {
				put(c.Name, float64(c.Value))
			} else {
				put(c.Name+"/seg", float64(c.Value)/total)
			}
		}
	}
	list(s.Counters, total)
	list(s.Path, float64(max(1, s.Sent)))
	for _, c := range []pcbinfo.Counter{
		{Name: "drops", Value: s.Stats.Drops()},
		{Name: "reordered", Value: s.Stats.Outcomes[pcbinfo.DropOrder]},
		{Name: "evicted", Value: s.Stats.Evicted},
		{Name: "timewait-reused", Value: s.Stats.Reused},
		{Name: "timewait-expired", Value: s.Stats.Expired},
	} {
		if c.Value > 0 {
			put(c.Name+"/seg", float64(c.Value)/total)
		}
	}
}

// writeHeader writes the facts: the epoch and the machine's stay for all results, the run's are unset again, so that files of two runs compare.
func writeHeader(w io.Writer, stable, run []machine.KeyValue) error {
	for _, kv := range append(stable, machine.KeyValue{Key: "epoch", Value: Epoch}) {
		if _, err := fmt.Fprintf(w, "%s: %s\n", kv.Key, kv.Value); err != nil {
			return err
		}
	}
	if err := writeFacts(w, run); err != nil {
		return err
	}
	return writeUnits(w)
}

// writeFacts writes facts of a run and unsets them.
func writeFacts(w io.Writer, run []machine.KeyValue) error {
	var b strings.Builder
	for _, kv := range run {
		fmt.Fprintf(&b, "%s: %s\n", kv.Key, kv.Value)
	}
	fmt.Fprintln(&b, "# The facts of this run end here: unset, so that benchstat lines up runs that differ only in them.")
	for _, kv := range run {
		fmt.Fprintf(&b, "%s:\n", kv.Key)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
