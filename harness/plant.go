package harness

// A Plant is a slowdown on purpose, to see whether a comparison finds it: protocol work added to every segment of one scheme, at the site of Experiment.Work, which is
// under the inpcb lock. No result's name tells of it.
type Plant struct {
	Scheme string  // as in Experiment
	NS     float64 // a segment
}

// work is what p adds to v's.
func (p Plant) work(v *variant) float64 {
	if v.Scheme != p.Scheme {
		return 0
	}
	return p.NS
}
