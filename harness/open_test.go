package harness

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pcbbench/workloads"
)

// opened is a tiny experiment in an open loop of that rate.
func opened(scheme, arrivals string, rate float64, workers int) Experiment {
	e := tiny(scheme, workers)
	e.Arrivals, e.Rate = arrivals, rate
	return e
}

// TestOpenLoop measures open loops behind every kind of dispatch and roles: what was offered follows from the rate alone, however late threads were; all of it is
// handled or dropped.
func TestOpenLoop(t *testing.T) {
	const rate = 200_000
	tm := Timing{Warm: time.Millisecond, Measure: 50 * time.Millisecond}
	for _, c := range []struct {
		scheme, dispatch, roles, arrivals, pin string
		workers                                int
	}{
		{"global", "direct", "all", "poisson", PinNone, 1},
		{"global", "direct", "user", "burst", PinNone, 2},
		{"refcount", "deferred", "netisr", "poisson", PinNone, 2},
		{"smr", "hybrid", "split", "onoff", PinCPU, 2},
		{"refcount", "feedback", "all", "burst:interval=50us", PinNone, 2},
		{"owned", "connp-t", "user", "poisson", PinNone, 2},
		{"global", "squeue", "netisr", "onoff:periods=fixed", PinNone, 2},
		{"null", "netisr2:qlimit=1", "all", "poisson:rxring=2", PinCPU, 2},
	} {
		e := opened(c.scheme, c.arrivals, rate, c.workers)
		e.Dispatch, e.Roles, e.Pin = c.dispatch, c.roles, c.pin
		b, s := sampled(t, e, tm)
		plausible(t, e, b, s)
		o := s.Open
		// On/off periods of 100 µs in 50 ms: a standard deviation of some 4%.
		if want := rate * s.Window.Seconds(); math.Abs(float64(o.Offered)-want) > 0.2*want {
			t.Errorf("%+v: %d offered, want %v", c, o.Offered, want)
		}
		if o.Handled != uint64(o.Latency.TotalCount()) || o.Offered != o.Handled+o.QDrops+o.RxDrops {
			t.Errorf("%+v: %+v", c, o)
		}
	}
}

// TestOverload offers far more than can be handled: the receive rings overflow, and all checks of the table hold.
func TestOverload(t *testing.T) {
	e := opened("global", "poisson:rxring=16", 2e7, 1)
	e.Work = 2000
	_, s := sampled(t, e, brief)
	if s.Open.RxDrops == 0 || s.Open.Handled == 0 {
		t.Errorf("%+v", s.Open)
	}
}

// valuesOf are those of a sample of e, by unit.
func valuesOf(t *testing.T, e Experiment, tm Timing) map[string]float64 {
	t.Helper()
	b, s := sampled(t, e, tm)
	units := map[string]float64{}
	for _, v := range s.values(b.clock) {
		units[v.Unit] = v.Value
	}
	return units
}

// TestOpenUnits checks that an open loop tells of arrivals' latency and not of batches', and a closed one the other way round.
func TestOpenUnits(t *testing.T) {
	ofOpen := []string{"offered-segs/s", "lat-p50-ns", "lat-p99-ns", "lat-p99.9-ns", "lat-max-ns", "qdrops/arrival", "rxdrops/arrival"}
	ofClosed := []string{"p50-ns", "p99-ns", "p99.9-ns", "max-ns"}
	e := opened("global", "poisson", 500_000, 1)
	open := valuesOf(t, e, brief)
	e.Arrivals, e.Rate = "", 0
	closed := valuesOf(t, e, brief)
	for _, c := range []struct {
		has, lacks map[string]float64
		units      []string
	}{{open, closed, ofOpen}, {closed, open, ofClosed}} {
		for _, unit := range c.units {
			if _, ok := c.has[unit]; !ok {
				t.Errorf("no %s", unit)
			}
			if _, ok := c.lacks[unit]; ok {
				t.Errorf("%s in the other loop", unit)
			}
		}
	}
	if p50, p99, p999, most := open["lat-p50-ns"], open["lat-p99-ns"], open["lat-p99.9-ns"], open["lat-max-ns"]; p50 <= 0 || p50 > p99 || p99 > p999 || p999 > most {
		t.Errorf("quantiles are not in order: %v %v %v %v", p50, p99, p999, most)
	}
}

// TestLoads checks that a process measures each closed loop's maximum first, and that loads are shares of its own.
func TestLoads(t *testing.T) {
	var es []Experiment
	for _, scheme := range []string{"global", "smr"} {
		for _, load := range []float64{20, 40} {
			e := opened(scheme, "poisson", 0, 1)
			e.Load, e.Work = load, 5000 // peaks of some 200,000 segments a second
			es = append(es, e)
		}
	}
	tm := Timing{Warm: time.Millisecond, Measure: 50 * time.Millisecond}
	out, errs, err := child(t, Job{Experiments: es, Rounds: 1, Timing: tm, Seed: 3})
	if err != nil || len(errs) > 0 {
		t.Fatalf("%v\n%s", err, errs)
	}
	results, _ := parsed(t, out)
	if len(results) != 2*peakSamples+len(es) {
		t.Fatalf("%d results", len(results))
	}
	peaks := map[string][]float64{}
	for i, r := range results {
		_, values := parts(t, string(r.Name))
		if (values["arrivals"] == "") != (i < 2*peakSamples) {
			t.Errorf("result %d is %s", i, r.Name)
		}
		if rate, _ := r.Value("segs/s"); values["arrivals"] == "" {
			peaks[values["scheme"]] = append(peaks[values["scheme"]], rate)
			continue
		}
		all := slices.Sorted(slices.Values(peaks[values["scheme"]]))
		offered, _ := r.Value("offered-segs/s")
		share := map[string]float64{"20": 0.2, "40": 0.4}[values["load"]]
		want, sec := share*all[len(all)/2], tm.Measure.Seconds()
		if off := 0.02*want + 6*math.Sqrt(want*sec)/sec; len(all) != peakSamples || math.Abs(offered-want) > off { // six deviations of a Poisson number
			t.Errorf("%s: %v offered, want %v of peaks %v", r.Name, offered, want, all)
		}
	}
}

// TestLoadWithoutPeak: where no closed loop succeeded there is nothing to take a share of.
func TestLoadWithoutPeak(t *testing.T) {
	b, err := newBench(1)
	if err != nil {
		t.Fatal(err)
	}
	e := opened("global", "poisson", 0, 1)
	e.Load = 10
	v := resolved(t, e)
	for range 2 { // not measured by a job at all, and in vain
		if _, err := b.sample(v, 1, brief); err == nil || !strings.Contains(err.Error(), errNoPeak.Error()) {
			t.Errorf("measured, or failed with %v", err)
		}
		peaks([]*variant{v})
	}
}

func TestOpenRefusals(t *testing.T) {
	for says, change := range map[string]func(*Experiment){
		`unknown arrivals "nothere"`: func(e *Experiment) { e.Arrivals = "nothere" },
		"rxring":                     func(e *Experiment) { e.Arrivals = "poisson:rxring=0" },
		"without arrivals":           func(e *Experiment) { e.Arrivals = "" },
		"neither a rate nor a load":  func(e *Experiment) { e.Rate = 0 },
		"want one of them":           func(e *Experiment) { e.Load = 10 },
		"rate=0.5: want 1 to 1e+10":  func(e *Experiment) { e.Rate = 0.5 },
		"rate=+Inf: want":            func(e *Experiment) { e.Rate = math.Inf(1) },
		"load=NaN: want 1 to 1000":   func(e *Experiment) { e.Rate, e.Load = 0, math.NaN() },
		"affinity=spray":             func(e *Experiment) { e.Workload.Affinity = workloads.Spray },
	} {
		e := opened("global", "poisson", 1e6, 1)
		change(&e)
		if err := Validate([]Experiment{e}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestOpenNames(t *testing.T) {
	e := opened("global", "onoff:on=1ms:off=3ms", 1e7, 1)
	if got, want := resolved(t, e).name(), "/work=0/arrivals=onoff:on=1ms:off=3ms/rate=10000000"; !strings.HasSuffix(got, want) {
		t.Errorf("%s does not end in %s", got, want)
	}
	e.Rate, e.Load, e.Roles, e.Workload.Listeners = 0, 12.5, "split", 3
	if got, want := resolved(t, e).name(), "/work=0/roles=split/arrivals=onoff:on=1ms:off=3ms/load=12.5/listeners=3"; !strings.HasSuffix(got, want) {
		t.Errorf("%s does not end in %s", got, want)
	}
}

// TestOpenMatrix checks the product, and what goes where the budget is too small.
func TestOpenMatrix(t *testing.T) {
	m := Matrix{CPUs: 1, Schemes: []string{"global"}, Mixes: []string{"churn"}, Works: []int{0}, Workers: []int{1, 2},
		Arrivals: []string{"poisson", "burst"}, Loads: []float64{10, 20, 30, 40}, Rates: []float64{1e6}}
	es := m.Experiments()
	if err := Validate(es); err != nil || len(es) != 2*2*(4+1) {
		t.Fatalf("%d experiments, %v", len(es), err)
	}
	var said strings.Builder
	r := &runner{Options: Options{Experiments: es, Rounds: 1}, progress: newProgress(&said)}
	if got, want := r.samples(2), 2*len(es)+2*peakSamples; got != want { // a closed loop for each worker count
		t.Errorf("%d samples, want %d", got, want)
	}
	left := func() (loads []float64) {
		for _, e := range r.Experiments {
			loads = append(loads, e.Load)
		}
		slices.Sort(loads)
		return slices.Compact(loads)
	}
	for _, want := range [][]float64{{0, 20, 40}, {0, 40}} {
		if !r.thin() || !slices.Equal(left(), want) {
			t.Fatalf("thinned to loads %v, want %v", left(), want)
		}
	}
	if r.thin() {
		t.Errorf("thinned to loads %v", left())
	}
	if !strings.Contains(said.String(), "too small for all loads: 12 experiments left") {
		t.Errorf("said %q", &said)
	}
}
