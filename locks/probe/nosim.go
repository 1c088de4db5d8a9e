//go:build !sim

package probe

import "errors"

// Simulating reports whether this build can Simulate.
const Simulating = false

// Simulate returns an error: it takes the tag sim.
func Simulate(workers []func() error, limit int, choose func(*Choice) int) error {
	return errors.New("probe: built without the tag sim, which simulations need")
}

// Worker is the number of the simulated worker that calls; 0 outside of a simulation.
func Worker() int { return 0 }

// Site tells where Current stands: nowhere in this flavour.
func (c *Choice) Site() string { return "" }
