package crew_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
)

// TestJoin: all errors are there, panics among them, and those that stop on Failed have been waited for.
func TestJoin(t *testing.T) {
	var c crew.Crew
	var stopped atomic.Int32
	first := errors.New("first")
	for range 4 {
		c.Go(func() error {
			for !c.Failed() {
				time.Sleep(time.Microsecond)
			}
			stopped.Add(1)
			return nil
		})
	}
	c.Go(func() error { return first })
	c.Go(func() error { panic("locks: test") })
	err := c.Join()
	if !errors.Is(err, first) || stopped.Load() != 4 {
		t.Errorf("%v, %d have stopped", err, stopped.Load())
	}
	if err := c.Join(); !errors.Is(err, first) || !strings.Contains(err.Error(), "locks panic") {
		t.Errorf("the panic is missing: %v", err)
	}
}

// TestJoinGoesOn: who hangs after a failure does not keep Join.
func TestJoinGoesOn(t *testing.T) {
	var c crew.Crew
	hung := make(chan struct{})
	defer close(hung)
	c.Go(func() error { <-hung; return nil })
	c.Go(func() error { return oracle.Violated(oracle.Order, "test") })
	if err := c.Join(); oracle.Of(err) != oracle.Order {
		t.Error(err)
	}
}

func TestUntil(t *testing.T) {
	c := crew.Crew{Patience: time.Millisecond}
	n := 0
	if !c.Until(func() bool { n++; return n == 3 }) || n < 3 {
		t.Errorf("gave up after %d looks", n)
	}
	if c.Until(func() bool { return false }) {
		t.Error("saw what never comes")
	}
	if err := c.Join(); err != nil {
		t.Error(err)
	}
}
