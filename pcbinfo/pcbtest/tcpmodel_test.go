package pcbtest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestUnwrap takes positions apart into numbers and back: near enough, the same position must come out, however often the numbers have
// wrapped; half of the space away it is the one behind, and after counts it as ahead.
func TestUnwrap(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		zero, at := rng.Uint32(), rng.Int64N(1<<40)
		for _, d := range []int64{0, 1, -1, half - 1, -half, -half + 1, rng.Int64N(2*half) - half} {
			p := at + d
			if got := unwrap(zero+uint32(p), zero, at); got != p {
				t.Fatalf("seed %d: %d+%d becomes %d", seed, at, d, got-at)
			}
			if after(p, at) != (d > 0 || d == -half) {
				t.Fatalf("seed %d: %d away: after %v", seed, d, after(p, at))
			}
		}
	}
}
