package netisr

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pcbbench/pcbinfo"
)

// TestWakes: each wake-up for work is counted, with the time since the signal; the one that ends the worker is not.
func TestWakes(t *testing.T) {
	sp, err := ParseSpec("netisr2")
	if err != nil {
		t.Fatal(err)
	}
	var clock, handled atomic.Int64
	n := sp.New(Config{Contexts: []int{0}, Streams: []int{0}, Now: func() int64 { return clock.Add(7) },
		Protocols: []Protocol{{Name: "ip", Policy: Source, Handler: func(_ *At, segs []*pcbinfo.Segment) { handled.Add(int64(len(segs))) }}}})
	ws := n.(*isr).streams[0]
	var wg sync.WaitGroup
	wg.Go(n.Workers()[0].Serve)
	const signals = 5
	for i := int64(1); i <= signals; i++ {
		n.Context(0).Queue([]*pcbinfo.Segment{{}, {}, {}})
		for handled.Load() < 3*i {
			time.Sleep(time.Microsecond)
		}
		for idle := false; !idle; { // or the next packets would need no signal
			ws.lock.Lock(nil)
			idle = ws.flags == 0
			ws.lock.Unlock(nil)
		}
	}
	n.Stop()
	wg.Wait()
	s := n.Stats()
	if w := s.Wakes; w.N != signals || w.Latency.TotalCount() != signals || w.Latency.Min() != 7 || w.Latency.Max() != 7 {
		t.Errorf("%d wake-ups, %d measured, of %d to %d; want %d of 7", w.N, w.Latency.TotalCount(), w.Latency.Min(), w.Latency.Max(), signals)
	}
	if all := s.Total(); all.Queued != 3*signals || all.Batches != signals {
		t.Errorf("%d packets in %d batches, want %d in %d", all.Queued, all.Batches, 3*signals, signals)
	}
}

// TestWakesAddUp: those of several threads are one count and one distribution, measured or not.
func TestWakesAddUp(t *testing.T) {
	measured, not := NewWakes(func() int64 { return 0 }), NewWakes(nil)
	for _, latency := range []int64{-3, 40, 1 << 40} { // clocks of two CPUs may differ; somebody may be out for long
		measured.Count(latency)
		not.Count(latency)
	}
	sum := NewWakes(func() int64 { return 0 })
	sum.Add(&measured)
	sum.Add(&measured)
	sum.Add(&not)
	if sum.N != 9 || sum.Latency.TotalCount() != 6 || sum.Latency.Min() != 1 || sum.Latency.ValueAtQuantile(50) != 40 || not.Latency != nil {
		t.Errorf("%d wake-ups, %d measured, from %d, median %d", sum.N, sum.Latency.TotalCount(), sum.Latency.Min(), sum.Latency.ValueAtQuantile(50))
	}
}
