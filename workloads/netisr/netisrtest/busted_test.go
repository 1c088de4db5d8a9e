//go:build !race

package netisrtest

import (
	"testing"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// busted are models with one fault each, the promise that they are held to, and the oracles that may see the fault. Each is made of a model that has none.
var busted = []struct {
	name, model, promise string
	want                 []string
	still                bool // seen by one goroutine that does everything; else with all at once
	config               func(*netisr.Config)
	around               func(netisr.Isr, *netisr.Config) netisr.Isr
}{
	{name: "loses a packet", model: "netisr2", want: []string{oracle.Progress}, around: out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
		if len(segs) > 3 && d.now() {
			segs = segs[1:]
		}
		return d.Dispatcher.Dispatch(segs)
	})},
	{name: "doubles a packet", model: "deferred", want: []string{oracle.Conservation}, around: out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
		if len(segs) > 3 && d.now() {
			d.Dispatcher.Dispatch(segs[:1])
		}
		return d.Dispatcher.Dispatch(segs)
	})},
	{name: "reorders", model: "netisr2", want: []string{oracle.Order}, around: out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
		if len(segs) > 1 {
			segs[0], segs[1] = segs[1], segs[0]
		}
		return d.Dispatcher.Dispatch(segs)
	})},
	{name: "reorders in place", model: "direct", want: []string{oracle.Order}, around: out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
		if len(segs) > 1 {
			segs[0], segs[1] = segs[1], segs[0]
		}
		return d.Dispatcher.Dispatch(segs)
	})},
	{name: "changes a packet", model: "hybrid", want: []string{oracle.Conservation}, around: out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
		if len(segs) > 0 && d.now() {
			segs[0].Level++
		}
		return d.Dispatcher.Dispatch(segs)
	})},
	{name: "refuses what it keeps", model: "netisr2", want: []string{oracle.Conservation, oracle.Order}, around: out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
		refused := d.Dispatcher.Dispatch(segs)
		if len(refused) == 0 && len(segs) > 0 && d.now() {
			return segs[:1]
		}
		return refused
	})},
	{name: "does not say what it refuses", model: "netisr2", want: []string{oracle.Progress, oracle.Measure}, around: out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
		d.Dispatcher.Dispatch(segs)
		return nil
	})},
	{name: "lets later packets overtake what it refuses", model: "netisr2", want: []string{oracle.Order}, around: out(func(d *faulty, segs []*pcbinfo.Segment) (refused []*pcbinfo.Segment) {
		for i := range segs {
			refused = append(refused, d.Dispatcher.Dispatch(segs[i:i+1])...)
		}
		return refused
	})},
	{name: "says in the wrong order what it refuses", model: "deferred", want: []string{oracle.Order}, around: out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
		refused := d.Dispatcher.Dispatch(segs)
		if n := len(refused); n > 1 {
			refused[0], refused[n-1] = refused[n-1], refused[0]
		}
		return refused
	})},
	{name: "handles beside the worker", model: "netisr2", want: []string{oracle.Exclusion, oracle.Order}, around: func(in netisr.Isr, c *netisr.Config) netisr.Isr {
		handler, streams := c.Protocols[ip].Handler, c.Streams
		return out(func(d *faulty, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
			if len(segs) > 0 && segs[0].Proto == ip && segs[0].FlowID%uint32(len(streams)) == 0 {
				handler(&netisr.At{Handle: streams[0]}, segs[:1])
				segs = segs[1:]
			}
			return d.Dispatcher.Dispatch(segs)
		})(in, c)
	}},
	{name: "queues what it should handle in place", model: "deferred", promise: "direct", want: []string{oracle.Conservation}},
	{name: "handles in place what it should queue", model: "direct", promise: "netisr2", want: []string{oracle.Key, oracle.Exclusion}},
	{name: "handles on another's handle", model: "direct", want: []string{oracle.Conservation, oracle.Key}, config: func(c *netisr.Config) {
		c.Contexts[0], c.Contexts[1] = c.Contexts[1], c.Contexts[0]
	}},
	{name: "steers flows by source", model: "netisr2", want: []string{oracle.Key, oracle.Order}, config: func(c *netisr.Config) { c.Protocols[ip].Policy = netisr.Source }},
	{name: "steers sources by flow", model: "netisr2", want: []string{oracle.Key, oracle.Order}, config: func(c *netisr.Config) { c.Protocols[arp].Policy = netisr.Flow }},
	{name: "does not look at m2flow", model: "netisr2", want: []string{oracle.Key, oracle.Order}, config: func(c *netisr.Config) { c.Protocols[marked].M2flow = nil }},
	{name: "takes another CPU than m2cpuid's", model: "netisr2", want: []string{oracle.Key, oracle.Order}, config: func(c *netisr.Config) {
		c.Protocols[pinned].M2cpuid = func(seg *pcbinfo.Segment) int { return int(seg.FlowID) % 5 }
	}},
	{name: "limit one too high", model: "netisr2", want: []string{oracle.Measure}, config: func(c *netisr.Config) { c.Protocols[marked].QLimit++ }},
	{name: "limit one too low", model: "netisr2", still: true, want: []string{oracle.Measure}, config: func(c *netisr.Config) { c.Protocols[marked].QLimit-- }},
	{name: "never wakes", model: "netisr2", want: []string{oracle.Progress}, around: around(func(w netisr.Worker) netisr.Worker { return sleepy{w, make(chan struct{})} })},
	{name: "stops before Stop", model: "netisr2", want: []string{oracle.Progress}, around: around(func(w netisr.Worker) netisr.Worker { return lazy{w} })},
	{name: "does not stop", model: "netisr2", want: []string{oracle.Progress}, around: around(func(w netisr.Worker) netisr.Worker { return endless{w} })},
	{name: "says that it handled more", model: "deferred", still: true, want: []string{oracle.Conservation}, around: around(func(w netisr.Worker) netisr.Worker { return boaster{w} })},
	{name: "does not count a drop", model: "netisr2", want: []string{oracle.Measure}, around: lies(func(s *netisr.Stats) { decrease(s, func(w *netisr.Work) *uint64 { return &w.QDrops }) })},
	{name: "does not count a packet queued", model: "netisr2", want: []string{oracle.Measure}, around: lies(func(s *netisr.Stats) { decrease(s, func(w *netisr.Work) *uint64 { return &w.Queued }) })},
	{name: "does not count a packet handled", model: "hybrid", want: []string{oracle.Measure}, around: lies(func(s *netisr.Stats) { decrease(s, func(w *netisr.Work) *uint64 { return &w.Handled }) })},
	{name: "counts in place what was not", model: "netisr2", want: []string{oracle.Measure}, around: lies(func(s *netisr.Stats) {
		if decrease(s, func(w *netisr.Work) *uint64 { return &w.Queued }) {
			s.Streams[0].Works[ip].HDispatched++
		}
	})},
	{name: "watermark too high", model: "netisr2", still: true, want: []string{oracle.Measure}, around: lies(func(s *netisr.Stats) { s.Streams[0].Works[narrow].WMark++ })},
	{name: "counts a hand-off too many", model: "hybrid", want: []string{oracle.Measure}, around: lies(func(s *netisr.Stats) { s.Handoffs++ })},
	{name: "counts a hand-off too few", model: "netisr2", want: []string{oracle.Measure}, around: lies(func(s *netisr.Stats) { s.Handoffs-- })},
	{name: "counts a wake-up that it did not measure", model: "netisr2", want: []string{oracle.Measure}, around: lies(func(s *netisr.Stats) { s.Wakes.N++ })},
	{name: "makes a request twice", model: "connp-t", want: []string{oracle.Conservation}, around: asks(func(u pcbinfo.CPU, key *pcbinfo.ConnInfo, n int) error {
		u.Send(key, n)
		return u.Send(key, n)
	})},
	{name: "does not make a request", model: "connp-t", want: []string{oracle.Answer}, around: asks(func(u pcbinfo.CPU, key *pcbinfo.ConnInfo, n int) error { return nil })},
	{name: "answers another's request", model: "squeue", want: []string{oracle.Answer}, around: asks(func(u pcbinfo.CPU, key *pcbinfo.ConnInfo, n int) error {
		u.Send(key, n)
		return pcbinfo.ErrInvalid
	})},
	{name: "makes requests on the user's handle", model: "netisr2", promise: "connp-t", want: []string{oracle.Key, oracle.Exclusion}},
}

// A faulty is a way in that does something wrong now and then.
type faulty struct {
	netisr.Dispatcher
	dispatch func(*faulty, []*pcbinfo.Segment) []*pcbinfo.Segment
	calls    int
}

func (d *faulty) Dispatch(segs []*pcbinfo.Segment) []*pcbinfo.Segment { return d.dispatch(d, segs) }

// now is true every so many calls.
func (d *faulty) now() bool {
	d.calls++
	return d.calls%20 == 0
}

type bustedIsr struct {
	netisr.Isr
	contexts []netisr.Dispatcher
	worker   func(netisr.Worker) netisr.Worker
	lie      func(*netisr.Stats)
	send     func(pcbinfo.CPU, *pcbinfo.ConnInfo, int) error
}

func (b *bustedIsr) Context(i int) netisr.Dispatcher {
	if b.contexts == nil {
		return b.Isr.Context(i)
	}
	return b.contexts[i]
}

func (b *bustedIsr) Workers() (list []netisr.Worker) {
	for _, w := range b.Isr.Workers() {
		if b.worker != nil {
			w = b.worker(w)
		}
		list = append(list, w)
	}
	return list
}

func (b *bustedIsr) Stats() netisr.Stats {
	s := b.Isr.Stats()
	if b.lie != nil {
		b.lie(&s)
	}
	return s
}

func (b *bustedIsr) User(i int) pcbinfo.CPU {
	if b.send == nil {
		return b.Isr.User(i)
	}
	return bustedUser{b.Isr.User(i), b.send}
}

type bustedUser struct {
	pcbinfo.CPU
	send func(pcbinfo.CPU, *pcbinfo.ConnInfo, int) error
}

func (u bustedUser) Send(key *pcbinfo.ConnInfo, n int) error { return u.send(u.CPU, key, n) }

// out puts a fault into Dispatch, around and lies and asks put theirs into workers, Stats and users' Send.
func out(f func(*faulty, []*pcbinfo.Segment) []*pcbinfo.Segment) func(netisr.Isr, *netisr.Config) netisr.Isr {
	return func(in netisr.Isr, c *netisr.Config) netisr.Isr {
		b := &bustedIsr{Isr: in}
		for i := range c.Contexts {
			b.contexts = append(b.contexts, &faulty{Dispatcher: in.Context(i), dispatch: f})
		}
		return b
	}
}

func around(f func(netisr.Worker) netisr.Worker) func(netisr.Isr, *netisr.Config) netisr.Isr {
	return func(in netisr.Isr, _ *netisr.Config) netisr.Isr { return &bustedIsr{Isr: in, worker: f} }
}

func lies(f func(*netisr.Stats)) func(netisr.Isr, *netisr.Config) netisr.Isr {
	return func(in netisr.Isr, _ *netisr.Config) netisr.Isr { return &bustedIsr{Isr: in, lie: f} }
}

func asks(f func(pcbinfo.CPU, *pcbinfo.ConnInfo, int) error) func(netisr.Isr, *netisr.Config) netisr.Isr {
	return func(in netisr.Isr, _ *netisr.Config) netisr.Isr { return &bustedIsr{Isr: in, send: f} }
}

// decrease takes one off the first figure that has one, and reports whether any has.
func decrease(s *netisr.Stats, figure func(*netisr.Work) *uint64) bool {
	for i := range s.Streams {
		for j := range s.Streams[i].Works {
			if n := figure(&s.Streams[i].Works[j]); *n > 0 {
				*n--
				return true
			}
		}
	}
	return false
}

type sleepy struct {
	netisr.Worker
	forever chan struct{}
}

func (w sleepy) Serve() { <-w.forever }

type lazy struct{ netisr.Worker }

func (w lazy) Serve() { w.Run() }

type endless struct{ netisr.Worker }

func (w endless) Serve() {
	w.Worker.Serve()
	select {}
}

type boaster struct{ netisr.Worker }

func (w boaster) Run() int { return w.Worker.Run() + 1 }

// TestFindsBusted wants each fault found within a few seeds, by the right oracle.
func TestFindsBusted(t *testing.T) {
	first := uint64(time.Now().UnixNano())
	for _, b := range busted {
		t.Run(b.name, func(t *testing.T) {
			sp := spec(t, b.model)
			inner := sp.Model.New
			sp.Model.New = func(c netisr.Config, o netisr.Options) netisr.Isr {
				if b.config != nil {
					b.config(&c)
				}
				in := inner(c, o)
				if b.around != nil {
					in = b.around(in, &c)
				}
				return in
			}
			held := b.promise
			if held == "" {
				held = b.model
			}
			err := oracle.Hunt(b.want, first, func(seed uint64) error {
				c := Config{Contexts: 3, CPUs: 3, Segments: 500, Flows: 5, QLimit: 4, Poll: seed%4 == 0, Clock: seed%2 == 0, Seed: seed, Patience: 500 * time.Millisecond}
				ph := &phases[len(phases)-1]
				if b.still {
					ph = &phases[0]
				}
				return ph.torture(sp, promised(held), c)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
