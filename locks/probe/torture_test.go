//go:build torture

package probe_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"pcbbench/locks/probe"
)

// nextLine returns the next source line in the form of the keys of Counts.
func nextLine() string {
	_, _, line, _ := runtime.Caller(1)
	return fmt.Sprintf("probe/torture_test.go:%d", line+1)
}

// TestCounts runs points in several goroutines at once: no pass may be lost, and each must be booked on
// the line that made it, also where that line was inlined elsewhere.
func TestCounts(t *testing.T) {
	const workers, passes = 8, 2000
	var word atomic.Uint32
	var lines [3]string
	var wg sync.WaitGroup
	before := probe.Counts()
	lines[2] = inlinedLine
	for w := range workers {
		wg.Go(func() {
			for range passes {
				l0 := nextLine()
				probe.RMW(&word)
				l1 := nextLine()
				probe.Pause()
				inlined(&word)
				if w == 0 {
					lines[0], lines[1] = l0, l1
				}
			}
		})
	}
	wg.Wait()
	after := probe.Counts()
	for _, l := range lines {
		if n := after[l] - before[l]; n != workers*passes {
			t.Errorf("%s: %d passes counted, want %d; all: %v", l, n, workers*passes, after)
		}
	}
}

var inlinedLine = nextLine()   // the body of inlined is on the next line
func inlined(p *atomic.Uint32) { probe.Load(p) }

// TestYields lets a point yield always: on one CPU, a goroutine that is ready must then get its turn.
func TestYields(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer probe.SetRates(probe.SetRates(probe.Rates{Yield: 1}))
	var ran atomic.Bool
	go ran.Store(true)
	for range 1000 {
		probe.Pause()
	}
	if !ran.Load() {
		t.Error("a thousand points that always yield let no other goroutine run")
	}
}

// TestSeed checks that Seed gives one stack the same choices again and that another seed gives others.
func TestSeed(t *testing.T) {
	defer probe.SetRates(probe.SetRates(probe.Rates{}))
	for _, c := range []struct {
		a, b int64
		same bool
	}{{1, 1, true}, {1, 2, false}} {
		if same := probe.Draws(c.a) == probe.Draws(c.b); same != c.same {
			t.Errorf("seeds %d and %d: same choices: %v, want %v", c.a, c.b, same, c.same)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	var word atomic.Uint32
	if n := testing.AllocsPerRun(100, func() { probe.Load(&word) }); n != 0 {
		t.Errorf("a point allocates %v times", n)
	}
}

func BenchmarkTorture(b *testing.B) {
	var word atomic.Uint32
	probe.SetRates(probe.Rates{})
	for b.Loop() {
		probe.Load(&word)
	}
}
