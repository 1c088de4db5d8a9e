package schedule

import (
	"math/rand/v2"
	"slices"

	"pcbbench/locks/probe"
)

// A chooser says who goes on, in one run.
type chooser func(*probe.Choice) int

// A Strategy is a way to choose.
type Strategy struct {
	Name string
	Doc  string
	// seeded makes the chooser for a seed; points is how long the undisturbed run is. It is nil for the exhaustive search, which has no seed.
	seeded func(seed uint64, workers, points int) chooser
}

// Strategies are all of them, in the order in which a subject is explored.
var Strategies = []Strategy{
	{"exhaustive", "every schedule of at most 2 preemptions", nil},
	{"pct", "priorities, lowered at 2 random points", pct},
	{"random", "a random walk", random},
}

// follow makes the switches of s.
func (s Schedule) follow(c *probe.Choice) int {
	i, found := slices.BinarySearchFunc(s, c.Step, func(sw Switch, step int) int { return sw.Step - step })
	if found && slices.Contains(c.Ready, s[i].Worker) {
		return s[i].Worker
	}
	return c.Next()
}

// random goes over to any ready worker with a probability of 1, 1/2, 1/4, … 1/16 a point, by seed: some faults need many switches, others
// that a worker is left alone for long.
func random(seed uint64, _, _ int) chooser {
	rng := rand.New(rand.NewPCG(seed, 0))
	stay := 1 << rng.IntN(5)
	return func(c *probe.Choice) int {
		if c.Stays && rng.IntN(stay) != 0 {
			return c.Current
		}
		return c.Ready[rng.IntN(len(c.Ready))]
	}
}

// depth is the d of pct: it takes d ordering constraints between points to meet the faults that it is sure to find.
const depth = 3

// pct always lets the ready worker of the highest priority go on. At depth-1 points drawn beforehand the running worker's priority falls below
// all others'. It falls as well when the worker pauses, since who polls could keep all others from ever changing what it polls for.
func pct(seed uint64, workers, points int) chooser {
	rng := rand.New(rand.NewPCG(seed, 1))
	priority := rng.Perm(workers)
	var changes [depth - 1]int
	for i := range changes {
		changes[i] = 1 + rng.IntN(max(points, 1))
	}
	lowest := 0
	return func(c *probe.Choice) int {
		if c.Current >= 0 && (c.Op == probe.OpPause || slices.Contains(changes[:], c.Step)) {
			lowest--
			priority[c.Current] = lowest
		}
		return slices.MaxFunc(c.Ready, func(a, b int) int { return priority[a] - priority[b] })
	}
}
