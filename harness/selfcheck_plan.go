package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"

	"pcbbench/harness/machine"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// checkMatrix: a matrix is the product of its lists, of the main schemes if none is named, but for what one that was not named cannot do; each experiment of it resolves, to a
// name that tells all that was chosen.
func checkMatrix(rng *rand.Rand) error {
	for cpus := 1; cpus < 70; cpus++ {
		var want []int
		for n := 1; n < cpus; n += n {
			want = append(want, n)
		}
		if got := WorkerCounts(cpus); !slices.Equal(got, append(want, cpus)) {
			return wrong("worker counts up to %d are %v", cpus, got)
		}
	}
	for cpus := 1; cpus < 20; cpus++ {
		if err := checkThin(Matrix{CPUs: cpus, Schemes: []string{"global"}, Mixes: []string{"rpc"}, Works: []int{0}}.Experiments(), WorkerCounts(cpus)); err != nil {
			return err
		}
	}
	m := Matrix{CPUs: 1 + rng.IntN(4), Mixes: []string{"rpc", "churn", "walk"}, Works: []int{rng.IntN(100), 500}, Conns: []int{10 + rng.IntN(500), 2000},
		Batches: []int{1 + rng.IntN(100)}, Affinities: []workloads.Affinity{workloads.RSS, workloads.Spray}, Pins: []string{PinNone, PinCPU},
		Dispatches: []string{"direct", [...]string{"netisr2", "squeue"}[rng.IntN(2)] + ":qlimit=" + strconv.Itoa(1+rng.IntN(999))}, Roles: []string{"all", "split"},
		Params: workloads.Params{Peers: 1 + rng.IntN(100), Walkers: max(0, rng.IntN(5)-2)}}
	want := map[Experiment]bool{}
	for _, s := range pcbinfo.Schemes {
		if !s.Main {
			continue
		}
		for _, n := range WorkerCounts(m.CPUs) {
			for _, mix := range m.Mixes {
				walkers := m.Params.Walkers
				if mix == "walk" {
					walkers = max(walkers, 1)
				}
				for bits := range 1 << 6 {
					pick := func(bit int) int { return bits >> bit & 1 }
					users, owned := n, strings.HasPrefix(m.Dispatches[pick(4)], "squeue")
					if pick(5) == 1 && !owned {
						users = 3*n + 1 // input, netisr, users, and the timer
					}
					if s.Owned && !owned || !s.Owned && s.Workers != 0 && users+walkers > s.Workers {
						continue
					}
					p := m.Params
					p.Mix, p.Workers, p.Conns, p.Batch, p.Affinity = mix, n, m.Conns[pick(0)], m.Batches[0], m.Affinities[pick(1)]
					want[Experiment{Scheme: s.Name, Lock: "default", Workload: p, Work: m.Works[pick(2)], Pin: m.Pins[pick(3)],
						Dispatch: m.Dispatches[pick(4)], Roles: m.Roles[pick(5)]}] = true
				}
			}
		}
	}
	es := m.Experiments()
	names := map[string]bool{}
	for _, e := range es {
		v, err := e.resolve()
		if err != nil || !want[e] {
			return wrong("experiment %+v of the matrix %+v: it should be there: %v; %v", e, m, want[e], err)
		}
		names[v.name()] = true
	}
	if len(es) != len(want) || len(names) != len(want) {
		return wrong("%d experiments of %d names, want %d of the matrix %+v", len(es), len(names), len(want), m)
	}
	return checkName(rng)
}

// checkName: a benchmark's name says what was chosen.
func checkName(rng *rand.Rand) error {
	roles := workloads.RoleSets[1+rng.IntN(len(workloads.RoleSets)-1)].Name
	e := Experiment{Scheme: "connp:groups=16", Lock: "mcs", Dispatch: "hybrid:policy=source:qlimit=7", Roles: roles, Pin: PinNone, Work: rng.IntN(1000), Workload: workloads.Params{Mix: "rpc",
		Conns: 10 + rng.IntN(1000), Batch: 1 + rng.IntN(64), Workers: 1 + rng.IntN(8), Affinity: workloads.Spray, Payload: 200 + rng.IntN(100)}}
	v, err := e.resolve()
	if err != nil {
		return wrong("%+v is refused: %v", e, err)
	}
	w := e.Workload
	want := fmt.Sprintf("Input/scheme=connp:groups=16/lock=mcs/dispatch=hybrid:policy=source:qlimit=7/mix=rpc/conns=%d/batch=%d/workers=%d/affinity=spray/pin=none/work=%d/roles=%s/payload=%d",
		w.Conns, w.Batch, w.Workers, e.Work, roles, w.Payload)
	if got := v.name(); got != want {
		return wrong("%+v is called %s, want %s", e, got, want)
	}
	for _, bad := range []func(e *Experiment){
		func(e *Experiment) { e.Scheme = "nothere" },
		func(e *Experiment) { e.Lock = "nothere" },
		func(e *Experiment) { e.Scheme = "null" }, // with a lock
		func(e *Experiment) { e.Dispatch = "nothere" },
		func(e *Experiment) { e.Dispatch = "hybrid:nothere=1" },
		func(e *Experiment) { e.Dispatch = "hybrid:policy=nothere" },
		func(e *Experiment) { e.Dispatch = "hybrid:qlimit=0" },
		func(e *Experiment) { e.Roles = "nothere" },
		func(e *Experiment) { e.Pin = "nothere" },
		func(e *Experiment) { e.Work = -1 },
		func(e *Experiment) { e.Work = 1_000_001 },
		func(e *Experiment) { e.Workload.Mix = "nothere" },
		func(e *Experiment) { e.Scheme, e.Lock, e.Workload.Workers = "unsync", "", 2 },
		func(e *Experiment) { e.Scheme, e.Lock, e.Workload.Workers, e.Workload.Walkers = "unsync", "", 1, 1 },
	} {
		f := e
		bad(&f)
		if _, err := f.resolve(); err == nil {
			return wrong("%+v is not refused", f)
		}
	}
	f := e
	f.Scheme, f.Lock, f.Workload.Workers, f.Force = "unsync", "", 2, true
	if _, err := f.resolve(); err != nil {
		return wrong("%+v is refused: %v", f, err)
	}
	return nil
}

// checkThin: every second worker count goes, never the fewest and the most.
func checkThin(es []Experiment, workers []int) error {
	fewer, ok := thin(es, (*Experiment).workers)
	if ok != (len(workers) > 2) {
		return wrong("of worker counts %v some can go: %v", workers, ok)
	}
	for _, e := range es {
		i := slices.Index(workers, e.Workload.Workers)
		gone := i%2 == 1 && i < len(workers)-1
		if slices.Contains(fewer, e) == gone {
			return wrong("of worker counts %v, %d has gone: %v", workers, e.Workload.Workers, !gone)
		}
	}
	return nil
}

// checkHeader: a result inherits the facts of the machine, with the epoch, and not those of the run, which the file has for people; the units' metadata is that
// of Units.
func checkHeader(rng *rand.Rand) error {
	facts := func(n int, prefix string) (kvs []machine.KeyValue) {
		for i := range 1 + rng.IntN(n) {
			kvs = append(kvs, machine.KeyValue{Key: fmt.Sprintf("%s%d", prefix, i), Value: fmt.Sprintf("%x value", rng.Uint64())})
		}
		return kvs
	}
	stable, runs := facts(5, "stable"), facts(5, "run")
	var buf bytes.Buffer
	if err := writeHeader(&buf, stable, runs); err != nil {
		return wrong("header: %v", err)
	}
	text := buf.String()
	stable = append(stable, machine.KeyValue{Key: "epoch", Value: Epoch})
	for _, kv := range append(slices.Clone(stable), runs...) {
		if !strings.Contains(text, kv.Key+": "+kv.Value+"\n") {
			return wrong("the header does not tell %v: %q", kv, text)
		}
	}
	r := benchfmt.NewReader(strings.NewReader(text+"BenchmarkX 1 2 ns/seg\n"), "header")
	var res *benchfmt.Result
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			return wrong("header: %v", rec)
		case *benchfmt.Result:
			res = rec.Clone()
		}
	}
	if res == nil || len(res.Config) != len(stable) {
		return wrong("a result below the header has the configuration %v, want %v", res, stable)
	}
	for _, kv := range stable {
		if got := res.GetConfig(kv.Key); got != kv.Value {
			return wrong("%s is %q for a result, want %q", kv.Key, got, kv.Value)
		}
	}
	units := benchfmt.UnitMetadataMap(r.Units())
	for _, u := range Units {
		_, tidy := benchunit.Tidy(1, u.name)
		if got, want := units.GetBetter(tidy), map[string]int{"lower": -1, "higher": 1}[u.better]; got != want {
			return wrong("%s: better is read back as %d, want %d", u.name, got, want)
		}
	}
	return nil
}

// checkRunner runs a job with a shell in the process's place, which tells what it was given, and looks at what is taken of its output.
func checkRunner(rng *rand.Rand) error {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return nil
	}
	o := Options{Experiments: Matrix{CPUs: 4, Schemes: []string{"global", "smr"}, Mixes: []string{"rpc"}, Works: []int{0}}.Experiments(), Processes: 1 + rng.IntN(2), Rounds: 1 + rng.IntN(3),
		Measure: time.Duration(1+rng.IntN(50)) * time.Millisecond, Seed: rng.Uint64(), Stderr: io.Discard}
	status := [...]int{0, ExitFailedSamples, 1}[rng.IntN(3)]
	o.Command = []string{shell, "-c", fmt.Sprintf("cat; echo; echo BenchmarkX 1 2 ns/seg; printf 'BenchmarkCut 1'; exit %d", status)}
	var out bytes.Buffer
	r := &runner{Options: o, out: &out, progress: newProgress(io.Discard)}
	err = r.run(context.Background())
	processes := o.Processes
	switch {
	case status == 0 && err != nil, status == ExitFailedSamples && (err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("%d of %d processes ", processes, processes))):
		return wrong("%d processes that exit with %d are reported as: %v", processes, status, err)
	case status == 1:
		if processes = 1; err == nil || errors.Is(err, ErrInterrupted) {
			return wrong("a process that exits with 1 is reported as: %v", err)
		}
	}
	text := out.String()
	if strings.Contains(text, "Cut") || strings.Count(text, "BenchmarkX 1 2 ns/seg\n") != processes || !strings.HasPrefix(text, "# ") || !strings.HasSuffix(text, "\n") {
		return wrong("%d processes left %q", processes, text)
	}
	p := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var job Job
		if err := json.Unmarshal([]byte(line), &job); err != nil {
			return wrong("job %q: %v", line, err)
		}
		if job.Seed != o.Seed+uint64(p) || job.Rounds != o.Rounds || job.Timing.Measure != o.Measure || !slices.Equal(job.Experiments, o.Experiments) {
			return wrong("process %d gets the job %+v of %+v", p, job, o)
		}
		p++
	}
	if p != processes {
		return wrong("%d processes started, want %d", p, processes)
	}
	return checkPlan(r, shell)
}

// checkPlan: the measured time fits the budget and keeps to its limits; a budget that is too small costs worker counts.
func checkPlan(r *runner, shell string) error {
	r.Measure, r.Command = 0, []string{shell, "-c", "cat >/dev/null; sleep 0.02; exit 3"}
	all := len(r.Experiments)
	samples := time.Duration(all * r.Rounds * r.Processes)
	for _, budget := range []time.Duration{samples * 100 * time.Millisecond, samples * time.Hour, time.Millisecond} {
		r.Budget, r.failed = budget, 0
		got, err := r.plan(context.Background())
		if err != nil || r.failed != 0 {
			return wrong("plan: %v, %d processes failed", err, r.failed)
		}
		least, most := 20*time.Millisecond, 200*time.Millisecond
		if got < least || got > most || budget > time.Millisecond && got > max(least, budget/samples) || budget == samples*time.Hour && got != most {
			return wrong("a budget of %v for %d samples gives %v", budget, samples, got)
		}
	}
	if len(r.Experiments) >= all {
		return wrong("a budget of a millisecond leaves %d of %d experiments", len(r.Experiments), all)
	}
	return nil
}
