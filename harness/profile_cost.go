package harness

import (
	"fmt"
	"math"

	"pcbbench/locks"
	"pcbbench/locks/witness"
)

// A ProfileCost is what recording costs, in nanoseconds.
type ProfileCost struct {
	Lock float64 // an acquisition and its release, if nobody waits
	Held float64 // of it, while the lock is held, and so what others wait longer
}

func (c ProfileCost) String() string {
	return fmt.Sprintf("An instrumented build: an acquisition and its release cost about %.0f ns more than in a normal one, %.0f ns of that while the lock is held.\n"+
		"Which acquisitions had to wait is exact for this build; times and shares are not those of a normal one, least where holds are short.\n", c.Lock, c.Held)
}

// profileCost measures what the calls cost that a lock makes in such a build, and only they: the best of several runs, since others may have the CPU.
func (b *bench) profileCost() (c ProfileCost) {
	const runs, times = 20, 2000
	defer witness.Reset()
	witness.Reset()
	witness.StartProfile(b.clock.Now)
	l := new(locks.Mtx)
	witness.Name(l, "cost")
	best := func(f func()) float64 {
		least := math.Inf(1)
		for range runs {
			start := b.clock.Now()
			for range times {
				f()
			}
			least = min(least, b.clock.NS(b.clock.Now()-start)/times)
		}
		return least
	}
	c.Lock = best(func() {
		witness.Want(l, witness.Exclusive)
		witness.Got(l, witness.Exclusive)
		witness.Drop(l, witness.Exclusive)
	})
	c.Held = c.Lock - best(func() { witness.Want(l, witness.Exclusive) })
	return c
}
