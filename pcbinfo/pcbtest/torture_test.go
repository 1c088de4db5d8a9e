package pcbtest

import (
	"testing"
	"time"

	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
)

func TestTorture(t *testing.T) {
	steps := 2000
	if probe.Enabled { // slower, and worth more a step
		steps = 750
	}
	for _, sp := range variants(t) {
		t.Run(sp.String(), func(t *testing.T) {
			if sp.Workers == 1 {
				t.Skip("for one worker")
			}
			for _, flood := range []bool{false, true} {
				for _, buckets := range []int{0, 1} {
					seed := time.Now().UnixNano()
					probe.Seed(seed)
					c := Config{Table: pcbinfo.Config{CPUs: 4, Buckets: buckets}, Steps: steps, Seed: uint64(seed), Flood: flood}
					if err := Torture(sp, c); err != nil {
						t.Errorf("%d buckets, flood %v: %v", buckets, flood, err)
					}
				}
			}
		})
	}
}
