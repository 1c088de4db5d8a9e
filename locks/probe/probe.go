// Package probe marks the points at which shared memory is touched.
//
// A lock or a scheme calls Load, Store or RMW just before it loads, stores or atomically updates a word
// that other workers write, Pause on every turn of a busy wait, Park just before it may sleep on a
// semaphore and Unpark just before it posts one, and Work for local computation. The argument is the
// address about to be touched; the site is the caller's. What a call does is chosen by build tag:
//
//   - off (no tag): nothing. The calls are inlined away; TestOffCostsNothing compares machine code.
//   - torture: seeded random yields, delays and rare sleeps, with a count a site, so that a test meets
//     in seconds the interleavings that a quiet machine shows once a day.
//   - sim: the workers of a Simulate run one at a time, and at each point it is chosen who goes on. Since Go's
//     atomics are sequentially consistent, this loses nothing but what plain accesses, which the race
//     detector checks, could do between two points. Elsewhere points do nothing.
//   - count: each is counted, by kind, and nothing else: what one worker does to shared memory is then an exact number.
//
// The functions are generic so that callers pass &l.state of any type without unsafe, and so that an
// empty body leaves no conversion behind.
package probe

// Rates says how often a point disturbs its caller in the torture flavour: at one point in Yield it
// calls runtime.Gosched, at one in Delay it burns up to a few microseconds without giving up the CPU, at
// one in Sleep it sleeps for up to 50 microseconds. Zero means never.
type Rates struct {
	Yield, Delay, Sleep uint32
}

// Accesses are how often points were passed, by kind. Waits are turns of busy waits and parkings.
type Accesses struct {
	Loads, Stores, RMWs, Waits uint64
}

// Since is what a counts beyond b, an earlier state of the same counts.
func (a Accesses) Since(b Accesses) Accesses {
	return Accesses{a.Loads - b.Loads, a.Stores - b.Stores, a.RMWs - b.RMWs, a.Waits - b.Waits}
}
