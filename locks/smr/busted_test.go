package smr

import (
	"testing"
	"time"
)

// Domains with one fault each, which torture must find; else its silence on the others means nothing.

// neverWaits takes every goal for passed.
type neverWaits struct{ Domain }

func (neverWaits) Poll(Seq) bool { return true }

// neverAnnounces lets readers in unseen.
type neverAnnounces struct{ Domain }

func (neverAnnounces) Enter(int) {}
func (neverAnnounces) Exit(int)  {}

// skipsFirst keeps CPU 0's sections where no poll looks.
type skipsFirst struct {
	Domain
	unseen Domain
}

func (d skipsFirst) of(cpu int) Domain {
	if cpu == 0 {
		return d.unseen
	}
	return d.Domain
}

func (d skipsFirst) Enter(cpu int) { d.of(cpu).Enter(cpu) }
func (d skipsFirst) Exit(cpu int)  { d.of(cpu).Exit(cpu) }

// lagsBehind takes a goal for passed when the one before it is.
type lagsBehind struct{ Domain }

func (d lagsBehind) Poll(goal Seq) bool { return d.Domain.Poll(goal - 1) }

func TestTortureFindsBustedDomains(t *testing.T) {
	const readers = 4
	for name, busted := range map[string]func() Domain{
		"never waits":     func() Domain { return neverWaits{newGUS(readers)} },
		"never announces": func() Domain { return neverAnnounces{newGUS(readers)} },
		"skips first":     func() Domain { return skipsFirst{newGUS(readers), newGUS(readers)} },
		"lags behind":     func() Domain { return lagsBehind{newGUS(readers)} },
	} {
		t.Run(name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			for range 100 {
				if torture(busted(), readers, 20_000, seed, false) != nil {
					return
				}
				seed++
			}
			t.Errorf("not found in 100 runs, the last with seed %d", seed-1)
		})
	}
}
