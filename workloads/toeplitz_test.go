package workloads_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"pcbbench/workloads/workloadtest"
)

// TestToeplitz checks the published vectors and the definition.
func TestToeplitz(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if err := workloadtest.Toeplitz(rand.New(rand.NewPCG(seed, 0))); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
}
