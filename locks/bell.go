package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// A Bell lets one goroutine sleep until another has something for it, at the price of a load to whoever has something while nobody
// sleeps. The zero Bell is ready. It must not be copied.
//
// No wake-up is lost. The sleeper says that it sleeps and then looks once more whether there is something; who has something publishes it and
// then looks whether anybody sleeps. Go's atomics are sequentially consistent, so at least one of the two sees the other's store. What is
// published must be an atomic, or under a lock.
type Bell struct {
	_        noCopy
	sleeping atomic.Uint32
	sema     Sema
	// Now, if set before use, is a clock for how late a sleeper wakes: see Rung. It is asked only when somebody sleeps.
	Now  func() int64
	rung atomic.Int64
}

// Rung is when the bell rang that ended the last Sleep which slept, by Now. The sleeper calls it.
func (b *Bell) Rung() int64 { return b.rung.Load() }

// Sleep returns when the bell rings, or at once if ready reports that there is something. One goroutine calls it. slept says whether it rang.
func (b *Bell) Sleep(ready func() bool) (slept bool) {
	probe.Store(&b.sleeping)
	b.sleeping.Store(1)
	if ready() {
		probe.RMW(&b.sleeping)
		if b.sleeping.CompareAndSwap(1, 0) {
			return false
		}
	}
	b.sema.Wait() // after a failed CAS too: the ringer's post is on its way
	return true
}

// Ring wakes the sleeper if there is one, and reports whether.
func (b *Bell) Ring() bool {
	probe.Load(&b.sleeping)
	if b.sleeping.Load() == 0 {
		return false
	}
	probe.RMW(&b.sleeping)
	if !b.sleeping.CompareAndSwap(1, 0) {
		return false
	}
	if b.Now != nil {
		b.rung.Store(b.Now()) // the sleeper loads it after Wait; nobody rings before it sleeps again
	}
	b.sema.Post()
	return true
}
