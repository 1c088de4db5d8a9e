package harness

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"pcbbench/workloads"
)

// BenchmarkInput is the plain way to measure, with go test -bench and -count: an iteration is one sample of a second, all in one process. pcbbench aa sets it beside its own. The
// experiment is churn under smr, on two CPUs, or what PCBBENCH_JOB says, a Job as JSON.
func BenchmarkInput(b *testing.B) {
	job := Job{Experiments: []Experiment{{Scheme: "smr", Work: DefaultWork, Workload: workloads.Params{Mix: "churn", Workers: 2}}}, Timing: Timing{warmTime, time.Second}, Seed: 1}
	if text := os.Getenv("PCBBENCH_JOB"); text != "" {
		if err := json.Unmarshal([]byte(text), &job); err != nil {
			b.Fatal(err)
		}
	}
	vs, most, err := resolveAll(job.Experiments)
	if err != nil {
		b.Fatal(err)
	}
	bench, err := newBench(most)
	if err != nil {
		b.Fatal(err)
	}
	bench.plant = job.Plant
	for _, v := range vs {
		b.Run(v.name(), func(b *testing.B) {
			var sum float64
			for range b.N {
				s, err := bench.patient(v, job.Seed, job.Timing)
				if err != nil {
					b.Fatal(err)
				}
				sum += s.NSPerSeg
			}
			b.ReportMetric(sum/float64(b.N), "ns/seg")
			b.ReportMetric(0, "ns/op") // opening and checking the table too
		})
	}
}
