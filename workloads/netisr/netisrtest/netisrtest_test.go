package netisrtest

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"pcbbench/workloads/netisr"
)

func TestTorture(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for _, m := range netisr.Models[:1] {
		for _, workers := range []int{1, 2, 4 * runtime.GOMAXPROCS(0)} {
			t.Run(fmt.Sprintf("dispatch=%s/workers=%d", m.Name, workers), func(t *testing.T) {
				beats := make([]int, workers)
				c := Config{Workers: workers, Segments: 2000, Flows: 5, Seed: seed, Beat: func(worker int) { beats[worker]++ }}
				if err := Torture(m, c); err != nil {
					t.Error(err)
				}
				if slices.Contains(beats, 0) {
					t.Errorf("beats %v", beats)
				}
			})
		}
	}
}
