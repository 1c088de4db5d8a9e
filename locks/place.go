package locks

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"unsafe"

	"github.com/klauspost/cpuid/v2"

	"pcbbench/locks/probe"
)

// LinePad is how far apart, in bytes, words must be that different CPUs write: two lines of 64 bytes, which
// amd64 fetches in pairs, or one of Apple's. Types pad to it at compile time; TestLineSize compares it with
// the machine.
const LinePad = 128

// LineSize returns how many bytes move together between the caches of this machine, as cpuid tells it: on
// amd64 two lines, since the adjacent one is prefetched. It is for reports; code pads to LinePad.
func LineSize() int {
	line := cpuid.CPU.CacheLine
	if line == 0 { // the CPU does not tell
		line = 64
	}
	if runtime.GOARCH == "amd64" {
		line *= 2
	}
	return line
}

// arenaBytes is 16 pages of 4 KiB, or 512 places for a lock. It must exceed 32 KiB, above which Go allocates whole
// pages, which begin at a page's boundary and hold nothing else.
const arenaBytes = 64 << 10

// Place returns a zero T on lines and pages of its own, at a multiple of LinePad that is drawn anew each
// time. Where a lock happens to lie decides which slice of the last-level cache serves it, and biases
// contended figures by several percent for as long as it stays: who draws a new place for every sample
// turns that bias into noise, which averages out. Each call costs an arena of 64 KiB, which stays for as
// long as the T. In a build for simulations, where nothing is timed and locks are made by the million, any place will do.
func Place[T any]() *T {
	var zero T
	if probe.Simulating {
		return &zero
	}
	arena := make([]T, arenaBytes/unsafe.Sizeof(zero))
	start := rand.IntN(len(arena))
	for i := range arena {
		t := &arena[(start+i)%len(arena)]
		if uintptr(unsafe.Pointer(t))%LinePad == 0 { // arena[0] does, if no other
			return t
		}
	}
	panic(fmt.Sprintf("locks: no place for a %T in an arena at %p", zero, arena))
}

// A Node is one worker's place in the queue of a lock that queues. A worker needs one for each lock that it
// holds or waits for at the same time, and may use it for another lock after Unlock. The zero Node is
// ready. It must not be copied.
type Node struct {
	_ [LinePad]byte // on both sides, so that it may be embedded anywhere
	mcsNode
	clhNode
	_ [LinePad]byte // what follows is written by another worker while it waits
	hemlockNode
	_ [LinePad]byte
}
