//go:build count

package probe_test

import (
	"sync"
	"testing"

	"pcbbench/locks/probe"
)

// TestPassed passes each kind of point another number of times, in several goroutines at once: no pass may be lost or booked on another kind.
func TestPassed(t *testing.T) {
	const workers, times = 8, 1000
	var word uint64
	var sema uint32
	before := probe.Passed()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range times {
				probe.Load(&word)
				probe.Load(&word)
				probe.Load(&word)
				probe.Store(&word)
				probe.Store(&word)
				probe.RMW(&word)
				for range 4 {
					probe.Pause()
				}
				probe.Work(7)
				if probe.Park(&sema) || probe.Unpark(&sema) {
					t.Error("a point that only counts has waited or posted")
				}
			}
		})
	}
	wg.Wait()
	const n = workers * times
	if got, want := probe.Passed().Since(before), (probe.Accesses{Loads: 3 * n, Stores: 2 * n, RMWs: n, Waits: 5 * n}); got != want {
		t.Errorf("passed %+v, want %+v", got, want)
	}
}

// TestCountAllocatesNothing: counting must not show in what is counted beside it.
func TestCountAllocatesNothing(t *testing.T) {
	var word uint64
	if n := testing.AllocsPerRun(100, func() { probe.Load(&word); probe.RMW(&word); probe.Pause() }); n != 0 {
		t.Errorf("three points allocate %v times", n)
	}
}
