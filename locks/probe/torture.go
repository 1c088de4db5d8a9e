//go:build torture

package probe

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// Enabled reports whether points disturb their caller in this build.
const Enabled = true

// State. Each goroutine works on the shard that its stack address falls on, because one shared counter or
// random state, being atomic, would order all workers and so hide from the race detector the very races
// that the delays are there to provoke. Two stacks that fall on one shard share it: the counts stay exact,
// and only that pair is ordered.
const (
	shards = 1 << 10
	slots  = 1 << 11 // sites; a power of two
)

type shard struct {
	rng    atomic.Uint64
	counts [slots]atomic.Uint64 // by index into sites
	_      [128]byte
}

var (
	all   [shards]shard            // untouched shards cost no memory
	sites [slots]atomic.Uintptr    // open addressing by return address; 0 is empty
	rates = Rates{16, 16, 1 << 12} // set before the workers start
)

// The exported points must not be inlined: the site is their return address.

// Load marks a load of *p.
//
//go:noinline
func Load[T any](p *T) { point() }

// Store marks a store to *p.
//
//go:noinline
func Store[T any](p *T) { point() }

// RMW marks an atomic read-modify-write of *p.
//
//go:noinline
func RMW[T any](p *T) { point() }

// Pause marks one turn of a busy wait.
//
//go:noinline
func Pause() { point() }

// Park marks a wait for the semaphore *sema, which may sleep. It returns false: the caller has to wait.
//
//go:noinline
func Park(sema *uint32) (done bool) {
	point()
	return false
}

// Unpark marks a post of the semaphore *sema. It returns false: the caller has to post.
//
//go:noinline
func Unpark(sema *uint32) (done bool) {
	point()
	return false
}

// Work marks local computation of that many units of locks.Delay.
//
//go:noinline
func Work(units uint32) { point() }

// Seed starts the random choices anew; call it before the workers start. The same seed gives the same
// choices to the same stack addresses, not the same schedule. Before the first Seed all stacks choose alike.
func Seed(s int64) {
	for i := range all {
		all[i].rng.Store(mix(uint64(s) + uint64(i)))
	}
}

// SetRates replaces the rates and returns the old ones; call it before the workers start.
func SetRates(r Rates) (old Rates) {
	old, rates = rates, r
	return old
}

// Counts returns how often each site ("dir/file.go:line") was passed since the start of the process. A
// site that a test never passes is a finding: that code went untested.
func Counts() map[string]uint64 {
	m := make(map[string]uint64)
	for i := range sites {
		pc := sites[i].Load()
		if pc == 0 {
			continue
		}
		f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
		key := fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File), f.Line)
		for j := range all {
			m[key] += all[j].counts[i].Load()
		}
	}
	return m
}

// point counts the site two frames up and now and then disturbs its caller.
//
//go:noinline
func point() {
	var pc [1]uintptr
	runtime.Callers(3, pc[:]) // skips Callers, point and the exported point
	// A stack begins at a multiple of its size, at least 2 KiB, so two goroutines never share a key.
	i := mix(uint64(uintptr(unsafe.Pointer(&pc)))>>11) % shards
	s := &all[i]
	s.counts[slot(pc[0])].Add(1)
	switch {
	case s.oneIn(rates.Yield):
		runtime.Gosched()
	case s.oneIn(rates.Delay):
		for range s.draw() % 512 {
			s.draw()
		}
	case s.oneIn(rates.Sleep):
		time.Sleep(time.Duration(s.draw()%50) * time.Microsecond)
	}
}

// draw returns the next random number of the shard: splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
func (s *shard) draw() uint64 { return mix(s.rng.Add(0x9e3779b97f4a7c15)) }

func (s *shard) oneIn(n uint32) bool { return n != 0 && s.draw()%uint64(n) == 0 }

// slot returns the index of a return address in sites, entering it if it is new.
func slot(pc uintptr) uint64 {
	for i, n := mix(uint64(pc))%slots, 0; n < slots; i, n = (i+1)%slots, n+1 {
		if sites[i].Load() == 0 {
			sites[i].CompareAndSwap(0, pc) // if another site gets there first, go on to the next slot
		}
		if sites[i].Load() == pc {
			return i
		}
	}
	panic("probe: more sites than slots")
}

// mix is splitmix64's output function: a bijection that spreads every bit of x.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
