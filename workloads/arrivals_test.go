package workloads

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// arrivals reads text; the mean rate in tests is one a nanosecond's thousand.
func arrivals(t *testing.T, text string) Arrivals {
	t.Helper()
	a, err := ParseArrivals(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// draw takes the first n arrivals of a at one a microsecond, in nanoseconds.
func draw(t *testing.T, text string, n int, seed, context uint64) []float64 {
	t.Helper()
	var s stream
	arrivals(t, text).begin(&s, 1e-3, 1, seed, context)
	times := make([]float64, n)
	for i := range times {
		times[i] = s.next(&s)
	}
	return times
}

// counts are how many of times fall into each window of that length, the last one left out.
func counts(times []float64, window float64) []float64 {
	c := make([]float64, int(times[len(times)-1]/window)+1)
	for _, at := range times {
		c[int(at/window)]++
	}
	return c[:len(c)-1]
}

func meanVar(v []float64) (mean, variance float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		variance += (x - mean) * (x - mean) / float64(len(v)-1)
	}
	return mean, variance
}

// near fails unless got is want within a share of it.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s is %.4g, want %.4g within %v%%", what, got, want, 100*share)
	}
}

// TestArrivalRates checks the mean rate of every process, that times never decrease, that a seed repeats itself, and that contexts and seeds differ.
func TestArrivalRates(t *testing.T) {
	const n = 200_000
	for _, text := range []string{"poisson", "burst", "burst:interval=20us:frames=4", "burst:frames=1", "onoff", "onoff:on=50us:off=150us",
		"onoff:on=30us:off=70us:periods=fixed"} {
		for seed := range uint64(3) {
			times := draw(t, text, n, seed, 1)
			if !slices.IsSorted(times) || times[0] < 0 {
				t.Errorf("%s seed %d: arrivals are not in order", text, seed)
			}
			// The count in a long time has a standard deviation of a few times that of a Poisson process here, or 1 % of n.
			near(t, text+": mean gap in ns", times[n-1]/n, 1000, 0.05)
			if again := draw(t, text, 1000, seed, 1); !slices.Equal(again, times[:1000]) {
				t.Errorf("%s: seed %d is not the same twice", text, seed)
			}
			for _, other := range [][]float64{draw(t, text, 1000, seed+1, 1), draw(t, text, 1000, seed, 2)} {
				if slices.Equal(other, times[:1000]) {
					t.Errorf("%s: another seed or context gives the same arrivals", text)
				}
			}
		}
	}
}

// TestPoisson checks gaps that are exponential, and counts whose variance is their mean.
func TestPoisson(t *testing.T) {
	times := draw(t, "poisson", 500_000, 7, 0)
	gaps := make([]float64, len(times)-1)
	beyond := 0.0
	for i := range gaps {
		if gaps[i] = times[i+1] - times[i]; gaps[i] > 2000 {
			beyond++
		}
	}
	mean, variance := meanVar(gaps)
	near(t, "mean gap", mean, 1000, 0.01)
	near(t, "standard deviation of gaps", math.Sqrt(variance), 1000, 0.01)
	near(t, "share of gaps over two means", beyond/float64(len(gaps)), math.Exp(-2), 0.02)
	for _, window := range []float64{500, 10_000, 100_000} {
		mean, variance := meanVar(counts(times, window))
		near(t, "index of dispersion", variance/mean, 1, 0.06)
	}
}

// TestBurst checks that segments are seen at ticks an interval apart or when a burst is full, not before they came, and no more than a burst at a time.
func TestBurst(t *testing.T) {
	const n = 100_000
	for _, c := range []struct {
		text     string
		frames   int
		interval float64
	}{{"burst:interval=20us:frames=1000", 1000, 20_000}, {"burst:interval=20us:frames=8", 8, 20_000}, {"burst:interval=5us:frames=8", 8, 5_000}} {
		times := draw(t, c.text, n, 3, 0)
		sizes, full := []float64{}, 0
		var phases []float64
		for i := 0; i < n; {
			j := i
			for j < n && times[j] == times[i] {
				j++
			}
			if size := j - i; size == c.frames {
				full++
			} else if j < n {
				phases = append(phases, math.Mod(times[i], c.interval))
			}
			if j-i > c.frames {
				t.Fatalf("%s: %d at once", c.text, j-i)
			}
			sizes = append(sizes, float64(j-i))
			i = j
		}
		for _, p := range phases {
			if d := math.Abs(p - phases[0]); d > 1e-3 && math.Abs(d-c.interval) > 1e-3 {
				t.Fatalf("%s: a burst that is not full is seen at %v of an interval, another one at %v", c.text, p, phases[0])
			}
		}
		mean, _ := meanVar(sizes)
		switch {
		case c.frames == 1000: // Poisson in an interval, given that there is one
			near(t, c.text+": mean burst", mean, 20/(1-math.Exp(-20)), 0.02)
			if full > 0 {
				t.Errorf("%s: %d full bursts", c.text, full)
			}
		case full == 0:
			t.Errorf("%s: no full burst", c.text)
		}
	}
}

// TestOnOff checks the index of dispersion of long counts for exponential periods, and for fixed ones silences and cycles.
func TestOnOff(t *testing.T) {
	// An interrupted Poisson process of rate r while on, with on and off periods of mean a and b, has a limiting index of dispersion of
	// 1 + 2·r·a·b²/(a+b)² (Fischer and Meier-Hellstern, The Markov-modulated Poisson process cookbook, 1993).
	const on, off = 20_000.0, 60_000.0
	r := 1e-3 * (on + off) / on
	times := draw(t, "onoff:on=20us:off=60us", 1_000_000, 11, 0)
	mean, variance := meanVar(counts(times, 20*(on+off)))
	near(t, "index of dispersion", variance/mean, 1+2*r*on*off*off/(on+off)/(on+off), 0.1)

	times = draw(t, "onoff:on=20us:off=60us:periods=fixed", 400_000, 11, 0)
	silent, end := 0, times[len(times)-1]
	for i := range times[1:] {
		if times[i+1]-times[i] >= off {
			silent++
		}
	}
	near(t, "silences", float64(silent), end/(on+off), 0.01)
	mean, variance = meanVar(counts(times, on+off)) // whole cycles: Poisson within
	near(t, "index of dispersion of cycles", variance/mean, 1, 0.1)
}

// TestOnOffBeginsAnywhere checks that streams are on at their beginning as often as at any other time.
func TestOnOffBeginsAnywhere(t *testing.T) {
	for _, text := range []string{"onoff:on=100us:off=300us", "onoff:on=100us:off=300us:periods=fixed"} {
		const streams, early = 2000, 20_000.0
		n := 0
		for i := range streams {
			for _, at := range draw(t, text, 200, 5, uint64(i)) {
				if at < early {
					n++
				}
			}
		}
		near(t, text+": arrivals in the first 20 us of a stream", float64(n)/streams, 20, 0.1)
	}
}

func TestParseArrivals(t *testing.T) {
	if a := arrivals(t, "onoff:on=2ms:off=3us:periods=fixed:rxring=7"); a.RxRing != 7 || a.on != 2*time.Millisecond || a.off != 3*time.Microsecond || !a.fixed ||
		a.String() != "onoff:on=2ms:off=3us:periods=fixed:rxring=7" {
		t.Errorf("%+v", a)
	}
	if a := arrivals(t, "burst:frames=3:interval=1s"); a.RxRing != defaultRxRing || a.frames != 3 || a.interval != time.Second {
		t.Errorf("%+v", a)
	}
	for text, says := range map[string]string{
		"":                      "poisson, burst, onoff",
		"uniform":               `unknown arrivals "uniform"`,
		"poisson:frames=3":      `unknown option "frames"; known: rxring`,
		"poisson:rxring=0":      `rxring="0": want a number from 1 to`,
		"burst:frames=x":        `frames="x"`,
		"burst:interval=1ns":    "1us to 1s",
		"onoff:on=2h":           "1us to 1s",
		"onoff:off=3":           `off="3"`,
		"onoff:periods=uniform": "exponential or fixed",
	} {
		if _, err := ParseArrivals(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func BenchmarkArrivals(b *testing.B) {
	for _, p := range Processes {
		b.Run(p.Name, func(b *testing.B) {
			var s stream
			a, _ := ParseArrivals(p.Name)
			a.begin(&s, 1e-3, 1, 1, 1)
			b.ReportAllocs()
			for b.Loop() {
				s.next(&s)
			}
		})
	}
}
