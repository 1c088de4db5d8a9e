package lockbench

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
)

// A Bench is what samples of one process share.
type Bench struct {
	Clock *machine.Clock
	CPUs  []int          // in the order in which workers are placed
	PerNS float64        // units of locks.Delay in a nanosecond
	Noise *machine.Noise // nil: nobody asks what the machine did meanwhile

	trace *trace // reused
	stamp float64
	part  atomic.Pointer[part] // that runs
}

// A Result is what a sample gave. Times are in ns.
type Result struct {
	Case
	Places  int    // CPUs that the workers had
	Plain   counts // of the plain part
	Stamped counts
	Floor   float64 // ns of a CPU that a section takes with no lock; 0: see floor
	Stamp   float64 // what reading the clock takes

	Waits    *hdrhistogram.Histogram // ticks from arrival to getting in
	HandOffs *hdrhistogram.Histogram // ticks from another's letting go to getting in, of workers that waited by then
	Windows  [2]mean                 // Jain's index by windows of sections
	Millis   mean                    // Jain's index by milliseconds
	Holds    float64                 // Jain's index of time held
	Together float64                 // share of the time that all were under way

	Noise   machine.Delta // while the parts ran: what comes before and after needs one CPU
	Locked  machine.Delta // of these, of the two with the lock
	Watched time.Duration // of Noise

	clock *machine.Clock
}

// The range of waits, in ticks: up to some ten seconds, two digits.
const maxTicks = 1 << 36

// The shares of a sample's measured time, in eighths.
const (
	floorShare   = 1
	plainShare   = 4
	stampedShare = 3
)

// WindowSizes are how many sections a worker each window has room for.
var WindowSizes = [2]int{8, 64}

// Measure takes a sample of c, whose Check and Refusal have passed, in about d after each part has warmed up. An error says what the lock broke, or that threads
// cannot be pinned; then there is no Result.
func (b *Bench) Measure(c Case, seed uint64, warm, d time.Duration) (*Result, error) {
	c = c.withDefaults()
	spec := c.spec()
	return b.measure(c, seed, warm, d, func(t *trace, d time.Duration, rng *rand.Rand) (*part, error) { return b.newPart(c, &spec, t, d, rng) })
}

// measure is Measure with parts of any locks.
func (b *Bench) measure(c Case, seed uint64, warm, d time.Duration, newPart func(*trace, time.Duration, *rand.Rand) (*part, error)) (*Result, error) {
	if b.trace == nil {
		b.trace, b.stamp = newTrace(traceEvents), stampCost(b.Clock)
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	r := &Result{Case: c, Places: b.places(c), Stamp: b.stamp, clock: b.Clock}
	var all [3]*part
	for i, make := range []func() (*part, error){
		func() (*part, error) { return b.newPart(c, nil, nil, d*floorShare/8, rng) },
		func() (*part, error) { return newPart(nil, d*plainShare/8, rng) },
		func() (*part, error) { return newPart(b.trace, d*stampedShare/8, rng) },
	} {
		p, err := make()
		if err != nil {
			return nil, err
		}
		all[i] = p
	}
	if err := b.run(r, all[:], warm); err != nil {
		return nil, err
	}
	if err := b.Clock.Recalibrate(); err != nil {
		return nil, err
	}
	floor := all[0].count()
	r.Plain, r.Stamped = all[1].count(), all[2].count()
	r.Floor = r.floor(&floor)
	r.read(b.trace)
	return r, nil
}

// run has the parts run one after the other, and tells what the machine did meanwhile.
func (b *Bench) run(r *Result, parts []*part, warm time.Duration) error {
	runtime.LockOSThread() // which takes the snapshots, and does not count
	defer runtime.UnlockOSThread()
	snaps, began := []machine.Snapshot{b.snapshot()}, time.Now()
	for _, p := range parts {
		b.part.Store(p)
		if err := p.run(b.ticks(warm)); err != nil {
			return err
		}
		snaps = append(snaps, b.snapshot())
	}
	r.Watched = time.Since(began)
	last := snaps[len(snaps)-1]
	r.Noise, r.Locked = last.Sub(snaps[0]), last.Sub(snaps[1])
	return nil
}

// snapshot is empty if nobody asks.
func (b *Bench) snapshot() (s machine.Snapshot) {
	if b.Noise != nil {
		s = b.Noise.Snapshot()
	}
	return s
}

// Progress grows while any worker gets on.
func (b *Bench) Progress() (sum uint64) {
	if p := b.part.Load(); p != nil {
		for i := range p.workers {
			sum += p.workers[i].beat.Load()
		}
	}
	return sum
}

// places is on how many CPUs c's workers run.
func (b *Bench) places(c Case) int {
	n := min(c.Workers, runtime.GOMAXPROCS(0))
	if c.Pin == PinCPU {
		cpus := slices.Clone(b.CPUs[:c.Workers])
		slices.Sort(cpus)
		n = min(n, len(slices.Compact(cpus)))
	}
	return n
}

// ticks is how many of the clock's ticks d lasts, rounded up.
func (b *Bench) ticks(d time.Duration) int64 { return int64(math.Ceil(float64(d) / b.Clock.NS(1))) }

// stampCost is what reading the clock takes, in ns: the least of several runs, which leaves disturbances out.
func stampCost(clock *machine.Clock) float64 {
	const runs, stamps = 20, 1000
	best := math.Inf(1)
	for range runs {
		start := clock.Now()
		for range stamps {
			clock.Now()
		}
		best = min(best, clock.NS(clock.Now()-start)/stamps)
	}
	return best
}

// cpu is the time of a CPU that a section took, ns: the waiting of all workers is in it.
func (r *Result) cpu(c *counts) float64 { return c.wall * float64(r.Places) / float64(c.sections) }

// floor is what a section of the plain part would take with no lock. Where workers' sections differ, it is each worker's own, as often as the plain part had
// one: on the floor, who has short ones has more of them. It is 0 if that is not known, as workers share CPUs or one had no section.
func (r *Result) floor(c *counts) (ns float64) {
	if r.Uneven == 1 {
		return r.cpu(c)
	}
	for i, n := range c.each {
		if n == 0 || r.Places < r.Workers {
			return 0
		}
		ns += r.Plain.each[i] / float64(r.Plain.sections) * c.wall / n
	}
	return ns
}

// read takes from a trace what it tells.
func (r *Result) read(t *trace) {
	r.Waits, r.HandOffs = hdrhistogram.New(1, maxTicks, 2), hdrhistogram.New(1, maxTicks, 2)
	note := func(h *hdrhistogram.Histogram, ticks int64) { _ = h.RecordValue(min(max(1, ticks), maxTicks)) } // of two CPUs' clocks one may be behind
	t.each(func(_ int, e *event) {
		note(r.Waits, e.acquired-e.arrived)
		if e.before != 0 {
			note(r.HandOffs, e.acquired-e.before)
		}
	})
	entries := t.entries()
	for i, size := range WindowSizes {
		r.Windows[i] = byCount(entries, r.Workers, size*r.Workers)
	}
	r.Millis = byTime(entries, r.Workers, int64(1e6/r.clock.NS(1)), t.ended-t.from)
	r.Holds, r.Together = t.holds(), t.together()
}
