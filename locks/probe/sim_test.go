//go:build sim

package probe_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pcbbench/locks/probe"
)

// next lets everything happen as it would anyway.
func next(c *probe.Choice) int { return c.Next() }

// TestSimulateOneAtATime lets every worker go on in turn at every point: the accesses must come in exactly that order.
func TestSimulateOneAtATime(t *testing.T) {
	var order []int
	worker := func(id int) func() error {
		return func() error {
			for range 3 {
				probe.RMW(&order)
				order = append(order, id)
			}
			return nil
		}
	}
	err := probe.Simulate([]func() error{worker(0), worker(1), worker(2)}, 100, func(c *probe.Choice) int {
		for _, w := range c.Ready {
			if w > c.Current {
				return w
			}
		}
		return c.Ready[0]
	})
	if want := []int{0, 1, 2, 0, 1, 2, 0, 1, 2}; err != nil || !slices.Equal(order, want) {
		t.Errorf("%v, want %v; %v", order, want, err)
	}
}

// TestSemaphores parks one worker until another posts; the post may come first, and counts.
func TestSemaphores(t *testing.T) {
	for first := range 2 {
		var sema uint32
		var order []string
		err := probe.Simulate([]func() error{
			func() error {
				order = append(order, "ask")
				probe.Park(&sema)
				order = append(order, "got")
				return nil
			},
			func() error { order = append(order, "post"); probe.Unpark(&sema); return nil },
		}, 100, func(c *probe.Choice) int {
			if c.Op == probe.OpStart {
				return first
			}
			return c.Next()
		})
		want := [][]string{{"ask", "post", "got"}, {"post", "ask", "got"}}[first]
		if err != nil || !slices.Equal(order, want) || sema != 0 {
			t.Errorf("%v, want %v; %d posts left; %v", order, want, sema, err)
		}
	}
}

// TestStuck: who waits for nobody is found out, and where; and no worker is left behind.
func TestStuck(t *testing.T) {
	var sema uint32
	var never atomic.Bool
	unwound := 0
	park := func() error {
		defer func() { unwound++ }()
		probe.Park(&sema)
		return nil
	}
	poll := func() error {
		defer func() { unwound++ }()
		for !never.Load() {
			probe.Load(&never)
			probe.Pause()
		}
		return nil
	}
	spin := func() error {
		defer func() { unwound++ }()
		for !never.Load() {
			probe.RMW(&never)
		}
		return nil
	}
	for what, workers := range map[string][]func() error{
		"deadlock: ": {park, park},
		"deadlock":   {poll, park, poll},
		"livelock":   {park, spin},
	} {
		unwound = 0
		err := probe.Simulate(workers, 1000, next)
		var stuck *probe.Stuck
		if !errors.As(err, &stuck) || !strings.HasPrefix(err.Error(), what) || len(stuck.Where) != len(workers) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for i, where := range stuck.Where {
			if !strings.HasPrefix(where, "probe/sim_test.go:") {
				t.Errorf("worker %d stands at %q", i, where)
			}
		}
		if unwound != len(workers) {
			t.Errorf("%d of %d workers were unwound", unwound, len(workers))
		}
	}
}

// TestPause: who pauses does not go on before somebody has written.
func TestPause(t *testing.T) {
	var flag atomic.Bool
	looks := 0
	err := probe.Simulate([]func() error{
		func() error {
			for probe.Load(&flag); !flag.Load(); probe.Load(&flag) {
				looks++
				probe.Pause()
			}
			return nil
		},
		func() error {
			for range 100 {
				probe.Load(&flag)
			}
			probe.Store(&flag)
			flag.Store(true)
			return nil
		},
	}, 1000, func(c *probe.Choice) int { return c.Ready[0] }) // the one that waits, whenever it may
	if err != nil || looks != 1 {
		t.Errorf("looked %d times, want once; %v", looks, err)
	}
}

// TestErrorsEndIt: a worker's error, or panic, ends the simulation, and the others do not go on.
func TestErrorsEndIt(t *testing.T) {
	boom := errors.New("boom")
	for _, bad := range []func() error{func() error { return boom }, func() error { panic(boom.Error()) }} {
		on := false
		err := probe.Simulate([]func() error{
			func() error { probe.Work(0); on = true; return nil },
			func() error { probe.Work(0); return bad() },
		}, 100, func(c *probe.Choice) int { return c.Ready[len(c.Ready)-1] })
		if err == nil || !strings.Contains(err.Error(), "boom") || on {
			t.Errorf("error %v, the other went on: %v", err, on)
		}
	}
}

// TestStrangersPass: outside of a simulation, and on other goroutines beside one, points do nothing.
func TestStrangersPass(t *testing.T) {
	var sema uint32
	pass := func() bool {
		probe.Load(&sema)
		probe.Pause()
		return !probe.Park(&sema) && !probe.Unpark(&sema)
	}
	if !pass() {
		t.Error("a semaphore is simulated outside of a simulation")
	}
	ask, told := make(chan bool), make(chan bool)
	go func() {
		<-ask
		told <- pass()
	}()
	steps := 0
	err := probe.Simulate([]func() error{func() error {
		probe.Work(0)
		ask <- true
		if !<-told {
			return errors.New("a semaphore is simulated for a stranger")
		}
		return nil
	}}, 100, func(c *probe.Choice) int { steps++; return c.Next() })
	if err != nil || steps != 2 {
		t.Errorf("%d steps, want the start and a point; %v", steps, err)
	}
}
