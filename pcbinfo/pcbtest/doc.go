// Package pcbtest checks that every scheme of package pcbinfo is the same connection table: one driver for all of them, for
// tests and for long runs.
//
// Four checks, in the order in which to use them on a new scheme. Conform plays a random history on a scheme and on the
// Reference, one operation at a time, and compares every answer. ConformParallel does so with workers that run at once, on
// connections of their own. Torture lets workers fight over the same connections, where only some answers are certain, and checks those.
// Linear lets them fight in short histories, and looks for an order of each that explains all answers.
//
// All choices follow from Config.Seed but for the scheduler's, and every error names the seed. Build with the tag torture to disturb
// the schedule at the points where shared memory is touched (package locks/probe).
package pcbtest

import "pcbbench/pcbinfo"

// Config says on what table, and for how long.
type Config struct {
	Table pcbinfo.Config // CPUs is the number of workers, up to 254; the checks choose Seed, MSL and ephemeral ports themselves
	Steps int            // of each worker
	Seed  uint64         // of the histories, and of the table's hashes
	Flood bool           // Torture only: SYNs push half-open connections out of a small syncache
	// Beat, if not nil, is called by worker i once a step, for who watches over progress. It runs beside the others'.
	Beat func(worker int)
	// Linearity, if not nil, is where Linear adds what it counted.
	Linearity *Linearity
}
