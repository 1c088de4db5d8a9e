package lockbench

import (
	"math/bits"

	"pcbbench/locks"
)

// A capture is how one worker fared among the others, by the definitions of the Go runtime's BenchmarkMutexCapture: a streak is how many sections in a row it
// had, starvation how many of others lay between two of its own. Both are sums by powers of two, so that noting one costs little.
type capture struct {
	prev    []uint64 // by lock: the number of the worker's last section
	streak  []uint64 // by lock: how many the worker has had in a row
	streaks tallies
	starves tallies
}

// tallies count values by how many leading zero bits they have.
type tallies struct {
	lengths [65]uint64
	most    uint64 // the largest, not rounded
}

func newCapture(locks int) capture {
	return capture{prev: newCounters(locks), streak: newCounters(locks)}
}

// newCounters are n of a worker's own, on lines that no other worker's are on: small slices would share them.
func newCounters(n int) []uint64 {
	const pad = locks.LinePad / 8
	return make([]uint64, n+2*pad)[pad:][:n]
}

func (t *tallies) note(v uint64) {
	t.lengths[bits.LeadingZeros64(v)]++
	t.most = max(t.most, v)
}

func (t *tallies) add(o *tallies) {
	for i := range t.lengths {
		t.lengths[i] += o.lengths[i]
	}
	t.most = max(t.most, o.most)
}

// skip tells of a section before the measured time.
func (c *capture) skip(room uint16, ours uint64) { c.prev[room] = ours }

// note tells of a section: the worker's next one under that lock.
func (c *capture) note(room uint16, ours uint64) {
	delta := ours - c.prev[room] - 1
	c.prev[room] = ours
	if delta == 0 {
		c.streak[room]++
		return
	}
	c.streaks.note(c.streak[room])
	c.starves.note(delta)
	c.streak[room] = 1
}

// finish ends the streaks that last.
func (c *capture) finish() {
	for _, n := range c.streak {
		if n > 0 {
			c.streaks.note(n)
		}
	}
	clear(c.streak)
}

// percentile is the length, rounded down to a power of two, that those who make up the share p of all that is in the tallies are not above: weighed by
// length, as if each was as many as it is long.
func (t *tallies) percentile(p float64) float64 {
	var sum, part float64
	for i, n := range t.lengths {
		sum += float64(uint64(1<<63)>>i) * float64(n)
	}
	for i, n := range t.lengths {
		bound := float64(uint64(1<<63) >> i)
		if part += bound * float64(n); sum-part < sum*p {
			return bound
		}
	}
	return 0
}
