package workloadtest

import (
	"testing"
	"time"

	"pcbbench/workloads"
)

// TestTorture runs some rounds.
func TestTorture(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for seed := range uint64(rounds) {
		if err := Torture(seed, nil); err != nil {
			t.Error(err)
		}
	}
}

// TestLive runs a few tables' rounds in every role.
func TestLive(t *testing.T) {
	first := uint64(time.Now().UnixNano())
	for seed := first; seed < first+16; seed++ {
		if err := Live(seed, func(int) {}); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryMix inspects each mix as it is by default, but for the size of the largest.
func TestEveryMix(t *testing.T) {
	for _, m := range workloads.Mixes {
		if m.Traced {
			continue
		}
		for _, aff := range []workloads.Affinity{workloads.RSS, workloads.Spray} {
			if aff == workloads.Spray && !sprayable(m.Name) {
				continue
			}
			p := workloads.Params{Mix: m.Name, Conns: min(m.Conns, 5000), Workers: 2, Affinity: aff, Seed: 1}
			if err := inspect(p, newRNG(1), func(int) {}); err != nil {
				t.Errorf("%s %s: %v", m.Name, aff, err)
			}
		}
	}
}
