package compare

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/compare/file"
)

// A Sweep is what a results file has of open loops.
type Sweep struct {
	Machine string // what the file says of it
	Curves  []*Curve
}

// A Curve is one dispatch model under one scheme as more and more is offered.
type Curve struct {
	Setting, Scheme, Dispatch string
	Peak                      float64 // segments a second in a closed loop; 0: not measured
	Points                    []Point // by what was offered
	key                       string
}

// A Point is the medians of an open loop's samples.
type Point struct {
	Step             string  // how it was asked for: "70%" of the peak, or "1000000/s"
	Offered, Handled float64 // segments a second
	P50, P99         float64 // seconds from a segment's intended arrival until it has been handled; 0: none was
	Drops            float64 // share of arrivals, by queues and receive rings together
}

// The knee is the highest load at which, and at all lower ones, the 99th percentile is at most KneeFactor times that at the lowest load, and at
// most KneeDrops of the arrivals are dropped.
const (
	KneeFactor = 10
	KneeDrops  = 0.001
)

// Knee returns c's; ok is false if the lowest load is beyond it already.
func (c *Curve) Knee() (knee Point, ok bool) {
	for _, p := range c.Points {
		if p.Drops > KneeDrops || p.P99 == 0 || p.P99 > KneeFactor*c.Points[0].P99 {
			break
		}
		knee, ok = p, true
	}
	return knee, ok
}

// NewSweep makes f's open loops, and the closed ones beside them, in order of appearance. See Sort.
func NewSweep(f *file.File) *Sweep {
	r := sweepReader{closed: map[string][]float64{}, samples: map[string]*pointSamples{}}
	for _, rec := range f.Results {
		r.add(rec)
	}
	return r.sweep()
}

// A sweepReader collects samples.
type sweepReader struct {
	s       Sweep
	closed  map[string][]float64     // by Curve.key: segments a second
	samples map[string]*pointSamples // by name
	order   []*pointSamples
}

// pointSamples are a Point's.
type pointSamples struct {
	c                                   *Curve
	step                                string
	offered, handled, p50, p99, dropped []float64
}

func (r *sweepReader) add(rec *file.Result) {
	handled, ok := rec.Value("segs/s")
	if !ok || !sane(handled) {
		return
	}
	n := splitName(rec.Name)
	if n.arrivals == "" {
		r.closed[n.variant] = append(r.closed[n.variant], handled)
		return
	}
	name := string(rec.Name.Full())
	p := r.samples[name]
	if p == nil {
		p = &pointSamples{c: r.curve(n), step: n.step}
		r.samples[name] = p
		r.order = append(r.order, p)
	}
	value := func(to *[]float64, unit string) {
		if v, ok := rec.Value(unit); ok && sane(v) {
			*to = append(*to, v)
		}
	}
	p.handled = append(p.handled, handled)
	value(&p.offered, "offered-segs/s")
	value(&p.p50, "lat-p50-sec")
	value(&p.p99, "lat-p99-sec")
	q, _ := rec.Value("qdrops/arrival")
	rx, _ := rec.Value("rxdrops/arrival")
	p.dropped = append(p.dropped, q+rx)
	r.s.Machine = machine(rec.Run.Facts)
}

// sane reports whether v can have been measured: a file may say anything.
func sane(v float64) bool { return v >= 0 && v < 1e15 }

// machine is what facts say of it.
func machine(facts map[string]string) string {
	var parts []string
	for _, fact := range []struct{ key, format string }{{"cpu", "%s"}, {"cores", "%s cores"}, {"hypervisor", "hypervisor %s"}, {"kernel", "kernel %s"}} {
		if v := facts[fact.key]; v != "" {
			parts = append(parts, fmt.Sprintf(fact.format, v))
		}
	}
	return strings.Join(parts, ", ")
}

// A nameParts is a benchmark name taken apart.
type nameParts struct {
	scheme, dispatch, arrivals, step string
	setting                          string // all other keys, arrivals among them
	variant                          string // what a closed loop of it is called
}

func splitName(name benchfmt.Name) (n nameParts) {
	var setting, variant []string
	base, parts := name.Parts()
	variant = append(variant, string(base))
	for _, part := range parts {
		key, val, _ := strings.Cut(strings.TrimPrefix(string(part), "/"), "=")
		switch key {
		case "load":
			n.step = val + "%"
			continue
		case "rate":
			n.step = val + "/s"
			continue
		case "arrivals":
			n.arrivals = val
		case "scheme":
			n.scheme = val
		case "dispatch":
			n.dispatch = val
		}
		if key != "arrivals" {
			variant = append(variant, string(part))
		}
		if key != "scheme" && key != "dispatch" && val != "default" {
			setting = append(setting, key+"="+val)
		}
	}
	n.setting, n.variant = strings.Join(setting, " "), strings.Join(variant, "")
	return n
}

func (r *sweepReader) curve(n nameParts) *Curve {
	for _, c := range r.s.Curves {
		if c.key == n.variant && c.Setting == n.setting {
			return c
		}
	}
	c := &Curve{Setting: n.setting, Scheme: n.scheme, Dispatch: n.dispatch, key: n.variant}
	r.s.Curves = append(r.s.Curves, c)
	return c
}

func (r *sweepReader) sweep() *Sweep {
	for _, p := range r.order {
		p.c.Points = append(p.c.Points, Point{p.step, medianOr0(p.offered), medianOr0(p.handled), medianOr0(p.p50), medianOr0(p.p99), medianOr0(p.dropped)})
	}
	for _, c := range r.s.Curves {
		c.Peak = medianOr0(r.closed[c.key])
		slices.SortStableFunc(c.Points, func(a, b Point) int { return cmp.Compare(a.step(), b.step()) })
	}
	return &r.s
}

// step is the number in Step.
func (p *Point) step() float64 {
	n, _ := strconv.ParseFloat(strings.TrimRight(p.Step, "%/s"), 64)
	return n
}

func medianOr0(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return median(v)
}

// Sort puts settings in the order of their names, and in each schemes and dispatch models into the given orders and then by name: a file has
// them as chance would have it.
func (s *Sweep) Sort(schemes, dispatches []string) {
	slices.SortFunc(s.Curves, func(a, b *Curve) int {
		return cmp.Or(cmp.Compare(a.Setting, b.Setting), cmp.Compare(rank(schemes, a.Scheme), rank(schemes, b.Scheme)), cmp.Compare(a.Scheme, b.Scheme),
			cmp.Compare(rank(dispatches, a.Dispatch), rank(dispatches, b.Dispatch)), cmp.Compare(a.Dispatch, b.Dispatch), cmp.Compare(a.key, b.key))
	})
}

// WriteKnees writes a table of the knee of every curve, one a setting.
func (s *Sweep) WriteKnees(w io.Writer) error {
	fmt.Fprintf(w, "The knee is the highest load at which, and at all lower ones, p99 is at most %d times that at the lowest load\n"+
		"and at most %v%% of arrivals are dropped. Latency counts from the intended arrival. Peak is the closed loop's.\n", KneeFactor, 100*KneeDrops)
	for _, setting := range s.settings() {
		fmt.Fprintf(w, "\n%s\n", setting)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "scheme\tdispatch\tpeak segs/s\tknee\tsegs/s\tp50\tp99\tlowest\tp99\thighest\tsegs/s\tp99\tdrops")
		for _, c := range s.of(setting) {
			first, last := c.Points[0], c.Points[len(c.Points)-1]
			knee := "none\t\t\t"
			if k, ok := c.Knee(); ok {
				knee = fmt.Sprintf("%s\t%s\t%s\t%s", k.Step, count(k.Handled), span(k.P50), span(k.P99))
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Scheme, c.Dispatch, count(c.Peak), knee, first.Step, span(first.P99),
				last.Step, count(last.Handled), span(last.P99), percent(last.Drops))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sweep) settings() (list []string) {
	for _, c := range s.Curves {
		if !slices.Contains(list, c.Setting) {
			list = append(list, c.Setting)
		}
	}
	return list
}

// of are a setting's curves.
func (s *Sweep) of(setting string) (list []*Curve) {
	for _, c := range s.Curves {
		if c.Setting == setting {
			list = append(list, c)
		}
	}
	return list
}

// count spells a rate with three digits.
func count(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 1e6:
		return digits(v/1e6) + "M"
	case v >= 1e3:
		return digits(v/1e3) + "k"
	}
	return digits(v)
}

// digits spells a number with three digits, and without an exponent.
func digits(v float64) string {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// span spells a time in seconds with three digits.
func span(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	for unit, name := range units {
		if seconds >= unit.Seconds() || name == "ns" {
			return digits(seconds/unit.Seconds()) + name
		}
	}
	return ""
}

// units are those of times, the longest first.
func units(yield func(time.Duration, string) bool) {
	_ = yield(time.Second, "s") && yield(time.Millisecond, "ms") && yield(time.Microsecond, "µs") && yield(time.Nanosecond, "ns")
}

func percent(share float64) string { return digits(100*share) + "%" }
