package torture

import (
	"runtime"

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
	segmentsInAll = 50_000
	writers       = 2
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
	return Subject{"dispatch " + m.Name, []Check{{"torture", 1, func(r *Round) error {
		return netisrtest.Torture(m, netisrtest.Config{Workers: r.Workers, Segments: segmentsInAll / r.Workers, Flows: 1 + r.Rand.IntN(8), Seed: r.Seed, Beat: r.Beat})
	}}}}
}

func workload() Subject {
	return Subject{"workload", []Check{{"promises", 2, func(r *Round) error { return workloadtest.Torture(r.Seed, r.Beat) }}}}
}

func measuring() Subject {
	return Subject{"harness", []Check{{"figures", 3, func(r *Round) error { return harness.SelfCheck(r.Seed, r.Beat) }}}}
}
