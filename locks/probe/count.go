//go:build count

package probe

import "sync/atomic"

// Enabled reports whether points disturb their caller in this build: here they only count.
const Enabled = false

// Counting reports whether this build counts accesses.
const Counting = true

// State. The counters are atomic although a count means something for one worker only: nothing is timed in this flavour, so it costs nothing, and whoever
// else passes a point, a test's goroutines say, breaks no rule of memory.
var loads, stores, rmws, waits atomic.Uint64

// Load marks a load of *p.
func Load[T any](p *T) { loads.Add(1) }

// Store marks a store to *p.
func Store[T any](p *T) { stores.Add(1) }

// RMW marks an atomic read-modify-write of *p.
func RMW[T any](p *T) { rmws.Add(1) }

// Pause marks one turn of a busy wait.
func Pause() { waits.Add(1) }

// Park marks a wait for the semaphore *sema, which may sleep. It returns false: the caller has to wait.
func Park(sema *uint32) (done bool) {
	waits.Add(1)
	return false
}

// Unpark marks a post of the semaphore *sema. It returns false: the caller has to post.
func Unpark(sema *uint32) (done bool) { return false }

// Work marks local computation of that many units of locks.Delay.
func Work(units uint32) {}

// Seed does nothing in this flavour.
func Seed(seed int64) {}

// SetRates replaces the rates and returns the old ones. It does nothing in this flavour.
func SetRates(r Rates) Rates { return r }

// Counts returns nil in this flavour, which does not know sites.
func Counts() map[string]uint64 { return nil }

// Passed returns how often points were passed since the start of the process.
func Passed() Accesses {
	return Accesses{Loads: loads.Load(), Stores: stores.Load(), RMWs: rmws.Load(), Waits: waits.Load()}
}
