package locks

import _ "unsafe" // for go:linkname

// These are what sync.Mutex is made of. The runtime keeps them linkable for other modules
// (golang.org/issue/67401); the empty empty.s lets the compiler accept functions without a body.

// semacquire waits until *sema > 0 and decrements it. Waiters are served first come, first served.
//
//go:linkname semacquire sync.runtime_Semacquire
func semacquire(sema *uint32)

// semrelease increments *sema and wakes one waiter. With handoff the waiter runs at once in our place.
//
//go:linkname semrelease sync.runtime_Semrelease
func semrelease(sema *uint32, handoff bool, skipframes int)

// canSpin(0) reports whether there is more than one CPU, another one runs a goroutine, and none waits
// for this one.
//
//go:linkname canSpin sync.runtime_canSpin
func canSpin(i int) bool

// procyield executes about that many PAUSEs (amd64), or waits about that many ns (arm64).
//
//go:linkname procyield runtime.procyield
func procyield(cycles uint32)
