package torture

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"pcbbench/locks"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
	"pcbbench/pcbinfo/pcbtest"
	"pcbbench/workloads/netisr"
	"pcbbench/workloads/netisr/netisrtest"
)

// subjects is everything that exists, from the code's own lists.
func (t *torture) subjects() (all []Subject) {
	for _, sp := range locks.Specs() {
		all = append(all, t.lock(sp))
	}
	for _, k := range smr.Kinds {
		all = append(all, t.reclamation(k))
	}
	for _, sp := range tables() {
		all = append(all, t.scheme(sp))
	}
	for _, m := range netisr.Models {
		all = append(all, dispatch(m))
	}
	return append(all, workload(), measuring())
}

// choose are the subjects whose name, or name/check, begins with one of only.
func choose(all []Subject, only []string) (chosen []Subject, err error) {
	if len(only) == 0 {
		return all, nil
	}
	used := make([]bool, len(only))
	for _, s := range all {
		var checks []Check
		for _, c := range s.Checks {
			i := slices.IndexFunc(only, func(o string) bool { return strings.HasPrefix(key(s.Name, c.Name), o) })
			if i >= 0 {
				used[i] = true
				checks = append(checks, c)
			}
		}
		if checks != nil {
			chosen = append(chosen, Subject{s.Name, checks})
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return nil, fmt.Errorf("no subject %q; known: %s", only[i], strings.Join(names, ", "))
	}
	return chosen, nil
}

// tables are the schemes that keep connections, each with its variants.
func tables() (specs []pcbinfo.Spec) {
	for _, text := range pcbinfo.Tables() {
		sp, err := pcbinfo.ParseSpec(text)
		if err != nil {
			panic(fmt.Sprintf("torture: %v", err))
		}
		specs = append(specs, sp)
	}
	return specs
}

// stepsInAll is how many steps the workers of a round make together.
const stepsInAll = 800

func (t *torture) scheme(sp pcbinfo.Spec) Subject {
	config := func(sp pcbinfo.Spec, r *Round, steps int) pcbtest.Config {
		workers := r.Workers
		if sp.Workers != 0 {
			workers = min(workers, sp.Workers)
		}
		buckets := [...]int{0, 0, 1, 4}[r.Rand.IntN(4)]
		magazine := [...]int{0, 1, 2, 8}[r.Rand.IntN(4)] // small ones bring memory back while somebody may still look at it
		return pcbtest.Config{Table: pcbinfo.Config{CPUs: workers, Buckets: buckets, Groups: 8, Lock: tableLock(sp, r, workers), Magazine: magazine}, Steps: steps, Seed: r.Seed, Beat: r.Beat}
	}
	shared := func(f func(pcbinfo.Spec, pcbtest.Config) error, steps int) func(*Round) error {
		return func(r *Round) error {
			sp := sp
			if sp.Owned {
				sp = behind(sp, r)
			}
			return f(sp, config(sp, r, max(20, steps/r.Workers)))
		}
	}
	s := Subject{"scheme " + sp.String(), []Check{
		{"conform", 2, func(r *Round) error {
			c := config(sp, r, 2*stepsInAll)
			c.Table.Halfs = r.Rand.IntN(2) // a usual syncache, or all in one bucket
			return pcbtest.Conform(sp, c)
		}},
	}}
	if sp.Workers == 1 && !sp.Owned {
		return s
	}
	s.Checks = append(s.Checks,
		Check{"fight", 1, shared(pcbtest.Fight, 10*stepsInAll)},
		Check{"torture", 1, shared(pcbtest.Torture, stepsInAll)},
		Check{"flood", 2, shared(func(sp pcbinfo.Spec, c pcbtest.Config) error {
			c.Flood = true
			return pcbtest.Torture(sp, c)
		}, stepsInAll)},
		Check{"parallel", 2, shared(pcbtest.ConformParallel, stepsInAll)},
		Check{"linear", 1, shared(func(sp pcbinfo.Spec, c pcbtest.Config) error {
			c.Linearity = t.report.linearity(s.Name)
			return pcbtest.Linear(sp, c)
		}, 2*stepsInAll)},
	)
	return s
}

// behind has owners use sp's tables, by one of the dispatch models that do so. Threads that poll are no more than the system runs at once, as in tableLock:
// each hand-off would wait for a time slice, and a round for a minute.
func behind(sp pcbinfo.Spec, r *Round) pcbinfo.Spec {
	texts := [...]string{"connp-t", fmt.Sprintf("connp-t:threads=%d", 1+r.Rand.IntN(maxStreams)), "squeue", "squeue:drain=1"}
	model, err := netisr.ParseSpec(texts[r.Rand.IntN(len(texts))])
	if err != nil {
		panic(fmt.Sprintf("torture: %v", err))
	}
	return netisrtest.Behind(sp, model, r.Rand.IntN(4) == 0 && r.Procs <= runtime.NumCPU())
}

// tableLock draws one of the locks that the scheme can have, or its own. With more threads than CPUs it is one that parks: others would
// wait for the system's time slices.
func tableLock(sp pcbinfo.Spec, r *Round, workers int) locks.Spec {
	if sp.Lock == "" || r.Rand.IntN(4) != 0 {
		return locks.Spec{}
	}
	specs := slices.DeleteFunc(locks.Specs(), func(l locks.Spec) bool {
		return l.Policy() != locks.SpinPark && r.Procs > runtime.NumCPU() || l.Policy() == locks.Spin && workers+1 > r.Procs || l.Kind().Workers != 0
	})
	return specs[r.Rand.IntN(len(specs))]
}
