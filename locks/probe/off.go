//go:build !torture && !sim && !count

package probe

// Enabled reports whether points disturb their caller in this build.
const Enabled = false

// Load marks a load of *p.
func Load[T any](p *T) {}

// Store marks a store to *p.
func Store[T any](p *T) {}

// RMW marks an atomic read-modify-write of *p.
func RMW[T any](p *T) {}

// Pause marks one turn of a busy wait.
func Pause() {}

// Park marks a wait for the semaphore *sema, which may sleep. It returns false: the caller has to wait.
func Park(sema *uint32) (done bool) { return false }

// Unpark marks a post of the semaphore *sema. It returns false: the caller has to post.
func Unpark(sema *uint32) (done bool) { return false }

// Work marks local computation of that many units of locks.Delay.
func Work(units uint32) {}

// Seed starts the random choices anew. It does nothing in this flavour.
func Seed(seed int64) {}

// SetRates replaces the rates and returns the old ones. It does nothing in this flavour.
func SetRates(r Rates) Rates { return r }

// Counts returns how often each site ("dir/file.go:line") was passed: nil in this flavour.
func Counts() map[string]uint64 { return nil }
