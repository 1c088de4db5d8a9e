package harness

import (
	"slices"

	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// A Matrix is a set of experiments: the product of its lists. An empty list stands for the default named beside it.
type Matrix struct {
	Schemes    []string             // the main ones; "all": every one. Who is not correct for a worker count, or has no table lock to vary, sits out
	Locks      []string             // "default": each scheme's own
	Dispatches []string             // the first; "all": each of them
	Roles      []string             // the first
	Mixes      []string             // the main ones; "all": each that needs no capture
	Works      []int                // DefaultWork and 0: as in a stack, and the locks alone
	Workers    []int                // 1, 2, 4 … up to CPUs, and CPUs itself
	Conns      []int                // each mix's own
	Batches    []int                // 32
	Affinities []workloads.Affinity // RSS
	Pins       []string             // PinCPU
	Arrivals   []string             // "": a closed loop
	Rates      []float64            // of open loops, beside Loads; none
	Loads      []float64            // none
	CPUs       int                  // CPUs that may be used
	Params     workloads.Params     // what is the same for all
	Force      bool                 // as in Experiment
}

// Quick narrows a matrix to a first look: churn with DefaultWork, the fewest and the most workers.
func (m *Matrix) Quick() {
	orElse(&m.Mixes, "churn")
	orElse(&m.Works, DefaultWork)
	orElse(&m.Workers, 1, m.CPUs)
	m.Workers = slices.Compact(m.Workers)
}

// Compare narrows a matrix to what two revisions are compared by: the four ways to lock, where locks matter, all CPUs at work.
func (m *Matrix) Compare() {
	orElse(&m.Schemes, "global", "refcount", "connp", "smr")
	orElse(&m.Mixes, "churn", "rpc")
	orElse(&m.Works, DefaultWork)
	orElse(&m.Workers, m.CPUs)
}

func orElse[T any](list *[]T, values ...T) {
	if len(*list) == 0 {
		*list = values
	}
}

// Experiments lists the matrix. What a scheme named in Schemes cannot do is left in, to be refused by name. A mix whose packets are not for the
// table runs once for all schemes, on the one without a table.
func (m Matrix) Experiments() (es []Experiment) {
	named := len(m.Schemes) > 0 && !isAll(m.Schemes)
	m.defaults()
	for _, e := range m.product() {
		if mix, err := workloads.FindMix(e.Workload.Mix); err == nil && mix.NoTable {
			if e.Scheme == m.Schemes[0] && e.Lock == m.Locks[0] {
				e.Scheme, e.Lock = pcbinfo.Schemes[0].Name, "default"
				es = append(es, e)
			}
			continue
		}
		i := slices.IndexFunc(pcbinfo.Schemes, func(s pcbinfo.Scheme) bool { return s.Name == e.Scheme })
		if named || fits(pcbinfo.Schemes[i], e) {
			es = append(es, e)
		}
	}
	return distinct(es)
}

// distinct leaves out what the lists name twice.
func distinct(es []Experiment) (once []Experiment) {
	seen := map[Experiment]bool{}
	for _, e := range es {
		if !seen[e] {
			once = append(once, e)
		}
		seen[e] = true
	}
	return once
}

func fits(s pcbinfo.Scheme, e Experiment) bool {
	e = e.withDefaults()
	y, err := e.way()
	if err != nil {
		return true // to be refused by name
	}
	users := usersOf(y, e.Workload.Workers)
	if p, err := e.Workload.Check(); err == nil {
		users += p.Walkers // those of the mix too
	}
	right := s.Workers == 0 || users <= s.Workers
	if s.Owned {
		right = y.Model.Owns
	}
	return (e.Force || right) && (s.Lock != "" || e.Lock == "default")
}

func (m *Matrix) defaults() {
	if all := isAll(m.Schemes); all || len(m.Schemes) == 0 {
		m.Schemes = nil
		for _, s := range pcbinfo.Schemes {
			if s.Main || all {
				m.Schemes = append(m.Schemes, s.Name)
			}
		}
	}
	orElse(&m.Locks, "default")
	orElse(&m.Dispatches, "")
	orElse(&m.Roles, "")
	if all := isAll(m.Mixes); all || len(m.Mixes) == 0 {
		m.Mixes = nil
		for _, mix := range workloads.Mixes {
			if mix.Main || all && !mix.Traced {
				m.Mixes = append(m.Mixes, mix.Name)
			}
		}
	}
	if isAll(m.Dispatches) {
		m.Dispatches = nil
		for _, model := range netisr.Models {
			m.Dispatches = append(m.Dispatches, model.Name)
		}
	}
	orElse(&m.Works, DefaultWork, 0)
	orElse(&m.Workers, WorkerCounts(m.CPUs)...)
	orElse(&m.Conns, 0)
	orElse(&m.Batches, 0)
	orElse(&m.Affinities, workloads.RSS)
	orElse(&m.Pins, PinCPU)
	orElse(&m.Arrivals, "")
}

func isAll(list []string) bool { return len(list) == 1 && list[0] == "all" }

// product multiplies the lists out, one factor at a time.
func (m *Matrix) product() []Experiment {
	es := []Experiment{{Force: m.Force, Workload: m.Params}}
	es = times(es, m.Mixes, func(e *Experiment, v string) { e.Workload.Mix = v })
	es = times(es, m.Workers, func(e *Experiment, v int) { e.Workload.Workers = v })
	es = times(es, m.Works, func(e *Experiment, v int) { e.Work = v })
	es = times(es, m.Conns, func(e *Experiment, v int) { e.Workload.Conns = v })
	es = times(es, m.Batches, func(e *Experiment, v int) { e.Workload.Batch = v })
	es = times(es, m.Affinities, func(e *Experiment, v workloads.Affinity) { e.Workload.Affinity = v })
	es = times(es, m.Pins, func(e *Experiment, v string) { e.Pin = v })
	es = times(es, m.Dispatches, func(e *Experiment, v string) { e.Dispatch = v })
	es = times(es, m.Roles, func(e *Experiment, v string) { e.Roles = v })
	es = times(es, m.Locks, func(e *Experiment, v string) { e.Lock = v })
	if len(m.Rates)+len(m.Loads) > 0 {
		es = append(times(es, m.Rates, func(e *Experiment, v float64) { e.Rate = v }), times(es, m.Loads, func(e *Experiment, v float64) { e.Load = v })...)
	}
	es = times(es, m.Arrivals, func(e *Experiment, v string) { e.Arrivals = v })
	return times(es, m.Schemes, func(e *Experiment, v string) { e.Scheme = v })
}

func times[T any](es []Experiment, values []T, set func(*Experiment, T)) (out []Experiment) {
	for _, e := range es {
		for _, v := range values {
			set(&e, v)
			out = append(out, e)
		}
	}
	return out
}

// WorkerCounts are 1, 2, 4 … up to cpus, and cpus itself.
func WorkerCounts(cpus int) (ns []int) {
	for n := 1; n < cpus; n *= 2 {
		ns = append(ns, n)
	}
	return append(ns, cpus)
}

// thin leaves out every second value of key between the fewest and the most; ok is false if none lies between.
func thin[T any](es []T, key func(*T) float64) (fewer []T, ok bool) {
	var values []float64
	for i := range es {
		values = append(values, key(&es[i]))
	}
	slices.Sort(values)
	values = slices.Compact(values)
	var out []float64
	for i := 1; i < len(values)-1; i += 2 {
		out = append(out, values[i])
	}
	for i := range es {
		if !slices.Contains(out, key(&es[i])) {
			fewer = append(fewer, es[i])
		}
	}
	return fewer, len(out) > 0
}

func (e *Experiment) workers() float64 { return float64(e.Workload.Workers) }
func (e *Experiment) load() float64    { return e.Load }
