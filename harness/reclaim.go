package harness

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
	"pcbbench/harness/reclaim"
)

// A reclaimCase is reclamation among what a job measures.
type reclaimCase struct{ reclaim.Case }

func (c reclaimCase) name() string { return c.Case.Name() }

// measure takes the job's measured time, or as much as a stalled reader needs, and tells what the machine did meanwhile.
func (c reclaimCase) measure(b *bench, job Job) (line string, err error) {
	runtime.LockOSThread() // which takes the snapshots, and does not count
	defer runtime.UnlockOSThread()
	s := &Sample{}
	snap, watched := b.noise.Snapshot(), time.Now()
	var res *reclaim.Result
	if err := patiently(job.Timing.Measure, reclaim.ErrStarved, func(d time.Duration) error {
		return bounded(stuckAfter+c.Lasts(d), "reclaiming", nil, func() (err error) {
			res, err = c.Measure(b.clock, b.cpus, d)
			return err
		})
	}); err != nil {
		return "", err
	}
	s.Noise, s.Watched = b.noise.Snapshot().Sub(snap), time.Since(watched)
	s.judge(c.CPUs(), c.CPUs())
	if err := b.clock.Recalibrate(); err != nil {
		return "", err
	}
	n := res.Sections
	switch c.Do {
	case reclaim.Grace:
		n = uint64(res.Grace.TotalCount())
	case reclaim.Update:
		n = res.Retires
	}
	return s.told(resultLine(c.name(), n, c.values(res, s, b.clock))), nil
}

// values are what the case is for: where somebody stalls the backlog is, and the readers beside a writer are measured with it.
func (c reclaimCase) values(res *reclaim.Result, s *Sample, clock *machine.Clock) (vs []benchfmt.Value) {
	put := func(unit string, v float64) { vs = append(vs, benchfmt.Value{Value: v, Unit: unit}) }
	put("ns/section", clock.NS(res.Ticks)/float64(res.Sections))
	put("ns/hop", clock.NS(res.Ticks)/float64(c.Hops(res.Sections)))
	switch c.Do {
	case reclaim.Grace:
		for _, q := range []struct {
			unit string
			of   float64
		}{{"grace-p50-ns", 50}, {"grace-p90-ns", 90}, {"grace-p99-ns", 99}} {
			put(q.unit, clock.NS(res.Grace.ValueAtQuantile(q.of)))
		}
		put("grace-max-ns", clock.NS(res.Grace.Max()))
	case reclaim.Update:
		put("ns/retire", clock.NS(res.Busy)/float64(res.Retires))
		if res.Heap > 0 {
			if res.GC >= 0 {
				put("gc-cpu", res.GC)
			}
			put("heap-bytes", float64(res.Heap))
			break
		}
		put("backlog-peak", float64(res.Peak))
		put("backlog-bytes", float64(res.Bytes()))
		if res.Bound >= 0 {
			put("backlog-bound", float64(res.Bound))
		}
		for i, n := range res.Slices {
			put(fmt.Sprint("backlog-t", i+1), float64(n))
		}
	}
	s.others(put)
	s.mark(put)
	return vs
}

// reclaimSubjects are what a torture must have passed before results of cs mean anything.
func reclaimSubjects(cs []reclaim.Case) (list []string) {
	for _, c := range cs {
		if s := "reclamation " + c.SMR; !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	if list != nil {
		list = append(list, "harness")
	}
	return list
}
