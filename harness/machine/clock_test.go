package machine

import (
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

func TestClockConversion(t *testing.T) {
	c := &Clock{tsc: true, start: stamp{ticks: 1000, ns: 500}, nsPerTick: 0.5}
	if got := c.NS(3); got != 1.5 {
		t.Errorf("3 ticks of 0.5 ns are %v ns", got)
	}
	// The start's rate errs by 1e-4, the whole experiment's counts.
	if err := c.complete(stamp{ticks: 1000 + 10000, ns: 500 + 5001}); err != nil {
		t.Fatal(err)
	}
	if got := c.NS(10000); got != 5001 {
		t.Errorf("10000 ticks are %v ns, want 5001", got)
	}
}

func TestClockRefusesDisagreement(t *testing.T) {
	for name, end := range map[string]stamp{
		"nothing passed":    {1000, 500},
		"ticks stood still": {1000, 900},
		"ticks ran back":    {900, 900},
		"time was stepped":  {11000, 6000},
	} {
		c := &Clock{tsc: true, start: stamp{ticks: 1000, ns: 500}, nsPerTick: 0.5}
		if err := c.complete(end); err == nil || !strings.Contains(err.Error(), "tsc clock") {
			t.Errorf("%s: error %v", name, err)
		}
		if c.NS(2) != 1 {
			t.Errorf("%s: the rate was changed to %v", name, c.NS(1))
		}
	}
}

func TestClockAdvances(t *testing.T) {
	runtime.LockOSThread() // the promise is per thread
	defer runtime.UnlockOSThread()
	for _, c := range []*Clock{NewClock(), {base: NewClock().base, nsPerTick: 1}} {
		first := c.Now()
		last := first
		for range 10000 {
			now := c.Now()
			if now < last {
				t.Fatalf("%s ran back from %d to %d", c.Source(), last, now)
			}
			last = now
		}
		if last <= first || c.NS(last-first) <= 0 {
			t.Errorf("%s stood still at %d", c.Source(), first)
		}
		if err := c.Recalibrate(); c.Source() == "nanotime" && (err != nil || c.NS(1) != 1) {
			t.Errorf("one clock disagrees with itself: %v, a tick is %v ns", err, c.NS(1))
		}
	}
}

func TestClockNowDoesNotAllocate(t *testing.T) {
	for _, c := range []*Clock{NewClock(), {base: NewClock().base, nsPerTick: 1}} {
		var sink int64
		if n := testing.AllocsPerRun(1000, func() { sink += c.Now() }); n != 0 {
			t.Errorf("%s: %v allocations a stamp", c.Source(), n)
		}
	}
}

// Without the kernel's trust in it, an invariant counter is not used.
func TestClockSourceAsksTheKernel(t *testing.T) {
	const name = "sys/devices/system/clocksource/clocksource0/current_clocksource"
	for _, root := range []fstest.MapFS{{}, {name: file("kvm-clock\n")}, {name: file("hpet\n")}} {
		if got := clockSource(root); got != "nanotime" {
			t.Errorf("%v: %s", root, got)
		}
	}
	if got := clockSource(fstest.MapFS{name: file("tsc\n")}); runtime.GOARCH != "amd64" && got == "tsc" {
		t.Errorf("%s on %s", got, runtime.GOARCH)
	}
}
