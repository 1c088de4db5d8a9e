package harness

import (
	"pcbbench/harness/machine"
	"pcbbench/workloads/netisr"
)

// dispatch is what the way to the table cost. It was counted over the whole sample and stands by the segments of the whole sample. A model
// that queued nothing has nothing to tell, nor have threads that did not sleep.
func (s *Sample) dispatch(put func(string, float64), clock *machine.Clock) {
	sent, all := float64(max(1, s.Sent)), s.Isr.Total()
	if all.Handled > all.Dispatched {
		put("handoffs/seg", float64(s.Isr.Handoffs)/sent)
	}
	if all.Batches > 0 {
		put("segs/queue-batch", float64(all.Queued)/float64(all.Batches))
	}
	if all.Queued+all.QDrops > 0 {
		put("qdrops/seg", float64(all.QDrops)/sent)
	}
	wakes := func(prefix string, w *netisr.Wakes) {
		if w.N == 0 {
			return
		}
		put(prefix+"wakeups/seg", float64(w.N)/sent)
		if w.Latency != nil {
			put(prefix+"wake-p50-ns", clock.NS(w.Latency.ValueAtQuantile(50)))
			put(prefix+"wake-p99-ns", clock.NS(w.Latency.ValueAtQuantile(99)))
		}
	}
	wakes("", &s.Isr.Wakes)
	wakes("user-", &s.UserWakes)
	wakes("input-", &s.InputWakes)
	wakes("call-", &s.Isr.Calls)
}

// switches are the context switches of the measured time, a segment of it.
func (s *Sample) switches(put func(string, float64)) {
	vol, invol, segs := s.Noise.VoluntarySwitches, s.Noise.InvoluntarySwitches, float64(max(1, s.Segs))
	if !vol.Known || !invol.Known {
		return
	}
	put("ctxsw/seg", float64(vol.N+invol.N)/segs)
	put("ctxsw-voluntary/seg", float64(vol.N)/segs)
	put("ctxsw-involuntary/seg", float64(invol.N)/segs)
}
