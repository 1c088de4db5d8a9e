package gate

// exact files a row that must not get worse at all.
func (v *Verdict) exact(r *row) {
	before, after := r.Old[0], r.New[0]
	switch {
	case before == after:
	case r.Better == 0:
		v.add(r.finding(Changed, "%v → %v, exact; its results do not say which is better", before, after))
	case (after > before) == (r.Better < 0):
		v.add(r.finding(Regression, "%v → %v, exact", before, after))
	default:
		v.add(r.finding(Improvement, "%v → %v, exact", before, after))
	}
}
