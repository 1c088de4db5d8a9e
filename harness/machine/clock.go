package machine

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"

	"github.com/loov/hrtime"
)

// A Clock hands out time stamps in ticks. The ticks are the CPU's time-stamp
// counter ("tsc") when that is invariant, advances, and the kernel itself keeps
// time by it; else the runtime's monotonic clock ("nanotime"), one tick a
// nanosecond. On a 2.3 GHz server guest a stamp costs 11 ns by tsc, 28 ns by
// nanotime; two in a row are no less than that apart, which is the resolution.
//
// A tsc stamp does not wait for earlier instructions, so a few nanoseconds of
// the measured code can fall outside: measure a batch, not an operation. The
// counters of two CPUs may differ by tens of nanoseconds: subtract stamps of
// one thread.
//
// Now may be called by any number of threads. NS may too, but not while
// Recalibrate runs.
type Clock struct {
	tsc       bool
	base      time.Time // nanotime's zero
	start     stamp     // first half of the pair that Recalibrate completes
	nsPerTick float64
}

// A stamp is one moment on both clocks.
type stamp struct{ ticks, ns int64 }

// warmup is the distance of the first calibration's pair. A pair is exact to
// about 20 ns, so the rate of the start is good to 1e-5; Recalibrate, seconds
// later, betters it to 1e-6.
const warmup = 2 * time.Millisecond

// maxDrift is how far the rate of the start may be from that of the whole
// experiment. The calibration errs by 1e-5 and the kernel slews its clock by
// 5e-4 at most; beyond both, one of the clocks stood still or was stepped, as
// in a suspended or migrated guest.
const maxDrift = 1e-3

// NewClock makes and calibrates a clock, which takes about 2 ms.
func NewClock() *Clock {
	c := &Clock{
		tsc:       clockSource(os.DirFS("/")) == "tsc",
		base:      time.Now(),
		nsPerTick: 1,
	}
	c.start = c.stamp()
	if c.tsc {
		time.Sleep(warmup)
		c.nsPerTick = c.rate(c.stamp())
	}
	return c
}

// Now is the current time in ticks from an arbitrary zero. It does not
// allocate.
func (c *Clock) Now() int64 {
	if c.tsc {
		return int64(hrtime.TSC())
	}
	return int64(time.Since(c.base))
}

// NS converts a difference of ticks to nanoseconds.
func (c *Clock) NS(ticks int64) float64 { return float64(ticks) * c.nsPerTick }

// Source is "tsc" or "nanotime".
func (c *Clock) Source() string {
	if c.tsc {
		return "tsc"
	}
	return "nanotime"
}

// Recalibrate replaces the rate by that of the time since NewClock. Call it at
// the end of the experiment, when the workers have stopped, and convert
// afterwards. An error says that the two clocks disagree and no figure of the
// experiment can be trusted; the rate is then left as it was.
func (c *Clock) Recalibrate() error { return c.complete(c.stamp()) }

func (c *Clock) complete(end stamp) error {
	rate := c.rate(end)
	if drift := rate/c.nsPerTick - 1; !(math.Abs(drift) <= maxDrift) { // NaN is drift, too
		return fmt.Errorf("machine: %s clock: %g ns a tick at the start, %g over the experiment: "+
			"a clock stood still or was stepped", c.Source(), c.nsPerTick, rate)
	}
	c.nsPerTick = rate
	return nil
}

// rate is the nanoseconds of a tick between the start and end.
func (c *Clock) rate(end stamp) float64 {
	return float64(end.ns-c.start.ns) / float64(end.ticks-c.start.ticks)
}

// stamp reads both clocks at one moment: nanotime between two reads of the
// ticks, and of several tries the one whose reads are closest, since a thread
// may lose its CPU in between.
func (c *Clock) stamp() stamp {
	var best stamp
	closest := int64(math.MaxInt64)
	for range 16 {
		before := c.Now()
		ns := int64(time.Since(c.base))
		after := c.Now()
		if after-before < closest {
			closest = after - before
			best = stamp{ticks: before + closest/2, ns: ns}
		}
	}
	if !c.tsc {
		best.ticks = best.ns // one clock, not two: its rate is 1 exactly
	}
	return best
}

// clockSource decides which ticks a clock of the machine at root uses.
func clockSource(root fs.FS) string {
	kernel, _ := fs.ReadFile(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")
	if hrtime.TSCSupported() && strings.TrimSpace(string(kernel)) == "tsc" && tscAdvances() {
		return "tsc"
	}
	return "nanotime"
}

// tscAdvances guards against an emulated counter that stands still.
func tscAdvances() bool {
	first := hrtime.TSC()
	for range 1000 {
		if hrtime.TSC() > first {
			return true
		}
	}
	return false
}
