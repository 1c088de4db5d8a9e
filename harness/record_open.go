package harness

import "pcbbench/harness/machine"

// open is what an open loop tells instead of batches' latency.
func (s *Sample) open(put func(string, float64), clock *machine.Clock) {
	o := s.Open
	put("offered-segs/s", float64(o.Offered)/s.Window.Seconds())
	quantile := func(q float64) float64 { return clock.NS(o.Latency.ValueAtQuantile(q)) }
	if o.Handled > 0 {
		put("lat-p50-ns", quantile(50))
		put("lat-p99-ns", quantile(99))
		put("lat-p99.9-ns", quantile(99.9))
		put("lat-max-ns", clock.NS(o.Latency.Max()))
	}
	put("qdrops/arrival", float64(o.QDrops)/float64(o.Offered))
	put("rxdrops/arrival", float64(o.RxDrops)/float64(o.Offered))
}
