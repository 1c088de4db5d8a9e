package netisr

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pcbbench/pcbinfo"
)

// newTest is feedback behind that many contexts and workstreams, which share handles; window is as in Options.
func newTest(cpus, window int, now func() int64, protocols ...Protocol) *feedback {
	var handles []int
	for i := range cpus {
		handles = append(handles, i)
	}
	for i := range protocols {
		protocols[i].QLimit = 32
	}
	return newFeedback(Config{Contexts: handles, Streams: handles, Protocols: protocols, Poll: true, Now: now}, Options{Window: window}).(*feedback)
}

// use has all contexts use an arm from now on.
func (f *feedback) use(arm int) {
	f.duty.Store((f.duty.Load()>>armBits+1)<<armBits | uint64(arm))
}

// An order is the packets of one flow at one context, by protocol: the number of the last one that was handled.
type order struct{ last [2][3][8]atomic.Uint32 }

// handled takes segs, whose Ack is the context and whose Seq the number.
func (o *order) handled(t *testing.T, segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		if !o.last[seg.Proto][seg.Ack][seg.FlowID].CompareAndSwap(seg.Seq-1, seg.Seq) {
			t.Errorf("protocol %d, context %d, flow %d: packet %d after %d", seg.Proto, seg.Ack, seg.FlowID, seg.Seq, o.last[seg.Proto][seg.Ack][seg.FlowID].Load())
		}
		if seg.Win%8 == 0 {
			runtime.Gosched()
		}
	}
}

// TestFeedbackKeepsOrder moves flows about at random while contexts dispatch and queue, with queues that fill up: each flow's packets
// are handled in order, each once.
func TestFeedbackKeepsOrder(t *testing.T) {
	first := uint64(time.Now().UnixNano())
	for seed := first; seed < first+20; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			var o order
			handler := func(_ *At, segs []*pcbinfo.Segment) { o.handled(t, segs) }
			const cpus, packets = 3, 3000
			f := newTest(cpus, 0, nil, Protocol{Name: "a", Policy: Flow, Handler: handler}, Protocol{Name: "b", Policy: Flow, Handler: handler})
			var wg sync.WaitGroup
			var sent atomic.Int32
			for i := range cpus {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(seed, uint64(i)))
					send(f, i, packets, rng)
					for sent.Add(1); sent.Load() < cpus || f.streams[i].Run() > 0; {
						f.streams[i].Run()
						runtime.Gosched()
					}
				})
			}
			wg.Wait()
			s := f.Stats()
			total := s.Total()
			if total.Handled != cpus*packets || total.Handled != total.Dispatched+total.Queued {
				t.Errorf("%+v, want %d handled", total, cpus*packets)
			}
			if s.Moves == 0 || total.Queued == 0 || total.Dispatched == 0 {
				t.Errorf("%d moves, %+v: nothing was tried", s.Moves, total)
			}
		})
	}
}

// send sends packets through context i, takes turns with its worker, and draws another arm for all now and then.
func send(f *feedback, i, packets int, rng *rand.Rand) {
	var next [2][8]uint32
	for left := packets; left > 0; {
		var batch []*pcbinfo.Segment
		for range min(left, 1+rng.IntN(12)) {
			proto, flow := uint8(rng.IntN(2)), uint32(rng.IntN(8))
			next[proto][flow]++
			batch = append(batch, &pcbinfo.Segment{Proto: proto, Ack: uint32(i), FlowID: flow, Seq: next[proto][flow], Win: rng.Uint32()})
		}
		left -= len(batch)
		for len(batch) > 0 {
			dispatch := f.Context(i).Dispatch
			if rng.IntN(8) == 0 {
				dispatch = f.Context(i).Queue
			}
			batch = append([]*pcbinfo.Segment{}, dispatch(batch)...)
			if rng.IntN(4) == 0 || len(batch) > 0 {
				f.streams[i].Run()
				runtime.Gosched()
			}
			if rng.IntN(8) == 0 {
				f.use(rng.IntN(len(f.pilot.arms)))
			}
		}
	}
}

// TestFeedbackWaitsForTheLast: a flow goes to another place only when its last packet in the old one has been handled.
func TestFeedbackWaitsForTheLast(t *testing.T) {
	var o order
	f := newTest(2, 0, nil, Protocol{Name: "a", Policy: Flow, Handler: func(_ *At, segs []*pcbinfo.Segment) { o.handled(t, segs) }})
	x := f.contexts[1]
	next, flow := uint32(0), uint32(3)
	dispatch := func(where string, queued int) {
		t.Helper()
		next++
		x.Dispatch([]*pcbinfo.Segment{{Ack: 1, FlowID: flow, Seq: next}})
		if n := len(f.streams[0].works[0].queue); n != queued {
			t.Errorf("%s: %d packets queued on workstream 0, want %d", where, n, queued)
		}
	}
	dispatch("in place", 0)
	f.use(2) // all on the first
	dispatch("on one", 1)
	f.use(0)
	dispatch("back, with one ahead", 2)
	f.streams[0].Run()
	if got := o.last[0][1][flow].Load(); got != 3 {
		t.Errorf("packet %d was handled last, want 3", got)
	}
	dispatch("back", 0)
	if x.moves != 2 {
		t.Errorf("%d moves, want 2", x.moves)
	}
}

// TestFeedbackQueues: what is queued stays behind what is queued already, and what is dispatched then behind both.
func TestFeedbackQueues(t *testing.T) {
	var o order
	f := newTest(2, 0, nil, Protocol{Name: "a", Policy: Flow, Handler: func(_ *At, segs []*pcbinfo.Segment) { o.handled(t, segs) }})
	x := f.contexts[0]
	x.Queue([]*pcbinfo.Segment{{FlowID: 1, Seq: 1}})
	x.Dispatch([]*pcbinfo.Segment{{FlowID: 1, Seq: 2}, {FlowID: 2, Seq: 1}})
	if n := len(f.streams[0].works[0].queue); n != 2 {
		t.Errorf("%d packets are queued, want flow 1's 2", n)
	}
	f.streams[0].Run()
}

// A world is a host whose handlers say what they cost, with a clock that stands still but for them.
type world struct {
	now  int64
	last int // the CPU that handled last
	cost func(w *world, cpu, packets int) int64
}

func (w *world) handler(at *At, segs []*pcbinfo.Segment) {
	w.now += w.cost(w, at.Handle, len(segs))
	w.last = at.Handle
}

// TestFeedbackFindsOut: it gathers where a lock goes from CPU to CPU, spreads where all comes in at one, and else leaves packets where they are.
func TestFeedbackFindsOut(t *testing.T) {
	for _, c := range []struct {
		name     string
		contexts int // that anything comes in at
		cost     func(w *world, cpu, packets int) int64
		want     string
	}{
		{"a lock that moves costs more than two CPUs gain", 2, func(w *world, cpu, packets int) int64 {
			if cpu != w.last {
				return int64(packets) * 300
			}
			return int64(packets) * 100
		}, "on one"},
		{"two CPUs work at the same time", 2, func(w *world, cpu, packets int) int64 {
			if cpu != w.last {
				return int64(packets) * 50
			}
			return int64(packets) * 100
		}, "in place"},
		{"one CPU has nothing to do", 1, func(w *world, cpu, packets int) int64 {
			if cpu == 1 {
				return 0 // while the other works
			}
			return int64(packets) * 100
		}, "spread"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{cost: c.cost}
			f := newTest(2, 0, func() int64 { return w.now }, Protocol{Name: "a", Policy: Flow, Handler: w.handler})
			rng := rand.New(rand.NewPCG(1, 2))
			var batch [32]*pcbinfo.Segment
			for i := range batch {
				batch[i] = &pcbinfo.Segment{}
			}
			const turns = 20000
			for range turns {
				for i := range c.contexts {
					for _, seg := range batch {
						seg.FlowID = rng.Uint32()
					}
					if refused := f.Context(i).Dispatch(batch[:]); len(refused) > 0 {
						t.Fatalf("%d refused", len(refused))
					}
				}
				for i := range f.streams {
					f.streams[i].Run()
				}
			}
			all := uint64(0)
			for _, a := range f.Stats().Arms {
				all += a.Windows
			}
			for _, a := range f.Stats().Arms {
				if a.Name == c.want && a.Windows < all*8/10 {
					t.Errorf("%q had %d of %d windows, want nearly all: %v", c.want, a.Windows, all, f.Stats().Arms)
				}
			}
		})
	}
}

// TestFeedbackWithoutClock: nothing is measured, so packets stay in place.
func TestFeedbackWithoutClock(t *testing.T) {
	f := newTest(2, 1, nil, Protocol{Name: "a", Policy: Flow, Handler: func(*At, []*pcbinfo.Segment) {}})
	for i := range uint32(100) {
		f.Context(1).Dispatch([]*pcbinfo.Segment{{FlowID: i}, {FlowID: 2 * i}})
	}
	s := f.Stats()
	if w := s.Total(); w.Dispatched != 200 || w.Queued != 0 {
		t.Errorf("%+v", w)
	}
}

// TestFeedbackAllocatesNothing, whichever the arm, when each has been used before.
func TestFeedbackAllocatesNothing(t *testing.T) {
	now := int64(0)
	f := newTest(3, 64, func() int64 { now++; return now }, Protocol{Name: "a", Policy: Flow, Handler: func(*At, []*pcbinfo.Segment) {}})
	var batch [32]*pcbinfo.Segment
	for i := range batch {
		batch[i] = &pcbinfo.Segment{FlowID: uint32(i)}
	}
	lap := func() {
		for range f.pilot.arms {
			f.use(rand.IntN(len(f.pilot.arms)))
			for i := range f.streams {
				f.Context(i).Dispatch(batch[:])
			}
			for _, ws := range f.streams {
				ws.Run()
			}
		}
	}
	for range 100 {
		lap()
	}
	if n := testing.AllocsPerRun(100, lap); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
