package lockbench

import "math/rand/v2"

// draws is how many sections a worker's plan has, after which it begins again. The plan is drawn before anything is timed, and small enough to stay in the
// nearest cache.
const draws = 1024

// A draw is one section of the plan.
type draw struct {
	think uint32 // units of locks.Delay before it
	room  uint16 // which lock
	read  bool
}

// plan draws a worker's sections: thinking times evenly spread from 0 to twice the average, so that workers do not fall into step; each lock as often as any
// other, but for one time where so many do not divide the plan; and exactly as many that read as asked for. Only the order is random, so that no worker has
// more to do than another by chance.
func (c Case) plan(rng *rand.Rand, perNS float64) []draw {
	plan := make([]draw, draws)
	most := 2 * float64(c.Think) * perNS
	times, rooms, kinds := rng.Perm(draws), rng.Perm(draws), rng.Perm(draws)
	for i := range plan {
		plan[i] = draw{
			think: uint32(most*(float64(times[i])+0.5)/draws + 0.5),
			room:  uint16(rooms[i] % c.Locks),
			read:  kinds[i]*100 < c.Reads*draws,
		}
	}
	return plan
}

// critical is how many units of locks.Delay a section of worker i takes.
func (c Case) critical(i int, perNS float64) uint32 {
	factor := 1.0
	if c.Workers > 1 {
		factor += (c.Uneven - 1) * float64(i) / float64(c.Workers-1)
	}
	return uint32(float64(c.Critical)*factor*perNS + 0.5)
}

// glances is how many sections pass between two looks at the clock where sections are not stamped: some 10 µs, and at most 256. A power of two.
func (c Case) glances() uint64 {
	const least = 25 // ns that a section takes whatever it does
	n, ns := uint64(1), float64(c.Critical)*c.Uneven+float64(c.Think)+least
	for n < 256 && float64(2*n)*ns <= 10_000 {
		n *= 2
	}
	return n
}
