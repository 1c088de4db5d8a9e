package lockbench

// jain is Jain's index of shares: 1 if all are equal, 1/n if one of n has everything. Jain, Chiu, Hawe, DEC-TR-301, 1984.
func jain(shares []float64) float64 {
	var sum, squares float64
	for _, x := range shares {
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / squares / float64(len(shares))
}

// A mean is one of values that come one by one.
type mean struct{ sum, n float64 }

func (m *mean) add(v float64) { m.sum, m.n = m.sum+v, m.n+1 }

// value is 0 if none came.
func (m mean) value() float64 {
	if m.n == 0 {
		return 0
	}
	return m.sum / m.n
}

// byCount is the mean of Jain's index over windows of so many sections that follow each other; what is left at the end is in none.
func byCount(entries []entry, workers, size int) (m mean) {
	shares := make([]float64, workers)
	for ; len(entries) >= size; entries = entries[size:] {
		clear(shares)
		for _, e := range entries[:size] {
			shares[e.worker]++
		}
		m.add(jain(shares))
	}
	return m
}

// byTime is the mean of Jain's index over windows of width ticks, of which that many fit into the measured time; those in which nobody got in are left out.
func byTime(entries []entry, workers int, width, measured int64) (m mean) {
	shares := make([]float64, workers)
	for end := width; end <= measured; end += width {
		clear(shares)
		n := 0
		for ; n < len(entries) && entries[n].at < end; n++ {
			shares[entries[n].worker]++
		}
		if entries = entries[n:]; n > 0 {
			m.add(jain(shares))
		}
	}
	return m
}

// holds is Jain's index of the time for which each worker had the lock.
func (t *trace) holds() float64 {
	shares := make([]float64, t.workers)
	t.each(func(worker int, e *event) {
		if t.within(e) {
			shares[worker] += float64(e.released - e.acquired)
		}
	})
	return jain(shares)
}

// together is the share of the measured time during which all workers were under way: between the last one's first section and the first one's last. A worker
// that had none never was; more workers than CPUs took turns meanwhile. Arm's lockhammer calls it full_concurrency_fraction.
func (t *trace) together() float64 {
	first, last := make([]int64, t.workers), make([]int64, t.workers)
	t.each(func(worker int, e *event) {
		if !t.within(e) {
			return
		}
		if last[worker] == 0 {
			first[worker] = e.acquired
		}
		last[worker] = min(e.released, t.ended)
	})
	began, end := t.from, t.ended
	for i := range last {
		began, end = max(began, first[i]), min(end, last[i])
	}
	if end <= began {
		return 0
	}
	return float64(end-began) / float64(t.ended-t.from)
}
