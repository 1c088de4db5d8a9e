package machine

import (
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// A Class groups the samples of one machine by the distance of its CPUs. A
// hypervisor moves two virtual CPUs between two cores and the two hardware
// threads of one core; contended figures then change several-fold and nothing
// else in the guest shows it. Compare figures of one class only.
//
// The class means nothing across machines: on bare metal, cores that share a
// cache can be as near as hardware threads of another machine.
type Class string

const (
	Near  Class = "near"  // below nearBelow before and after the sample
	Far   Class = "far"   // above farAbove before and after the sample
	Moved Class = "moved" // neither: the CPUs were moved, or are between the limits
)

// The limits, in nanoseconds one way, lie in the gap measured on a two-CPU
// guest of an Emerald Rapids server: 25 to 26 on one core, 50 to 99 on two.
const (
	nearBelow = 35
	farAbove  = 40
)

// Classify names the class of a sample from the results of a [PingPong] before
// and one after it. Both must have been ok.
func Classify(before, after float64) Class {
	switch {
	case before < nearBelow && after < nearBelow:
		return Near
	case before > farAbove && after > farAbove:
		return Far
	}
	return Moved
}

const (
	chunks        = 15   // timed; odd, for the median
	tripsPerChunk = 64   // there and back, 10 µs at 80 ns one way
	spinsPerYield = 4096 // some 10 µs of silence before the processor is offered to others
	rallyLimit    = 20 * time.Millisecond
	farthest      = 2000 // ns one way: no line takes as long, two sides that share a CPU take longer
)

// PingPong passes a cache line back and forth between two CPUs for about 0.2 ms,
// 0.5 with starting the threads, and returns the nanoseconds of one way, the
// median of 15 chunks so that an interruption does not show. A CPU that cannot be pinned to, as any below 0,
// leaves its side where the scheduler puts it.
//
// It is not ok when the two sides did not run at the same time: at once if they
// never can (GOMAXPROCS=1, or twice the same CPU), else after 20 ms.
func PingPong(a, b int) (oneWay float64, ok bool) {
	if runtime.GOMAXPROCS(0) < 2 || a == b && a >= 0 {
		return 0, false
	}
	t := new(table)
	left := make(chan struct{})
	go func() {
		defer close(left)
		defer tryPin(b)()
		t.returnBalls()
	}()
	defer tryPin(a)()
	oneWay, ok = t.serve()
	t.over.Store(true)
	<-left
	return oneWay, ok
}

// tryPin pins if it can, and returns what undoes it.
func tryPin(cpu int) (undo func()) {
	unpin, err := Pin(cpu)
	if err != nil {
		return func() {}
	}
	return unpin
}

// A table is what the two sides share. ball counts the strokes: the server
// writes odd numbers, its opponent even ones, and each writes only after it has
// read the other's, so the Stores and Loads of the two sides are each other's
// partners, and the line crosses once a stroke. over, which the server sets when
// it stops, is more than 128 bytes away, as are the neighbours on the heap:
// hardware may fetch lines in pairs.
type table struct {
	_    [128]byte
	ball atomic.Uint64
	_    [128]byte
	over atomic.Bool
	_    [128]byte
}

// serve times the rally. The first chunk waits for the opponent's thread to
// start and is thrown away.
func (t *table) serve() (oneWay float64, ok bool) {
	var times [chunks]float64
	deadline := time.Now().Add(rallyLimit)
	ball := uint64(0)
	for i := -1; i < chunks; i++ {
		start := time.Now()
		for range tripsPerChunk {
			t.ball.Store(ball + 1)
			ball += 2
			if !t.await(ball, deadline) {
				return 0, false
			}
		}
		if i >= 0 {
			times[i] = float64(time.Since(start)) / (2 * tripsPerChunk)
		}
	}
	slices.Sort(times[:])
	median := times[chunks/2]
	return median, median < farthest
}

// returnBalls answers until the server says that the game is over.
func (t *table) returnBalls() {
	for ball := uint64(1); t.await(ball, time.Time{}); ball += 2 {
		t.ball.Store(ball + 1)
	}
}

// await spins until the ball is there, false if it will not come: the game is
// over, or the deadline, if there is one, has passed. The opponent may want
// this very processor, so long silence yields it.
func (t *table) await(ball uint64, deadline time.Time) bool {
	for spins := 1; t.ball.Load() != ball; spins++ {
		if spins%spinsPerYield != 0 {
			continue
		}
		if t.over.Load() || !deadline.IsZero() && time.Now().After(deadline) {
			return false
		}
		runtime.Gosched()
	}
	return true
}
