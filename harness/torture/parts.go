package torture

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"pcbbench/harness"
	"pcbbench/locks"
	"pcbbench/locks/locktest"
	"pcbbench/locks/smr"
	"pcbbench/locks/smr/smrtest"
	"pcbbench/locks/witness"
	"pcbbench/workloads/netisr"
	"pcbbench/workloads/netisr/netisrtest"
	"pcbbench/workloads/workloadtest"
)

// Sizes of rounds, of all workers together: some 100 ms on two CPUs.
const (
	sectionsInAll = 3000
	updatesInAll  = 8000
	packetsInAll  = 4000
	writers       = 2
	maxStreams    = 8 // workstreams: more would have nothing to do
)

func (t *torture) lock(sp locks.Spec) Subject {
	return Subject{"lock " + sp.String(), []Check{{"torture", 1, func(r *Round) error {
		witness.Enable(false) // it would see misuse before the lock does
		if sp.Policy() != locks.SpinPark {
			runtime.GOMAXPROCS(min(r.Procs, runtime.NumCPU())) // as in tableLock; run puts it back
		}
		return locktest.Torture(sp, locktest.Config{Workers: r.Workers, Rounds: sectionsInAll / r.Workers, Seed: r.Seed, Beat: r.Beat})
	}}}}
}

func (t *torture) reclamation(k smr.Kind) Subject {
	return Subject{"reclamation " + k.Name, []Check{{"torture", 1, func(r *Round) error {
		rep, err := smrtest.Torture(k, smrtest.Config{Readers: max(1, r.Workers-writers), Writers: writers, Updates: updatesInAll / writers, Seed: r.Seed, Beat: r.Beat})
		sum := t.report.notes.reclaim[k.Name]
		sum.Add(rep)
		t.report.notes.reclaim[k.Name] = sum
		return err
	}}}}
}

func dispatch(m netisr.Model) Subject {
	specs := dispatchSpecs(m)
	return Subject{"dispatch " + m.Name, []Check{{"torture", 1, func(r *Round) error {
		return netisrtest.Torture(specs[r.Rand.IntN(len(specs))], netisrtest.Config{
			Contexts: r.Workers, CPUs: 1 + r.Rand.IntN(min(r.Workers, maxStreams)), Segments: packetsInAll / r.Workers, Flows: 1 + r.Rand.IntN(8),
			QLimit: [...]int{1, 2, 16, 0}[r.Rand.IntN(4)], Poll: r.Rand.IntN(2) == 0, Clock: r.Rand.IntN(2) == 0, Seed: r.Seed, Beat: r.Beat})
	}}}}
}

// dispatchOptions make a model that knows them work differently.
var dispatchOptions = []string{"policy=source", "policy=flow", "policy=cpu", "calls=async", "threads=3", "drain=1", "window=32"}

// dispatchSpecs are m without options and with each of them.
func dispatchSpecs(m netisr.Model) (specs []netisr.Spec) {
	texts := []string{m.Name}
	for _, o := range dispatchOptions {
		if key, _, _ := strings.Cut(o, "="); slices.Contains(m.Options, key) {
			texts = append(texts, m.Name+":"+o)
		}
	}
	for _, text := range texts {
		sp, err := netisr.ParseSpec(text)
		if err != nil {
			panic(fmt.Sprintf("torture: %v", err))
		}
		specs = append(specs, sp)
	}
	return specs
}

func workload() Subject {
	return Subject{"workload", []Check{
		{"promises", 2, func(r *Round) error { return workloadtest.Torture(r.Seed, r.Beat) }},
		{"live", 1, func(r *Round) error { return workloadtest.Live(r.Seed, r.Beat) }},
	}}
}

func measuring() Subject {
	return Subject{"harness", []Check{{"figures", 3, func(r *Round) error { return harness.SelfCheck(r.Seed, r.Beat) }}}}
}
