package workloads

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Arrivals say when segments come in, in an open loop: at times of their own, whatever becomes of them. Each input context has a process
// of its own, from a seed.
type Arrivals struct {
	text    string
	process Process
	// RxRing is how many segments may wait for the input context: the descriptors of a network card's receive ring.
	RxRing   int
	interval time.Duration // of burst: see its Doc
	frames   int
	on, off  time.Duration // of onoff: the mean lengths of its periods
	fixed    bool
}

// A Process is one kind of arrivals.
type Process struct {
	Name, Doc string
	Options   []string
	next      func(s *stream) float64 // the time of the next arrival
	start     func(s *stream)         // at the stream's beginning; nil: nothing
}

// Processes are all of them, in reading order.
var Processes = []Process{
	{Name: "poisson", Options: []string{"rxring"}, next: (*stream).poisson,
		Doc: "independent arrivals: exponential gaps"},
	{Name: "burst", Options: []string{"interval", "frames", "rxring"}, next: (*stream).burst, start: (*stream).startBurst,
		Doc: "a card's interrupt moderation: Poisson on the wire, seen together at the next interval= (125us, 8000 interrupts a second), or when frames= (64) wait"},
	{Name: "onoff", Options: []string{"on", "off", "periods", "rxring"}, next: (*stream).onOff, start: (*stream).startOnOff,
		Doc: "Poisson in periods of on= (100us) apart by off= (100us), exponential ones or periods=fixed"},
}

// defaultRxRing is what cards of ten gigabits come with, within a factor of two.
const defaultRxRing = 1024

// ParseArrivals reads Arrivals, as in "onoff:on=1ms:off=3ms:rxring=256"; the error lists what is known.
func ParseArrivals(text string) (Arrivals, error) {
	name, opts, _ := strings.Cut(text, ":")
	i := slices.IndexFunc(Processes, func(p Process) bool { return p.Name == name })
	if i < 0 {
		var known []string
		for _, p := range Processes {
			known = append(known, p.Name)
		}
		return Arrivals{}, fmt.Errorf("unknown arrivals %q; known: %s", name, strings.Join(known, ", "))
	}
	a := Arrivals{text: text, process: Processes[i], RxRing: defaultRxRing, interval: 125 * time.Microsecond, frames: 64,
		on: 100 * time.Microsecond, off: 100 * time.Microsecond}
	for opt := range strings.SplitSeq(opts, ":") {
		if opt == "" {
			continue
		}
		if err := a.option(opt); err != nil {
			return Arrivals{}, fmt.Errorf("arrivals %s: %w", name, err)
		}
	}
	return a, nil
}

func (a *Arrivals) option(opt string) error {
	key, val, _ := strings.Cut(opt, "=")
	if !slices.Contains(a.process.Options, key) {
		return fmt.Errorf("unknown option %q; known: %s", key, strings.Join(a.process.Options, ", "))
	}
	switch key {
	case "rxring":
		return readNumber(&a.RxRing, key, val)
	case "frames":
		return readNumber(&a.frames, key, val)
	case "interval":
		return readTime(&a.interval, key, val)
	case "on":
		return readTime(&a.on, key, val)
	case "off":
		return readTime(&a.off, key, val)
	case "periods":
		if val != "fixed" && val != "exponential" {
			return fmt.Errorf("periods=%q: want exponential or fixed", val)
		}
		a.fixed = val == "fixed"
		return nil
	}
	panic("workloads: option " + key + " of arrivals has no reader")
}

func readNumber(p *int, key, val string) (err error) {
	if *p, err = strconv.Atoi(val); err != nil || *p < 1 || *p > 1<<20 {
		return fmt.Errorf("%s=%q: want a number from 1 to %d", key, val, 1<<20)
	}
	return nil
}

func readTime(p *time.Duration, key, val string) (err error) {
	if *p, err = time.ParseDuration(val); err != nil || *p < time.Microsecond || *p > time.Second {
		return fmt.Errorf("%s=%q: want a time from 1us to 1s", key, val)
	}
	return nil
}

// String is what ParseArrivals read.
func (a Arrivals) String() string { return a.text }

// A stream is the arrivals at one input context. Times are in units of whoever made it, from the stream's beginning; they never
// decrease. All that is random is drawn as the stream goes on, a few nanoseconds an arrival, and nothing is allocated.
type stream struct {
	next func(*stream) float64
	rng  rand.Rand
	pcg  rand.PCG // rng's, here and not beside another stream's
	gap  float64  // the mean between arrivals, within on periods
	t    float64  // the last arrival on the wire
	// Of burst:
	interval, tick float64 // tick: a moment at which an interval ended
	frames, left   int     // left: segments of this burst to come
	seen           float64 // when this burst is seen
	// Of onoff:
	on, off, end float64 // end: of this on period
	fixed        bool
}

// begin makes s the arrivals of a context that gets rate segments a unit of time in the mean; a unit is so many nanoseconds.
func (a Arrivals) begin(s *stream, rate, unitNS float64, seed, context uint64) {
	in := func(d time.Duration) float64 { return float64(d) / unitNS }
	*s = stream{next: a.process.next, gap: 1 / rate, interval: in(a.interval), frames: a.frames, on: in(a.on), off: in(a.off), fixed: a.fixed}
	s.pcg.Seed(seed, context)
	s.rng = *rand.New(&s.pcg)
	if a.process.start != nil {
		a.process.start(s)
	}
}

// poisson draws the next arrival on the wire.
func (s *stream) poisson() float64 {
	s.t += s.rng.ExpFloat64() * s.gap
	return s.t
}

// startBurst begins within an interval, at a place of its own, so that contexts are not interrupted all together.
func (s *stream) startBurst() {
	s.tick = -s.rng.Float64() * s.interval
	s.poisson()
}

// burst collects what comes on the wire until the interval is over or frames are there, and s.t is the first of the next burst.
func (s *stream) burst() float64 {
	if s.left == 0 {
		s.tick += s.interval * math.Ceil((s.t-s.tick)/s.interval)
		s.seen = s.tick
		for s.t <= s.tick && s.left < s.frames {
			if s.left++; s.left == s.frames {
				s.seen = s.t
			}
			s.poisson()
		}
	}
	s.left--
	return s.seen
}

// startOnOff begins at a random place of an on or an off period, as whoever looks at a stream under way would.
func (s *stream) startOnOff() {
	s.gap *= s.on / (s.on + s.off)
	at := s.rng.Float64() * (s.on + s.off)
	switch {
	case s.fixed:
		s.end = s.on - at
		s.t = min(0, s.end) // in an off period: what comes is moved behind it
	case at < s.on:
		s.end = s.period(s.on) // which has no memory
	default:
		s.t = s.period(s.off)
		s.end = s.t + s.period(s.on)
	}
}

// onOff lets the stream of on periods run, and moves what lies beyond one into the next: exponential gaps have no memory.
func (s *stream) onOff() float64 {
	s.poisson()
	for s.t > s.end {
		off := s.period(s.off)
		s.t += off
		s.end += off + s.period(s.on)
	}
	return s.t
}

func (s *stream) period(mean float64) float64 {
	if s.fixed {
		return mean
	}
	return s.rng.ExpFloat64() * mean
}
