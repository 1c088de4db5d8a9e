package smr

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pcbbench/locks/probe"
)

// A node is live from its publication until a poll lets the writer poison and reuse it. live is what
// readers check; plain is an ordinary field beside it, by which the race detector checks that Exit, Poll
// and reuse are ordered.
type node struct {
	live  atomic.Bool
	plain int
	goal  Seq
}

// torture lets readers walk a few shared pointers while a writer replaces, retires and reuses the nodes
// behind them (after rcutorture_urcu of liburcu). It stops at the first reader that finds a node reused
// under it. With plain set, nodes have an ordinary field too.
func torture(d Domain, readers, updates int, seed uint64, plain bool) error {
	const shared = 4
	var cells [shared]atomic.Pointer[node]
	for i := range cells {
		cells[i].Store(fresh(&node{}, plain))
	}
	var stop atomic.Bool
	errs := make([]error, readers)
	var wg sync.WaitGroup
	for cpu := range readers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(cpu)))
			for !stop.Load() {
				if !readSection(d, cpu, &cells[rng.IntN(shared)], rng, plain) {
					errs[cpu] = fmt.Errorf("cpu %d, seed %d: node reused within a section", cpu, seed)
					stop.Store(true)
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(seed, uint64(readers)))
	var retired, free []*node
	for range updates {
		if stop.Load() {
			break
		}
		n := &node{}
		if len(free) > 0 { // last in, first out: reuse as soon as may be
			n, free = free[len(free)-1], free[:len(free)-1]
		}
		old := cells[rng.IntN(shared)].Swap(fresh(n, plain))
		old.goal = d.Advance()
		retired = append(retired, old)
		for len(retired) > 0 && d.Recycles() && d.Poll(retired[0].goal) {
			n, retired = retired[0], retired[1:]
			n.live.Store(false) // poison
			if plain {
				n.plain = -1
			}
			free = append(free, n)
		}
		if rng.IntN(16) == 0 {
			runtime.Gosched()
		}
	}
	stop.Store(true)
	wg.Wait()
	return errors.Join(errs...)
}

func fresh(n *node, plain bool) *node {
	if plain {
		n.plain = 1
	}
	n.live.Store(true)
	return n
}

// readSection reports whether the node in the cell stayed live throughout a section. A node that is
// reused at once is live again, so it is looked at often, with yields between.
func readSection(d Domain, cpu int, cell *atomic.Pointer[node], rng *rand.Rand, plain bool) bool {
	d.Enter(cpu)
	defer d.Exit(cpu)
	n := cell.Load()
	for range 8 {
		if !n.live.Load() || plain && n.plain != 1 {
			return false
		}
		if rng.IntN(8) == 0 {
			runtime.Gosched()
		}
	}
	return true
}

func TestTorture(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	probe.Seed(int64(seed))
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			const readers = 4
			d := k.New(readers)
			if err := torture(d, readers, 50_000, seed, true); err != nil {
				t.Error(err)
			}
			s := d.Stats()
			t.Logf("seed %d: %+v", seed, s)
			if d.Recycles() && (s.Observed == 0 || s.PollFails == 0) {
				t.Errorf("no memory was reused, or none was ever held up: %+v", s)
			}
		})
	}
}
