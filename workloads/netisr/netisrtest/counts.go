package netisrtest

import (
	"slices"

	"pcbbench/locks/oracle"
	"pcbbench/workloads/netisr"
)

// counts: the model's figures are what the notes say.
func (r *rig) counts() error {
	s := r.isr.Stats()
	if len(s.Streams) != r.streams {
		return oracle.Violated(oracle.Measure, "there are %d workstreams, want %d", len(s.Streams), r.streams)
	}
	drops, queued := uint64(0), uint64(0)
	for i := range s.Streams {
		here, full := uint64(0), false
		for proto := range uint8(protocols) {
			if err := r.work(&s, i, proto); err != nil {
				return oracle.Violated(oracle.Measure, "workstream %d, %s: %w", i, kinds[proto].name, err)
			}
			w := &s.Streams[i].Works[proto]
			here += w.QDrops
			queued += w.Queued
			full = full || w.QDrops > 0 && w.WMark >= r.limit(proto)
		}
		if here > 0 && !full {
			return oracle.Violated(oracle.Measure, "workstream %d refused packets, and no queue of it was full", i)
		}
		drops += here
	}
	refused := uint64(0)
	for _, x := range r.contexts {
		refused += x.drops
	}
	if drops != refused {
		return oracle.Violated(oracle.Measure, "%d packets were refused, QDrops say %d", refused, drops)
	}
	if err := r.handoffs(&s); err != nil {
		return err
	}
	if err := r.asked(&s); err != nil {
		return err
	}
	return r.wakes(&s, queued)
}

// asked: requests are counted where the model makes them, and those that were refused and nobody waited for.
func (r *rig) asked(s *netisr.Stats) error {
	var failed uint64
	for _, u := range r.users {
		failed += u.failed
	}
	if s.Failed != failed || (s.Failure != nil) != (failed > 0) {
		return oracle.Violated(oracle.Measure, "%d requests failed unseen, Stats say %d, %v", failed, s.Failed, s.Failure)
	}
	for i := range s.Streams {
		if n := len(r.handlers[len(r.contexts)+i].asked); s.Streams[i].Requests != uint64(n) {
			return oracle.Violated(oracle.Measure, "workstream %d made %d requests, Stats say %d", i, n, s.Streams[i].Requests)
		}
	}
	return nil
}

// work checks the figures of one protocol on one workstream.
func (r *rig) work(s *netisr.Stats, i int, proto uint8) error {
	w, length := &s.Streams[i].Works[proto], s.Streams[i].Len[proto]
	worker := r.noted(len(r.contexts)+i, proto)
	inPlace, nested := uint64(0), 0
	for _, x := range r.contexts {
		if x.index%r.streams == i {
			inPlace += r.noted(x.index, proto)
		}
		nested += x.inside(proto)
	}
	if r.p.deep { // what was in packets that the worker handled was handled in place too
		n := r.deep(i, proto)
		inPlace, worker = inPlace+n, worker-n
	}
	if w.Dispatched != inPlace || w.HDispatched+w.Queued != worker || w.HDispatched > 0 && !r.p.inline {
		return oracle.Violated(oracle.Measure, "%d were handled in place and %d as the worker does: %+v", inPlace, worker, *w)
	}
	limit := r.limit(proto)
	switch {
	case w.Handled != w.Dispatched+w.HDispatched+w.Queued:
		return oracle.Violated(oracle.Measure, "Handled is not Dispatched + HDispatched + Queued: %+v", *w)
	case length != 0:
		return oracle.Violated(oracle.Measure, "at rest %d are queued", length)
	case w.WMark > limit+nested, uint64(w.WMark) > w.Queued, w.WMark == 0 && w.Queued > 0:
		return oracle.Violated(oracle.Measure, "of a queue of %d, into which %d may have come that are not refused: %+v", limit, nested, *w)
	case w.Batches > w.Queued, w.Batches == 0 && w.Queued > 0:
		return oracle.Violated(oracle.Measure, "found times that packets were queued: %+v", *w)
	}
	return nil
}

// deep is how many packets of a protocol were inside of others that workstream i's worker handled, and dispatched.
func (r *rig) deep(i int, proto uint8) (n uint64) {
	for _, x := range r.contexts {
		for k := range x.packets {
			p := &x.packets[k]
			if stream, ok := r.stream(p.parent); p.outer != nil && !p.queue && p.seg.Proto == proto && ok && stream == i {
				n++
			}
		}
	}
	return n
}

// noted is how many packets of a protocol were handled on a handle.
func (r *rig) noted(handle int, proto uint8) (n uint64) {
	for i := range r.handlers[handle].notes {
		if r.handlers[handle].notes[i].seg.Proto == proto {
			n++
		}
	}
	return n
}

// inside is how many packets of a protocol were inside of others that x sent.
func (x *context) inside(proto uint8) (n int) {
	for i := range x.packets {
		if p := &x.packets[i]; p.outer != nil && p.seg.Proto == proto {
			n++
		}
	}
	return n
}

// handoffs are the packets that were queued for the worker of another CPU than the one on which they were dispatched.
func (r *rig) handoffs(s *netisr.Stats) error {
	n, visits := uint64(0), uint64(0)
	if r.p.visits || r.p.inline && r.streams < len(r.contexts) { // what is handled in place was not queued, whatever its CPU
		w := s.Total()
		visits = w.HDispatched
	}
	for i := range r.streams {
		for j := range r.handlers[len(r.contexts)+i].notes {
			p := r.sent(r.handlers[len(r.contexts)+i].notes[j].seg)
			cpu := p.context
			if p.outer != nil {
				cpu = p.parent
				if stream, ok := r.stream(cpu); ok {
					cpu = stream % len(r.contexts)
				}
			}
			if r.p.deep && p.outer != nil && !p.queue {
				continue
			}
			if cpu != i%len(r.contexts) {
				n++
			}
		}
	}
	if s.Handoffs > n || s.Handoffs+visits < n {
		return oracle.Violated(oracle.Measure, "%d packets were handled on another CPU, Handoffs say %d", n, s.Handoffs)
	}
	return nil
}

// wakes: sleepers were woken for something, and each time was measured.
func (r *rig) wakes(s *netisr.Stats, queued uint64) error {
	latencies := uint64(s.Wakes.Latency.TotalCount())
	for i := range s.Streams {
		queued += s.Streams[i].Requests
	}
	if s.Wakes.N > queued || r.c.Poll && s.Wakes.N > 0 || latencies != s.Wakes.N {
		return oracle.Violated(oracle.Measure, "%d packets and requests were queued; %d wake-ups, %d of them measured", queued, s.Wakes.N, latencies)
	}
	return nil
}

// handled is how many packets have been.
func (r *rig) handled() (n uint64) {
	for i := range r.handlers {
		n += uint64(len(r.handlers[i].notes))
	}
	return n
}

// crowded reports whether some workstream queues as many packets of a protocol as it may.
func (r *rig) crowded(proto uint8) bool {
	s := r.isr.Stats()
	return slices.ContainsFunc(s.Streams, func(st netisr.StreamStats) bool { return st.Len[proto] == r.limit(proto) })
}

// marks are how long the queues were, as seen while one goroutine does everything.
type marks [][protocols]int

// look compares how much is queued with what should be.
func (m *marks) look(r *rig) error {
	s, queued := r.isr.Stats(), r.accepted()-r.handled()
	if *m == nil {
		*m = make(marks, len(s.Streams))
	}
	sum := uint64(0)
	for i := range s.Streams {
		for proto, n := range s.Streams[i].Len {
			sum += uint64(n)
			(*m)[i][proto] = max((*m)[i][proto], n)
			if limit := r.limit(uint8(proto)); n > limit {
				return oracle.Violated(oracle.Measure, "workstream %d queues %d packets of %s, the limit is %d", i, n, kinds[proto].name, limit)
			}
		}
	}
	if sum != queued {
		return oracle.Violated(oracle.Measure, "%d packets are queued, Len say %d", queued, sum)
	}
	return nil
}

// check: the watermark is the longest that a queue was.
func (m *marks) check(r *rig) error {
	s := r.isr.Stats()
	for i := range s.Streams {
		for proto := range s.Streams[i].Works {
			if got, want := s.Streams[i].Works[proto].WMark, (*m)[i][proto]; got != want {
				return oracle.Violated(oracle.Measure, "workstream %d queued up to %d packets of %s, WMark says %d", i, want, kinds[proto].name, got)
			}
		}
	}
	return nil
}
