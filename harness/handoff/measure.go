package handoff

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
	"pcbbench/pcbinfo"
)

// A Result is what one measurement of a Case gave. Every packet of it has come once and in order.
type Result struct {
	Packets   uint64                  // that were sent in one direction
	Took      int64                   // clock ticks from the first send until the last was handled
	RoundTrip *hdrhistogram.Histogram // clock ticks from sending a batch until it was back
}

// The range of round trips, in ticks: up to some ten seconds, two digits.
const maxTicks = 1 << 36

// Measure takes about d for each of the two: packets there, and packets there and back. cpus[0] is the sender's CPU, cpus[1] another; they
// mean nothing unless c pins. An error says that a packet was lost, doubled or overtaken, or that threads cannot be pinned.
func (c Case) Measure(clock *machine.Clock, cpus []int, d time.Duration) (*Result, error) {
	w := Ways[slices.IndexFunc(Ways, func(w Way) bool { return w.Name == c.Via })]
	m := &measurement{Case: c, clock: clock, d: d, sender: -1, receiver: -1, link: func() link { return w.new(c.Wait == Poll) }}
	if c.CPUs != Any {
		m.sender, m.receiver = cpus[0], cpus[0]
	}
	if c.CPUs == Other {
		m.receiver = cpus[1]
	}
	res := &Result{RoundTrip: hdrhistogram.New(1, maxTicks, 2)}
	if err := m.roundTrips(res.RoundTrip); err != nil {
		return nil, err
	}
	if err := m.oneWay(res); err != nil {
		return nil, err
	}
	return res, nil
}

type measurement struct {
	Case
	clock            *machine.Clock
	d                time.Duration
	sender, receiver int // CPUs; -1: any
	link             func() link
}

// both runs the two sides on their CPUs, lets none begin before both are there, and tells the sender after d.
func (m *measurement) both(send func(over *atomic.Bool), receive func()) error {
	var over, failed atomic.Bool
	var wg sync.WaitGroup
	var there atomic.Int32
	errs := make([]error, 2)
	side := func(i, cpu int, run func()) {
		wg.Go(func() {
			if cpu >= 0 {
				unpin, err := machine.Pin(cpu)
				if err != nil {
					errs[i] = err
					failed.Store(true)
				} else {
					defer unpin()
				}
			}
			for there.Add(1); there.Load() < 2; {
				runtime.Gosched()
			}
			if !failed.Load() { // stored before the Add that let us on
				run()
			}
		})
	}
	side(0, m.sender, func() {
		defer time.AfterFunc(m.d, func() { over.Store(true) }).Stop()
		send(&over)
	})
	side(1, m.receiver, receive)
	wg.Wait()
	return errors.Join(errs...)
}

// oneWay sends packets as fast as they are taken.
func (m *measurement) oneWay(res *Result) error {
	const packets = 4 * room // more than are on their way: a queue, what the receiver took of it, and a batch
	var r receipt
	var start, end int64
	l, ps, sent := m.link(), newPackets(packets), uint32(0)
	err := m.both(func(over *atomic.Bool) {
		start = m.clock.Now()
		for ; sent == 0 || !over.Load(); sent += uint32(m.Batch) {
			batch := ps[sent%packets:][:m.Batch]
			number(batch, sent)
			l.send(batch)
		}
		l.close()
	}, func() {
		l.serve(r.take)
		end = m.clock.Now()
	})
	res.Packets, res.Took = uint64(sent), max(1, end-start)
	return errors.Join(err, r.complete(sent))
}

// roundTrips sends a batch, which the receiver sends back as a whole, before the next.
func (m *measurement) roundTrips(trips *hdrhistogram.Histogram) error {
	var theirs, ours receipt
	there, back, ps, sent := m.link(), m.link(), newPackets(m.Batch), uint32(0)
	err := m.both(func(over *atomic.Bool) {
		var began int64
		next := func() {
			number(ps, sent)
			sent += uint32(m.Batch)
			began = m.clock.Now()
			there.send(ps)
		}
		next()
		back.serve(func(packets []*pcbinfo.Segment) {
			if ours.take(packets); ours.next != sent {
				return
			}
			_ = trips.RecordValue(min(max(1, m.clock.Now()-began), maxTicks))
			if over.Load() {
				there.close()
				return
			}
			next()
		})
	}, func() {
		batch := make([]*pcbinfo.Segment, 0, m.Batch)
		there.serve(func(packets []*pcbinfo.Segment) {
			theirs.take(packets)
			if batch = append(batch, packets...); len(batch) == m.Batch {
				back.send(batch)
				batch = batch[:0]
			}
		})
		back.close()
	})
	return errors.Join(err, theirs.complete(sent), ours.complete(sent))
}

// newPackets are in memory as a network card's buffers are: one after the other. They are all from the source whose packets are the receiver's.
func newPackets(n int) (ps []*pcbinfo.Segment) {
	segs := make([]pcbinfo.Segment, n)
	for i := range segs {
		segs[i].Source = receiverSource
		ps = append(ps, &segs[i])
	}
	return ps
}

// number gives packets their place in the sequence.
func number(ps []*pcbinfo.Segment, first uint32) {
	for i, p := range ps {
		p.Seq = first + uint32(i)
	}
}

// A receipt is how many packets a side has got.
type receipt struct {
	next uint32
	err  error
}

// take reads the packets' headers, as any protocol would, and sees to it that they come one after the other.
func (r *receipt) take(packets []*pcbinfo.Segment) {
	for _, p := range packets {
		if p.Seq != r.next && r.err == nil {
			r.err = fmt.Errorf("handoff: packet %d came when %d was due", p.Seq, r.next)
		}
		r.next++
	}
}

func (r *receipt) complete(sent uint32) error {
	if r.err == nil && r.next != sent {
		return fmt.Errorf("handoff: %d packets were sent, %d came", sent, r.next)
	}
	return r.err
}
