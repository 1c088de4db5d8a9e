package locktest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"

	"pcbbench/locks"
	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
)

// A room is a lock and what it guards: ordinary fields, so that the race detector checks the lock's memory ordering on the way. Outside
// of exclusive sections a == b, and 10 steps from any value they are 10 apart from the value before.
type room struct {
	l      locks.RWLock
	a, b   uint64
	writes uint64 // exclusive sections so far
}

// pace is how often a section stands still: at one step in so many, 0 for none. The more often, the more waiters park.
type pace uint32

const (
	never  pace = 0
	rarely pace = 16
	always pace = 1
)

// duelUnits of locks.Delay take a few times as long as a waiter spins before it parks.
const duelUnits = 30_000

// A worker is one goroutine of the mix.
type worker struct {
	*room                 // where it is,
	at     int            // its index,
	n      *locks.Node    // and the node in use
	nodes  [2]*locks.Node // used by turns, and for both locks
	rng    *rand.Rand
	pace   pace
	crew   *crew.Crew
	writes [2]uint64 // of each room's, ours
	_      [locks.LinePad]byte
}

// mix lets workers take the locks in all ways at random. An exclusive section must be alone, readers see nothing change, no
// section gets lost. Most take the first lock.
func (s *stage) mix(p pace) error {
	team := s.crew()
	workers := make([]worker, s.c.Workers)
	var before [2]uint64
	for i := range s.rooms {
		before[i] = s.rooms[i].writes
	}
	for i := range workers {
		w := &workers[i]
		*w = worker{nodes: [2]*locks.Node(nodes(2)), rng: rand.New(rand.NewPCG(s.c.Seed, uint64(i)<<8+uint64(p))), pace: p, crew: team}
		team.Go(func() error {
			for round := 0; round < s.c.Rounds/3 && !team.Failed(); round++ {
				if s.c.Beat != nil {
					s.c.Beat(i)
				}
				if err := w.section(s); err != nil {
					return oracle.Violated(oracle.Exclusion, "worker %d, round %d, pace %d: %w", i, round, p, err)
				}
			}
			return nil
		})
	}
	if err := team.Join(); err != nil {
		return err
	}
	for i := range s.rooms {
		r, writes := &s.rooms[i], before[i]
		for _, w := range workers {
			writes += w.writes[i]
		}
		if r.writes != writes || r.a != r.b {
			return oracle.Violated(oracle.Exclusion, "%d exclusive sections left %d writes, a %d and b %d", writes, r.writes, r.a, r.b)
		}
	}
	for _, w := range workers {
		for _, n := range w.nodes {
			if err := idle(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// duel lets one worker wait for another that holds the lock for about as long as a waiter spins. So the lock is often let go of at the
// very moment at which somebody registers or goes to sleep.
func (s *stage) duel() error {
	if s.few(1) < 1 {
		return nil
	}
	team := s.crew()
	var written uint64 // guarded
	for i, n := range nodes(2) {
		rng := rand.New(rand.NewPCG(s.c.Seed, math.MaxUint64-1-uint64(i)))
		l := s.l()
		team.Go(func() error {
			for round := 0; round < s.c.Rounds && !team.Failed(); round++ {
				if s.c.Beat != nil {
					s.c.Beat(i)
				}
				l.Lock(n)
				written++
				locks.Delay(rng.Uint32N(duelUnits))
				l.Unlock(n)
			}
			return nil
		})
	}
	if err := team.Join(); err != nil {
		return err
	}
	if written != 2*uint64(s.c.Rounds) {
		return oracle.Violated(oracle.Exclusion, "%d sections of 2 workers left %d writes", 2*s.c.Rounds, written)
	}
	return nil
}

// storm has workers take the lock and let go of it as quickly as they can, so that steps of one fall between two of another that lie a few
// instructions apart. That takes CPUs, so there are no more workers than these; they do the sections of all.
func (s *stage) storm() error {
	team := s.crew()
	l := s.l()
	before := s.rooms[0].writes
	workers := min(s.c.Workers, max(2, runtime.GOMAXPROCS(0)))
	steps := 4 * s.c.Rounds * s.c.Workers / workers
	writes := make([]uint64, workers)
	for i, n := range nodes(workers) {
		team.Go(func() error {
			var mine uint64
			for step := 0; step < steps && !team.Failed(); step++ {
				if s.c.Beat != nil && step%8 == 0 {
					s.c.Beat(i)
				}
				switch step % 4 {
				case 0, 1:
					l.Lock(n)
				case 2:
					l.RLock(n)
					if !l.TryUpgrade(n) {
						l.RUnlock(n)
						continue
					}
				case 3:
					if !l.TryLock(n) {
						continue
					}
				}
				s.rooms[0].writes++
				l.Unlock(n)
				mine++
			}
			writes[i] = mine
			return nil
		})
	}
	if err := team.Join(); err != nil {
		return err
	}
	for _, n := range writes {
		before += n
	}
	if s.rooms[0].writes != before {
		return oracle.Violated(oracle.Exclusion, "%d exclusive sections left %d writes", before, s.rooms[0].writes)
	}
	return nil
}

// section passes through one section of a random sort. Half of them are exclusive, and half of them taken by trying.
func (w *worker) section(s *stage) error {
	defer w.stand()
	w.at = 0
	if w.rng.IntN(8) == 0 {
		w.at = 1
	}
	w.room, w.n = &s.rooms[w.at], w.nodes[w.rng.IntN(2)]
	switch w.rng.IntN(5) {
	case 0:
		w.l.Lock(w.n)
		return w.exclusive()
	case 4:
		var err error
		locks.Do(w.l, w.n, func() { err = w.write() })
		return err
	case 1:
		if w.try(w.l.TryLock) {
			return w.exclusive()
		}
	case 2:
		w.l.RLock(w.n)
		return w.shared()
	case 3:
		if w.try(w.l.TryRLock) {
			return w.shared()
		}
	}
	return nil
}

// try tries until it succeeds or somebody has failed.
func (w *worker) try(take func(*locks.Node) bool) bool {
	for !take(w.n) {
		if w.crew.Failed() {
			return false
		}
		runtime.Gosched()
	}
	return true
}

// exclusive is called with the lock held exclusively and lets go of it.
func (w *worker) exclusive() error {
	err := w.write()
	if w.rng.IntN(4) != 0 {
		w.l.Unlock(w.n)
		return err
	}
	// If another writer came between, it left another value of writes.
	writes := w.room.writes
	w.l.Downgrade(w.n)
	w.stand()
	if w.room.writes != writes {
		err = errors.Join(err, errors.New("a writer got between exclusive hold and downgrade"))
	}
	err = errors.Join(err, w.read())
	w.l.RUnlock(w.n)
	return err
}

// shared is called with the lock held shared and lets go of it.
func (w *worker) shared() error {
	err := w.read()
	if w.rng.IntN(2) == 0 {
		writes := w.room.writes
		w.stand()
		upgraded := w.l.TryUpgrade(w.n)
		if w.room.writes != writes {
			err = errors.Join(err, fmt.Errorf("a writer got between shared hold and upgrade (%v)", upgraded))
		}
		if upgraded {
			return errors.Join(err, w.exclusive())
		}
		err = errors.Join(err, w.read()) // still shared
	}
	w.l.RUnlock(w.n)
	return err
}

// write changes what the lock guards and changes it back.
func (w *worker) write() error {
	g := w.room
	a, b, writes := g.a, g.b, g.writes
	for range 10 {
		g.a++
		w.stand()
		g.b++
	}
	if g.a != a+10 || g.b != b+10 || g.writes != writes {
		return fmt.Errorf("exclusive section was not alone: a %d → %d, b %d → %d, writes %d → %d", a, g.a, b, g.b, writes, g.writes)
	}
	for range 10 {
		g.a--
		g.b--
	}
	g.writes++
	w.writes[w.at]++
	return nil
}

// read looks twice at what the lock guards.
func (w *worker) read() error {
	g := w.room
	a, b, writes := g.a, g.b, g.writes
	w.stand()
	if a != b || g.a != a || g.b != b || g.writes != writes {
		return fmt.Errorf("reader saw a %d → %d, b %d → %d, writes %d → %d", a, g.a, b, g.b, writes, g.writes)
	}
	return nil
}

// stand stretches a section now and then, so that sections meet also on one CPU.
func (w *worker) stand() {
	if w.pace != never && w.rng.Uint32N(uint32(w.pace)) == 0 {
		runtime.Gosched()
	}
}
