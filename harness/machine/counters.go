package machine

// A Counted is what a hardware counter gave.
type Counted struct {
	Name  string
	N     float64 // scaled up to the whole time, if the counter had to be shared
	Share float64 // of the time, that it counted: 1 unless there are fewer counters than were asked for
}

// counted sums up the readings of one counter in all threads. It is not known if the counter never ran.
func counted(name string, list []reading) (c Counted, known bool) {
	var sum reading
	for _, r := range list {
		sum.value += r.value
		sum.enabled += r.enabled
		sum.running += r.running
	}
	if sum.running == 0 {
		return c, false
	}
	share := float64(sum.running) / float64(sum.enabled)
	return Counted{name, float64(sum.value) / share, share}, true
}

// A reading is what the kernel tells of a counter: its value, and for how many nanoseconds of its thread's time it was wanted and did count.
type reading struct{ value, enabled, running uint64 }
