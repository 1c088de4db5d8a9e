package harness

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"pcbbench/harness/machine"
)

// checkNoise: accounts do not run backwards, and Disturbed keeps to its limits.
func (b *bench) checkNoise(rng *rand.Rand) error {
	start := time.Now() // before all that is accounted
	before := b.noise.Snapshot()
	for time.Since(start) < time.Millisecond {
	}
	d := b.noise.Snapshot().Sub(before)
	for _, c := range []machine.Count{d.RunDelay, d.CPU, d.Steal, d.Foreign, d.VoluntarySwitches, d.InvoluntarySwitches} {
		if c.N < 0 || !c.Known && c.N != 0 {
			return wrong("noise over a millisecond: %+v", d)
		}
	}
	if took := time.Since(start); d.CPU.N > int64(took+20*time.Millisecond)*int64(2*runtime.NumCPU()) {
		return wrong("this process used %d ns of CPU time in %v", d.CPU.N, took)
	}
	for range 50 {
		if err := checkDisturbed(rng); err != nil {
			return err
		}
	}
	return b.checkTopology(rng)
}

// checkDisturbed draws a Delta around the documented limits: 15 % run-queue delay of the threads' time on top of what too many threads must wait,
// 2 % steal of their places' time, and 6 % foreign time of the CPUs' on top of 20 ms a CPU.
func checkDisturbed(rng *rand.Rand) error {
	cpus, threads, places := 1+rng.IntN(8), 1+rng.IntN(40), 1+rng.IntN(16)
	wall := time.Duration(1+rng.IntN(200)) * time.Millisecond
	near := func(limit float64) (machine.Count, bool) {
		over := rng.IntN(4) == 0
		share := 0.999
		if over {
			share = 1.001
		}
		c := machine.Count{N: int64(limit * share), Known: rng.IntN(4) > 0}
		return c, over && c.Known
	}
	running := float64(min(cpus, threads, places))
	d := machine.Delta{CPUs: cpus}
	var over [3]bool
	d.RunDelay, over[0] = near(float64(wall) * (float64(threads)*1.15 - running))
	d.Steal, over[1] = near(0.02 * float64(wall) * running)
	d.Foreign, over[2] = near(0.06*float64(wall)*float64(cpus) + float64(cpus)*20e6)
	bad, why := d.Disturbed(wall, threads, places)
	if want := over[0] || over[1] || over[2]; bad != want || bad != (why != "") {
		return wrong("%d threads on %d places over %v: %+v is disturbed: %v (%s), want %v", threads, places, wall, d, bad, why, want)
	}
	return nil
}

// checkTopology: the CPUs that may be used are online, and workers are placed on all of them before any has two.
func (b *bench) checkTopology(rng *rand.Rand) error {
	t, _ := machine.HostTopology()
	if runtime.GOOS == "linux" && len(t.Allowed) == 0 {
		return wrong("no CPU is allowed")
	}
	for i, id := range t.Allowed {
		if i > 0 && id <= t.Allowed[i-1] || t.Online != nil && !slices.Contains(t.Online, id) {
			return wrong("allowed are the CPUs %v of %v", t.Allowed, t.Online)
		}
	}
	n := 1 + rng.IntN(3*max(1, len(t.Allowed)))
	order := t.Order(n)
	if len(t.Allowed) > 0 && len(order) != n {
		return wrong("%d workers are placed on %v", n, order)
	}
	uses := map[int]int{}
	for _, id := range order {
		if !slices.Contains(t.Allowed, id) {
			return wrong("a worker is placed on CPU %d, allowed are %v", id, t.Allowed)
		}
		uses[id]++
	}
	for _, id := range order {
		if least, most := n/len(t.Allowed), (n+len(t.Allowed)-1)/len(t.Allowed); uses[id] < least || uses[id] > most {
			return wrong("%d workers are placed on %v", n, order)
		}
	}
	list := randomCPUs(rng)
	got, err := machine.ParseCPUList(machine.FormatCPUList(list))
	if err != nil || !slices.Equal(got, list) {
		return wrong("CPUs %v are read back as %v, %v", list, got, err)
	}
	return nil
}

func randomCPUs(rng *rand.Rand) (list []int) {
	for id := range 130 {
		if rng.IntN(3) > 0 {
			list = append(list, id)
		}
	}
	return list
}
