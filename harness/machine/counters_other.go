//go:build !linux

package machine

import (
	"errors"
	"fmt"
	"runtime"
)

// Counters count what all threads of this process do in user space. There are none on this system.
type Counters struct{}

// NewCounters says that there are none.
func NewCounters() (*Counters, error) {
	return nil, fmt.Errorf("hardware counters: %w on %s", errors.ErrUnsupported, runtime.GOOS)
}

// Names are the counters there are.
func (c *Counters) Names() []string { return nil }

// Start counts from now on.
func (c *Counters) Start() error { return errors.ErrUnsupported }

// Stop counts no more, and returns what was counted.
func (c *Counters) Stop() ([]Counted, error) { return nil, errors.ErrUnsupported }
