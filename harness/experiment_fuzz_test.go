package harness

import (
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"pcbbench/workloads"
)

// FuzzExperiment resolves arbitrary experiments: what is wrong is one line; what is right has a name that benchfmt takes apart.
func FuzzExperiment(f *testing.F) {
	f.Add("global", "default", "direct", "all", "cpu", "churn", "rss", 500, 1024, 2, 32, 0.0, 0.25)
	f.Add("connp:groups=16", "", "netisr2:policy=source:qlimit=64", "split", "", "rpc", "spray", 0, 10, 1, 1, 0.99, -1.0)
	f.Add("smr:smr=gc", "ticket:spin-yield", "hybrid:qlimit=0", "", "none", "walk", "", -1, 0, 5, 0, 4.1, 2.0)
	f.Fuzz(func(t *testing.T, scheme, lock, dispatch, roles, pin, mix, affinity string, work, conns, workers, batch int, skew, v6 float64) {
		e := Experiment{Scheme: scheme, Lock: lock, Dispatch: dispatch, Roles: roles, Pin: pin, Work: work,
			Workload: workloads.Params{Mix: mix, Affinity: workloads.Affinity(affinity), Conns: conns, Workers: workers, Batch: batch, Skew: skew, V6: v6}}
		v, err := e.resolve()
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line: %q", err)
			}
			return
		}
		if again, err := v.Experiment.resolve(); err != nil || again.name() != v.name() {
			t.Errorf("%+v, resolved again, is %s, %v", v.Experiment, again.name(), err)
		}
		r := benchfmt.NewReader(strings.NewReader("Benchmark"+v.name()+" 1 2 ns/seg\n"), "name")
		if !r.Scan() {
			t.Fatalf("no result by the name %q", v.name())
		}
		res, ok := r.Result().(*benchfmt.Result)
		if !ok || string(res.Name) != v.name() {
			t.Fatalf("the name %q is read as %v", v.name(), r.Result())
		}
		keys, values := parts(t, v.name())
		if len(keys) < 10 || values["scheme"] != v.Scheme || values["mix"] != mix {
			t.Errorf("the name %q has %v", v.name(), values)
		}
	})
}
