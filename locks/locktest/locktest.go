// Package locktest tortures locks: one driver for every kind in locks.Kinds and for the busted locks that
// show that the torture finds faults.
package locktest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
)

// Config sets the size of a torture.
type Config struct {
	Workers  int              // goroutines that use the lock at a time, ≥ 1 (two in a duel); a lock that spins gets no more than CPUs, and none more than it excludes
	Rounds   int              // sections of each
	Seed     uint64           // of all choices but the scheduler's
	Beat     func(worker int) // if not nil, called once a section
	Patience time.Duration    // for what must come, see crew.Crew; 0 means its default
}

// Torture makes locks by spec and holds them to what package locks says of them, and returns the first promise found broken. It
// cannot return from a lock that loses a wake-up among many workers: then nobody beats any more.
func Torture(spec locks.Spec, c Config) error {
	if spec.Policy() == locks.Spin {
		c.Workers = min(c.Workers, runtime.GOMAXPROCS(0))
	}
	if most := promised(spec.Kind()).workers; most != 0 {
		c.Workers = min(c.Workers, most)
	}
	err := oracle.Guard(func() error {
		p := promised(spec.Kind())
		for _, check := range []func() error{
			func() error { return named(spec, p) },
			func() error { return Layout(spec) },
			Delays,
			func() error { return misuse(spec) },
			func() error {
				return torture(func() locks.RWLock { return made(spec, c.Workers) }, p, spec.Policy() == locks.Spin, c)
			},
		} {
			if err := check(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		err = oracle.Violated(oracle.Of(err), "lock %v, seed %d: %w", spec, c.Seed, err)
	}
	return err
}

// made makes a lock. A refusal breaks a promise, as nobody asks for more workers than fit.
func made(spec locks.Spec, workers int) locks.RWLock {
	l, err := spec.NewRW(workers)
	if err != nil {
		panic(oracle.Violated(oracle.Answer, "%w", err))
	}
	return l
}

// named: a spec is what its text says, and tells what it promises; one that only spins is refused to more workers than can run, and none is given to
// more than it excludes.
func named(spec locks.Spec, p promise) error {
	if again, err := locks.ParseSpec(spec.String()); err != nil || again != spec {
		return oracle.Violated(oracle.Answer, "%v is read as %v (%v)", spec, again, err)
	}
	if k := spec.Kind(); k.Shared != p.shared || k.Fairness == fifo != p.fifo || k.Workers != p.workers {
		return oracle.Violated(oracle.Answer, "shared %v, fairness %q, workers %d; promised is %+v", k.Shared, k.Fairness, k.Workers, p)
	}
	_, err := spec.New(math.MaxInt32)
	if (err != nil) != (spec.Policy() == locks.Spin || p.workers != 0) {
		return oracle.Violated(oracle.Answer, "for 2^31-1 workers: %v", err)
	}
	if _, err := spec.New(p.workers + 1); p.workers != 0 && err == nil {
		return oracle.Violated(oracle.Answer, "a lock that excludes %d at most is given to %d", p.workers, p.workers+1)
	}
	return nil
}

// A stage is two locks of one kind, with what each guards, and the workers that use them.
type stage struct {
	rooms [2]room
	p     promise
	c     Config
	spins bool // workers in excess of CPUs would ruin it
	rng   *rand.Rand
	clean [2][]byte // the memory of the locks when new
}

// torture runs all that needs nothing of the lock but its methods. The order is from the deterministic to the crowded and back:
// what must hold of a new lock must hold of a used one at rest.
func torture(make func() locks.RWLock, p promise, spins bool, c Config) error {
	s := &stage{p: p, c: c, spins: spins, rng: rand.New(rand.NewPCG(c.Seed, math.MaxUint64))}
	for i := range s.rooms {
		s.rooms[i].l = make()
		s.clean[i] = append(s.clean[i], memory(s.rooms[i].l)...)
	}
	// Before the acts on tickets, the numbers are near their end: 2^32 is followed by 0.
	const untilWrap = 20
	acts := []func() error{s.still, s.together, s.writerFirst, s.admitted, s.barges, s.inOrder, s.million, s.crowds, s.duel, s.storm, s.optimists, s.still,
		func() error { return s.mix(never) }, s.still, func() error { return s.mix(rarely) }, s.still}
	acts = append(acts, func() error { s.skipTo(-untilWrap); return s.mix(always) }, s.still,
		func() error { s.skipTo(-untilWrap / 4); return s.inOrder() }, s.crowds, s.still)
	for _, act := range acts {
		if err := act(); err != nil {
			return err
		}
		if err := s.atRest(); err != nil {
			return err
		}
	}
	return nil
}

// crew is one for an act of this stage.
func (s *stage) crew() *crew.Crew { return &crew.Crew{Patience: s.c.Patience} }

// few is how many may wait at a time while another one holds the lock, up to n. For a lock that spins there may be none, nor for one that is right for
// one worker only.
func (s *stage) few(n int) int {
	if s.spins || s.p.workers != 0 {
		return min(n, s.c.Workers-1)
	}
	return max(2, min(n, s.c.Workers))
}

// l is the lock of the acts that need one only.
func (s *stage) l() locks.RWLock { return s.rooms[0].l }

// nodes are n new ones.
func nodes(n int) []*locks.Node {
	all := make([]*locks.Node, n)
	for i := range all {
		all[i] = new(locks.Node)
	}
	return all
}

// must panics if the answer of one call is not what it must be: a lock that is granted and must not be breaks exclusion.
func must(want, got bool, format string, args ...any) {
	if got == want {
		return
	}
	name := oracle.Answer
	if got {
		name = oracle.Exclusion
	}
	panic(oracle.Violated(name, "%s: %v, want %v", fmt.Sprintf(format, args...), got, want))
}
