// Package crew runs the goroutines of a check: their panics become errors, one failure ends all, and waits for what must come
// are bounded.
package crew

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"pcbbench/locks/oracle"
)

// patience is what Until allows unless told otherwise: no scheduler keeps a goroutine that is ready from running for so long
// while another one looks on.
const patience = 10 * time.Second

// A Crew is a number of goroutines that work until all are done or one fails. The zero Crew is ready.
type Crew struct {
	Patience time.Duration // of Until; 0 means 10 s

	failed  atomic.Bool // read by all in their loops, written once
	running atomic.Int64
	mu      sync.Mutex
	errs    []error
}

// Go runs f under oracle.Guard. An error fails the crew.
func (c *Crew) Go(f func() error) {
	c.running.Add(1)
	go func() {
		if err := oracle.Guard(f); err != nil {
			c.mu.Lock()
			c.errs = append(c.errs, err)
			c.mu.Unlock()
			c.failed.Store(true)
		}
		c.running.Add(-1)
	}()
}

// Failed reports whether somebody has failed: the others are to stop soon.
func (c *Crew) Failed() bool { return c.failed.Load() }

// Until gives way until cond holds, and reports whether it does. It gives up after Patience, or when somebody has failed.
// What it counts between two looks is a millisecond at most, so that a process that is stopped uses up no patience.
func (c *Crew) Until(cond func() bool) bool {
	limit := c.Patience
	if limit == 0 {
		limit = patience
	}
	came := false
	wait(limit, func() bool {
		came = cond()
		return came || c.Failed()
	})
	return came
}

// hangAfter is how long the others may take to stop after a failure.
const hangAfter = 200 * time.Millisecond

// Join waits for the crew to be done and returns its errors. After a failure it waits no longer than a while: the others may
// hang for ever on what the dead one left.
func (c *Crew) Join() error {
	done := func() bool { return c.running.Load() == 0 }
	for !done() && !c.Failed() {
		wait(time.Second, func() bool { return done() || c.Failed() })
	}
	wait(hangAfter, done)
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.errs...)
}

// wait gives way until cond holds, or for that long.
func wait(limit time.Duration, cond func() bool) bool {
	for turn := 0; !cond(); turn++ {
		if limit < 0 {
			return false
		}
		start := time.Now()
		if turn < 100 {
			runtime.Gosched()
		} else {
			time.Sleep(time.Duration(min(turn-100, 1000)) * time.Microsecond) // the longer it takes, the less it costs
		}
		limit -= min(time.Since(start), time.Millisecond)
	}
	return true
}
