package locktest

import (
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// optimists read without the lock while writers change what they read, as the kernel's refscale does with its typesafe operations: b is the square
// of a whenever no writer has been inside, and each reader sees a grow.
func (s *stage) optimists() error {
	l, ok := locks.Optimistic(s.l())
	if ok != s.p.optimistic {
		return oracle.Violated(oracle.Answer, "optimistic readers: %v, promised %v", ok, s.p.optimistic)
	}
	if !ok {
		return nil
	}
	team := s.crew()
	var a, b atomic.Uint64
	var writers atomic.Int32
	workers := max(2, s.few(4))
	writers.Store(int32(workers / 2))
	for i, n := range nodes(workers) {
		if i < workers/2 {
			team.Go(func() error {
				defer writers.Add(-1)
				for range s.c.Rounds {
					l.Lock(n)
					v := a.Load() + 1
					a.Store(v)
					locks.Delay(uint32(i))
					b.Store(v * v)
					l.Unlock(n)
				}
				return nil
			})
			continue
		}
		team.Go(func() error {
			for last := uint64(0); writers.Load() > 0 && !team.Failed(); {
				seq := l.Begin()
				x, y := a.Load(), b.Load()
				if l.Retry(seq) {
					continue
				}
				if x*x != y || x < last {
					return oracle.Violated(oracle.Exclusion, "without a writer meanwhile: a %d, b %d, a before %d", x, y, last)
				}
				last = x
			}
			return nil
		})
	}
	return team.Join()
}
