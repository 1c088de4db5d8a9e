package netisr

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// fly has a pilot of three arms go through windows whose costs are drawn, and returns how many it spent under each arm.
func fly(p *pilot, windows int, cost func(arm int) float64) (spent [3]int) {
	for range windows {
		spent[p.arm]++
		const packets = 1000
		p.window(int64(cost(p.arm)*packets), packets, true)
	}
	return spent
}

// TestPilot: whatever the noise, nearly all time is spent under the cheapest arm, be it from the start or after the costs have changed; and of
// two that cost the same, under the first. What it does in most tries is what counts.
func TestPilot(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	even := func() float64 { return 1 + .1*rng.Float64() }
	humps := func() float64 { return []float64{.5, 1}[min(1, rng.IntN(4))] * (1 + .1*rng.Float64()) }
	spikes := func() float64 { return 1 + 20*max(0, rng.Float64()-.9) }
	for _, c := range []struct {
		costs [3]float64
		best  int
	}{
		{[3]float64{100, 110, 220}, 0},
		{[3]float64{200, 300, 100}, 2},
		{[3]float64{130, 100, 170}, 1},
		{[3]float64{100, 100, 100}, 0},
	} {
		for name, noise := range map[string]func() float64{"even": even, "humps": humps, "spikes": spikes} {
			t.Run(fmt.Sprintf("%v/%s", c.costs, name), func(t *testing.T) {
				const tries = 20
				good := 0
				for range tries {
					p := newPilot(armsOf(2))
					fly(&p, 200, func(arm int) float64 { return noise() * 100 * float64(3-arm) })
					fly(&p, 4*maxRest, func(arm int) float64 { return noise() * c.costs[arm] })
					if spent := fly(&p, 2000, func(arm int) float64 { return noise() * c.costs[arm] }); spent[c.best] > 2000*8/10 {
						good++
					}
				}
				if good < tries*8/10 {
					t.Errorf("seed %d: in %d of %d tries most of the time was spent under arm %d", seed, good, tries, c.best)
				}
			})
		}
	}
}

// TestPilotSpares: trials of arms that are far worse take up less than a twentieth of the time of a few hundred windows, and less than a
// hundredth of a long time.
func TestPilotSpares(t *testing.T) {
	p := newPilot(armsOf(2))
	costs := [3]float64{100, 120, 250}
	lost := func(windows int) (share float64) {
		spent := fly(&p, windows, func(arm int) float64 { return costs[arm] })
		for arm, n := range spent {
			share += float64(n) * (costs[arm] - costs[0]) / costs[0] / float64(windows)
		}
		return share
	}
	lost(20)
	if share := lost(300); share > .05 {
		t.Errorf("of 300 windows %.3f were lost", share)
	}
	if share := lost(3000); share > .01 {
		t.Errorf("of 3000 windows %.3f were lost", share)
	}
}

// TestPilotSpreadsWhatIsUneven: spreading is tried only where some CPU gets more than its share.
func TestPilotSpreadsWhatIsUneven(t *testing.T) {
	p := newPilot(armsOf(2))
	spread := 0
	for i := range 2000 {
		uneven := i >= 1000
		if p.window(100, 1, uneven); p.arms[p.arm].group == 0 {
			if spread++; !uneven {
				t.Fatalf("window %d: spread", i)
			}
		}
	}
	if spread == 0 {
		t.Error("never spread")
	}
}

// TestPilotWithoutPackets: a window in which nothing was handled is no evidence.
func TestPilotWithoutPackets(t *testing.T) {
	p := newPilot(armsOf(2))
	for i := range 1000 {
		if arm := p.window(int64(i), 0, true); arm != 0 {
			t.Fatalf("window %d: arm %d", i, arm)
		}
	}
}
