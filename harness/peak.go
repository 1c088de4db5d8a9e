package harness

import (
	"errors"
	"fmt"
	"slices"
)

// peakSamples is how many samples the maximum that loads are a share of is the median of. They are of the same process: where memory lies
// makes processes differ.
const peakSamples = 3

// A peak measures a variant in a closed loop, to know what it can do.
type peak struct {
	*variant
	rates []float64 // segments a second
}

// measure takes a sample, whose line is like any other closed loop's.
func (p *peak) measure(b *bench, job Job) (line string, err error) {
	s, err := b.patient(p.variant, job.Seed, job.Timing)
	if err != nil {
		return "", err
	}
	p.rates = append(p.rates, 1e9/s.NSPerSeg)
	return b.line(p.variant, s), nil
}

// errNoPeak says that no sample in a closed loop succeeded.
var errNoPeak = errors.New("its closed-loop maximum is not known")

// peaks gives those of vs that have a load the peak that it is a share of, and returns these, each once.
func peaks(vs []*variant) (list []*peak) {
	known := map[string]*peak{}
	for _, v := range vs {
		if v.Load == 0 {
			continue
		}
		closed := v.closed()
		name := closed.name()
		if known[name] == nil {
			known[name] = &peak{variant: closed}
			list = append(list, known[name])
		}
		v.peak = known[name]
	}
	return list
}

// closed is v in a closed loop.
func (v *variant) closed() *variant {
	c := *v
	c.Arrivals, c.Load, c.Rate = "", 0, 0
	return &c
}

// open reports whether v is an open loop.
func (v *variant) open() bool { return v.Arrivals != "" }

// offered is the rate of v's open loop, in segments a second.
func (v *variant) offered() (float64, error) {
	switch {
	case v.Load == 0:
		return v.Rate, nil
	case v.peak == nil || len(v.peak.rates) == 0:
		return 0, errNoPeak
	}
	rates := slices.Sorted(slices.Values(v.peak.rates))
	return v.Load / 100 * rates[len(rates)/2], nil
}

// The limits of Rate and Load.
const (
	minRate, maxRate = 1, 1e10
	minLoad, maxLoad = 1, 1000
)

// checkOpen checks what e says of an open loop.
func (e *Experiment) checkOpen() error {
	set := e.Rate != 0 || e.Load != 0
	switch {
	case e.Arrivals == "" && set:
		return errors.New("a rate or a load without arrivals: give -arrivals too")
	case e.Arrivals == "":
		return nil
	case !set:
		return fmt.Errorf("arrivals=%s: neither a rate nor a load: give -rates or -loads too", e.Arrivals)
	case e.Rate != 0 && e.Load != 0:
		return fmt.Errorf("rate=%v and load=%v: want one of them", e.Rate, e.Load)
	case e.Rate != 0 && !(e.Rate >= minRate && e.Rate <= maxRate):
		return fmt.Errorf("rate=%v: want %v to %v segments a second", e.Rate, minRate, float64(maxRate))
	case e.Load != 0 && !(e.Load >= minLoad && e.Load <= maxLoad):
		return fmt.Errorf("load=%v: want %v to %v percent", e.Load, minLoad, maxLoad)
	}
	return nil
}
