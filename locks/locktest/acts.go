package locktest

import (
	"runtime"
	"sync/atomic"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// together: readers meet inside, all of them at the same moment.
func (s *stage) together() error {
	if !s.p.shared {
		return nil
	}
	team := s.crew()
	l, readers := s.l(), s.few(5)
	var inside atomic.Int32
	full := func() bool { return inside.Load() == int32(readers) }
	for i, n := range nodes(readers) {
		team.Go(func() error {
			if i%2 == 0 || !l.TryRLock(n) {
				l.RLock(n)
			}
			defer l.RUnlock(n)
			inside.Add(1)
			if !team.Until(full) {
				return oracle.Violated(oracle.Progress, "no writer is about, and %d of %d readers get in at a time", inside.Load(), readers)
			}
			return nil
		})
	}
	return team.Join()
}

// writerFirst: a writer that waits keeps new readers out, those that try and those that wait, so that readers who come and go without
// a gap cannot starve it; but the only reader upgrades past it. When the lock is free, the writer gets it.
func (s *stage) writerFirst() error {
	if !s.p.shared {
		return nil
	}
	team := s.crew()
	l, n := s.l(), nodes(4)
	first, second, third, writer := n[0], n[1], n[2], n[3]
	var written, left atomic.Bool
	l.RLock(first)
	team.Go(func() error {
		l.Lock(writer)
		written.Store(true)
		l.Unlock(writer)
		return nil
	})
	closed := team.Until(func() bool {
		if !l.TryRLock(second) {
			return true
		}
		l.RUnlock(second)
		return false
	})
	if !closed {
		return oracle.Violated(oracle.Fairness, "a writer waits, and new readers are let in still")
	}
	team.Go(func() error {
		l.RLock(third)
		defer l.RUnlock(third)
		if !left.Load() {
			return oracle.Violated(oracle.Fairness, "a writer waits, and a new reader that waits is let in")
		}
		return nil
	})
	s.nap()
	must(false, written.Load(), "a writer is inside beside a reader")
	upgraded := l.TryUpgrade(first)
	must(s.p.overtakes, upgraded, "TryUpgrade of the only reader past a writer that waits")
	must(false, written.Load(), "a writer is inside beside an upgraded reader")
	left.Store(true)
	if upgraded {
		l.Unlock(first)
	} else {
		l.RUnlock(first)
	}
	if !team.Until(written.Load) && !team.Failed() {
		return oracle.Violated(oracle.Progress, "the last reader has left, and a writer waits still")
	}
	return team.Join()
}

// admitted: readers that wait get in at a Downgrade, not only when the downgraded hold ends; writers do not.
func (s *stage) admitted() error {
	if !s.p.downgrades {
		return nil
	}
	team := s.crew()
	l, readers := s.l(), s.few(3)
	var inside atomic.Int32
	n := nodes(readers + 1)
	own, others := n[0], n[1:]
	l.Lock(own)
	for _, n := range others {
		team.Go(func() error {
			l.RLock(n)
			inside.Add(1)
			l.RUnlock(n)
			return nil
		})
	}
	s.nap()
	if inside.Load() != 0 {
		return oracle.Violated(oracle.Exclusion, "%d readers are inside beside a writer", inside.Load())
	}
	l.Downgrade(own)
	if !team.Until(func() bool { return inside.Load() == int32(readers) }) {
		return oracle.Violated(oracle.Progress, "after a Downgrade, %d of %d readers that waited have got in", inside.Load(), readers)
	}
	l.RUnlock(own)
	return team.Join()
}

// barges: a lock that nobody holds is granted to who tries, though a writer that was woken is on its way to it. Often that one comes
// first, but not always.
func (s *stage) barges() error {
	if !s.p.barges || word(s.l()) == nil {
		return nil
	}
	l, n, team := s.l(), nodes(1)[0], s.crew()
	writes, reads := false, false
	if !team.Until(func() bool {
		writes = writes || s.barge(func() bool { return l.TryLock(n) }, func() { l.Unlock(n) })
		reads = reads || s.barge(func() bool { return l.TryRLock(n) }, func() { l.RUnlock(n) })
		return writes && reads
	}) {
		return oracle.Violated(oracle.Answer, "nobody holds the lock, a writer is on its way: TryLock has succeeded: %v, TryRLock: %v", writes, reads)
	}
	return nil
}

// barge lets a writer wait until it has registered, lets go of the lock, and reports whether try takes it before the writer does.
func (s *stage) barge(try func() bool, release func()) (first bool) {
	l, n, team := s.l(), nodes(2), s.crew()
	var written atomic.Bool
	l.Lock(n[0])
	word := word(l)
	held := word()
	team.Go(func() error {
		l.Lock(n[1])
		written.Store(true)
		l.Unlock(n[1])
		return nil
	})
	registered := team.Until(func() bool { return word() != held })
	l.Unlock(n[0])
	if try() {
		first = registered && !written.Load()
		release()
	}
	if err := team.Join(); err != nil {
		panic(err)
	}
	return first
}

// inOrder: who is known to have come first is served first. One after another arrives while the lock is held, and nobody gets in
// by trying.
func (s *stage) inOrder() error {
	if !s.p.fifo {
		return nil
	}
	team := s.crew()
	l, waiters := s.l(), s.few(6)
	n := nodes(waiters + 2)
	own, try, others := n[0], n[1], n[2:]
	arrivals := queue(l)
	var served []int // guarded by l
	var out atomic.Int32
	l.Lock(own)
	for i, n := range others {
		before := arrivals()
		team.Go(func() error {
			l.Lock(n)
			served = append(served, i)
			l.Unlock(n)
			out.Add(1)
			return nil
		})
		if !team.Until(func() bool { return arrivals() != before }) {
			return oracle.Violated(oracle.Fairness, "waiter %d of %d does not join the queue", i, waiters)
		}
		if l.TryLock(try) {
			return oracle.Violated(oracle.Exclusion, "TryLock past the holder and %d waiters", i+1)
		}
	}
	l.Unlock(own)
	if !team.Until(func() bool { return out.Load() == int32(waiters) }) {
		return oracle.Violated(oracle.Progress, "%d of %d waiters have been served", out.Load(), waiters)
	}
	for i, who := range served {
		if who != i {
			return oracle.Violated(oracle.Fairness, "who came as number 0, 1, 2 … was served in the order %v", served)
		}
	}
	return team.Join()
}

// crowds: whoever waits while the lock is held gets it in the end, in whatever way the hold ends. At rest, so that a wake-up that
// is lost stays lost.
func (s *stage) crowds() error {
	for range 6 {
		if err := s.crowd(); err != nil {
			return err
		}
		if err := s.atRest(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) crowd() error {
	team := s.crew()
	l, waiters := s.l(), s.few(5)
	n := nodes(waiters + 1)
	own, others := n[0], n[1:]
	var out atomic.Int32
	var guarded int
	release := s.take(own)
	for _, n := range others {
		sort := s.rng.IntN(8)
		team.Go(func() error {
			switch sort {
			case 0, 1, 2:
				l.RLock(n)
				runtime.Gosched()
				l.RUnlock(n)
			case 3:
				l.RLock(n)
				if l.TryUpgrade(n) {
					guarded++
					l.Unlock(n)
				} else {
					l.RUnlock(n)
				}
			case 4:
				l.Lock(n)
				guarded++
				l.Downgrade(n)
				runtime.Gosched()
				l.RUnlock(n)
			default:
				l.Lock(n)
				guarded++
				runtime.Gosched()
				l.Unlock(n)
			}
			out.Add(1)
			return nil
		})
		if s.rng.IntN(2) == 0 {
			s.nap() // the next comes later
		}
	}
	s.nap()
	release()
	if !team.Until(func() bool { return out.Load() == int32(waiters) }) {
		return oracle.Violated(oracle.Progress, "nobody holds the lock, and %d of %d wait", int32(waiters)-out.Load(), waiters)
	}
	return team.Join()
}

// take takes the lock in one of the ways there are, and returns how to let go of it.
func (s *stage) take(n *locks.Node) (release func()) {
	l := s.l()
	switch s.rng.IntN(4) {
	case 0:
		l.RLock(n)
		return func() { l.RUnlock(n) }
	case 1:
		l.RLock(n)
		return func() {
			if l.TryUpgrade(n) {
				s.nap()
				l.Unlock(n)
			} else {
				l.RUnlock(n)
			}
		}
	case 2:
		l.Lock(n)
		return func() {
			l.Downgrade(n)
			s.nap()
			l.RUnlock(n)
		}
	}
	l.Lock(n)
	return func() { l.Unlock(n) }
}

// nap gives others the time to come and to park. Nothing is concluded from its length.
func (s *stage) nap() { time.Sleep(time.Duration(20+s.rng.IntN(100)) * time.Microsecond) }
