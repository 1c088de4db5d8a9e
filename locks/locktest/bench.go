package locktest

import (
	"sync"
	"testing"

	"pcbbench/locks"
)

// Bench measures b.N exclusive sections that a fixed number of workers share evenly, each adding to one word
// that the lock guards. It reports wall time per section; that no section was lost is checked. It is the
// package-level view: unpinned, one place in memory, no warm-up.
func Bench(b *testing.B, l locks.Lock, workers int) {
	var guarded uint64
	var start, done sync.WaitGroup
	start.Add(1)
	total := 0
	for i := range workers {
		share := b.N / workers
		if i < b.N%workers {
			share++
		}
		total += share
		done.Go(func() {
			n := new(locks.Node)
			start.Wait()
			for range share {
				l.Lock(n)
				guarded++
				l.Unlock(n)
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	start.Done()
	done.Wait()
	b.StopTimer()
	if guarded != uint64(total) {
		b.Fatalf("%d sections left a count of %d", total, guarded)
	}
}
