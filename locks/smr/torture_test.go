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

// A torturer is the state that readers and writers share.
type torturer struct {
	d     Domain
	seed  uint64
	plain bool // nodes have their ordinary field
	cells [4]atomic.Pointer[node]
	stop  atomic.Bool
}

// torture lets readers walk a few shared pointers while writers replace, retire and reuse the nodes behind them
// (after rcutorture_urcu of liburcu). It stops at the first reader that finds a node reused under it.
func torture(d Domain, readers, updates int, seed uint64, plain bool) error {
	const writers = 2
	t := &torturer{d: d, seed: seed, plain: plain}
	for i := range t.cells {
		t.cells[i].Store(t.fresh(&node{}))
	}
	errs := make([]error, readers)
	var reading, writing sync.WaitGroup
	for cpu := range readers {
		reading.Go(func() { errs[cpu] = t.read(cpu) })
	}
	for i := range writers {
		writing.Go(func() { t.write(updates/writers, rand.New(rand.NewPCG(seed, uint64(readers+i)))) })
	}
	writing.Wait()
	t.stop.Store(true)
	reading.Wait()
	return errors.Join(errs...)
}

// write replaces nodes at random. Each writer reuses what it retired itself, last in first out, so as soon as
// may be.
func (t *torturer) write(updates int, rng *rand.Rand) {
	var retired, free []*node
	for i := 0; i < updates && !t.stop.Load(); i++ {
		n := &node{}
		if len(free) > 0 {
			n, free = free[len(free)-1], free[:len(free)-1]
		}
		old := t.cells[rng.IntN(len(t.cells))].Swap(t.fresh(n))
		old.goal = t.d.Advance()
		retired = append(retired, old)
		for len(retired) > 0 && t.d.Recycles() && t.d.Poll(retired[0].goal) {
			n, retired = retired[0], retired[1:]
			t.poison(n)
			free = append(free, n)
		}
		if rng.IntN(16) == 0 {
			runtime.Gosched()
		}
	}
}

func (t *torturer) fresh(n *node) *node {
	if t.plain {
		n.plain = 1
	}
	n.live.Store(true)
	return n
}

func (t *torturer) poison(n *node) {
	n.live.Store(false)
	if t.plain {
		n.plain = -1
	}
}

// read passes through sections until the writers are done or a node was reused within one.
func (t *torturer) read(cpu int) error {
	rng := rand.New(rand.NewPCG(t.seed, uint64(cpu)))
	for !t.stop.Load() {
		if !t.section(cpu, rng) {
			t.stop.Store(true)
			return fmt.Errorf("cpu %d, seed %d: node reused within a section", cpu, t.seed)
		}
	}
	return nil
}

// section reports whether a node stayed live throughout a section. One that is reused at once is live again,
// so it is looked at often, with yields between.
func (t *torturer) section(cpu int, rng *rand.Rand) bool {
	t.d.Enter(cpu)
	defer t.d.Exit(cpu)
	n := t.cells[rng.IntN(len(t.cells))].Load()
	for range 8 {
		if !n.live.Load() || t.plain && n.plain != 1 {
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
