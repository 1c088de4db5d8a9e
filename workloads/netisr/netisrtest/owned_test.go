package netisrtest

import (
	"fmt"
	"testing"
	"time"

	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
	"pcbbench/pcbinfo/pcbtest"
	"pcbbench/workloads/netisr"
)

// TestOwned holds the scheme owned to everything that a scheme for any number of workers is held to, behind the models that keep it to its owners.
func TestOwned(t *testing.T) {
	sp, err := pcbinfo.ParseSpec("owned")
	if err != nil {
		t.Fatal(err)
	}
	steps := 600
	if testing.Short() || probe.Enabled {
		steps = 200
	}
	for _, text := range []string{"connp-t", "connp-t:threads=2", "connp-t:threads=7", "squeue", "squeue:drain=1"} {
		model, err := netisr.ParseSpec(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, poll := range []bool{false, true} {
			owned := Behind(sp, model, poll)
			for name, check := range map[string]func(pcbinfo.Spec, pcbtest.Config) error{"conform": pcbtest.Conform, "parallel": pcbtest.ConformParallel,
				"torture": pcbtest.Torture, "fight": pcbtest.Fight, "linear": pcbtest.Linear} {
				t.Run(fmt.Sprintf("%s/poll=%v/%s", text, poll, name), func(t *testing.T) {
					c := pcbtest.Config{Table: pcbinfo.Config{CPUs: 4, Groups: 1}, Steps: steps, Seed: uint64(time.Now().UnixNano())}
					if err := check(owned, c); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}
