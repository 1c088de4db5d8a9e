package harness

import (
	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/handoff"
)

// A handoffCase is a hand-off among what a job measures.
type handoffCase struct{ handoff.Case }

func (h handoffCase) name() string { return h.Case.Name() }

// measure takes twice the job's measured time: packets there, and packets there and back.
func (h handoffCase) measure(b *bench, job Job) (line string, err error) {
	var res *handoff.Result
	if err := bounded(stuckAfter, "handing over", nil, func() (err error) {
		res, err = h.Measure(b.clock, b.cpus, job.Timing.Measure)
		return err
	}); err != nil {
		return "", err
	}
	if err := b.clock.Recalibrate(); err != nil {
		return "", err
	}
	ns := b.clock.NS
	return resultLine(h.name(), res.Packets, []benchfmt.Value{
		{Value: ns(res.Took) / float64(res.Packets), Unit: "ns/packet"},
		{Value: ns(res.RoundTrip.ValueAtQuantile(50)), Unit: "rtt-p50-ns"},
		{Value: ns(res.RoundTrip.ValueAtQuantile(99)), Unit: "rtt-p99-ns"},
	}), nil
}

// handoffSubjects are what a torture must have passed before results of cs mean anything.
func handoffSubjects(cs []handoff.Case) []string {
	if len(cs) == 0 {
		return nil
	}
	return []string{"dispatch netisr2", "harness"}
}
