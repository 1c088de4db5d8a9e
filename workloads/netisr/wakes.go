package netisr

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/locks"
)

// Wakes are how often a thread that sleeps was woken for work, and how long after the signal it ran. One goroutine counts.
type Wakes struct {
	N       uint64
	Latency *hdrhistogram.Histogram // in units of Config.Now; nil: not measured
}

// maxWake is the longest latency that is told from longer ones, in the clock's units.
const maxWake = 1 << 36

// NewWakes are none, of threads whose signals bear the clock's time, or none if there is no clock.
func NewWakes(now func() int64) (w Wakes) {
	if now != nil {
		w.Latency = hdrhistogram.New(1, maxWake, 2)
	}
	return w
}

// Count counts one that came that long after the signal. The latency means nothing if it is not measured.
func (w *Wakes) Count(latency int64) {
	w.N++
	if w.Latency != nil {
		_ = w.Latency.RecordValue(min(max(1, latency), maxWake)) // in range, so there is no error
	}
}

// Rung counts a sleep that b ended.
func (w *Wakes) Rung(b *locks.Bell) {
	if b.Now == nil {
		w.Count(0)
	} else {
		w.Count(b.Now() - b.Rung())
	}
}

// Add adds another thread's.
func (w *Wakes) Add(o *Wakes) {
	w.N += o.N
	if w.Latency != nil && o.Latency != nil {
		w.Latency.Merge(o.Latency)
	}
}
