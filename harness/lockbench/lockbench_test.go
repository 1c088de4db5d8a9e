package lockbench

import (
	"math/rand/v2"
	"testing"

	"pcbbench/harness/machine"
	"pcbbench/locks"
)

// newBench has places for that many workers, whatever the machine.
func newBench(t *testing.T, workers int) *Bench {
	t.Helper()
	topo, _ := machine.HostTopology()
	cpus := topo.Order(workers)
	if cpus == nil {
		cpus = make([]int, workers)
	}
	return &Bench{Clock: machine.NewClock(), CPUs: cpus, PerNS: locks.CalibrateDelay()}
}

func TestSelfCheck(t *testing.T) {
	b := newBench(t, 4)
	seed := rand.Uint64()
	for i := range uint64(10) {
		if err := b.SelfCheck(rand.New(rand.NewPCG(seed, i))); err != nil {
			t.Fatalf("seed %d, %d: %v", seed, i, err)
		}
	}
}
