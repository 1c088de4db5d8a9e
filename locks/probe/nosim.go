//go:build !sim

package probe

import "errors"

// Simulating reports whether this build can Simulate.
const Simulating = false

// Simulate returns an error: it takes the tag sim.
func Simulate(workers []func() error, limit int, choose func(*Choice) int) error {
	return errors.New("probe: built without the tag sim, which simulations need")
}

// Site tells where Current stands: nowhere in this flavour.
func (c *Choice) Site() string { return "" }
