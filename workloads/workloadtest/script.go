package workloadtest

import (
	"math"
	"regexp"
	"slices"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// stories are what a connection of each mix goes through in a lap.
var stories = map[string]*regexp.Regexp{
	"rpc":        regexp.MustCompile(`^(Ds)*$`),
	"tpca":       regexp.MustCompile(`^(DsA)*$`),
	"idle-heavy": regexp.MustCompile(`^(Ds)*$`),
	"synflood":   regexp.MustCompile(`^((Ds)*|S)$`),
	"churn":      regexp.MustCompile(`^((SHDsAFcA|SHDsAcAF)+|(oCsDAcAF)+)$`),
	"walk":       regexp.MustCompile(`^((SHDsAFcA|SHDsAcAF)+|(oCsDAcAF)+)$`),
	"loopback":   regexp.MustCompile(`^(Ds)*$`),
	"encap":      regexp.MustCompile(`^(Ds)*$`),
	"bulk":       regexp.MustCompile(`^(D+|(As)+|(S|SR|SHR|SHD*FcA)+)$`),
}

// script puts what l did into the order of its script. A connection that the start of the lap finds in the middle of its life has done the
// head of it before, and does it again at the lap's end.
func (l *life) script() (letters []byte, workers []int32, err error) {
	before, head := l.letters[0], 0
	l.open = len(before) >= 2 && (before[0] == syn && before[1] == handshake || before[0] == connect && before[1] == synAck) &&
		!slices.Contains(l.letters[1], before[0])
	if !l.open {
		head = len(before)
	}
	lap, who := l.letters[1], l.workers[1]
	tail := len(lap) - head
	if tail < 0 || string(lap[tail:]) != string(before[len(before)-head:]) {
		return nil, nil, oracle.Violated(oracle.Order, "%v: before the first lap it did %q, at the end of %q it does something else", l.inc, before, lap)
	}
	return append(slices.Clone(lap[tail:]), lap[:tail]...), append(slices.Clone(who[tail:]), who[:tail]...), nil
}

// checkScripts holds every connection to its mix's grammar, sizes and share of the lap, and counts the moves between workers.
func (s *show) checkScripts() error {
	if s.rec.replay {
		return nil
	}
	grammar, pairs, moved := stories[s.w.Mix], 0, 0
	for _, l := range s.rec.order {
		letters, workers, err := l.script()
		if err != nil {
			return err
		}
		l.text = string(letters)
		if grammar != nil && !grammar.MatchString(l.text) {
			return oracle.Violated(oracle.Order, "%v: %q is no story of %s", l.inc, l.text, s.w.Mix)
		}
		if err := s.checkSizes(l); err != nil {
			return err
		}
		if s.w.Affinity == workloads.RSS {
			if err := s.checkWorker(l, workers); err != nil {
				return err
			}
		}
		p, m := moves(letters, workers)
		pairs, moved = pairs+p, moved+m
	}
	want := 0.0
	if s.w.Affinity == workloads.Spray {
		want = float64(moved) / float64(max(1, pairs))
	}
	if math.Abs(s.w.Sprayed-want) > 1e-9 && len(s.rec.order) == s.w.Flows() { // else there are some that no table sees
		return oracle.Violated(oracle.Distribution, "Sprayed is %v; %d of %d neighbouring pieces went to different workers: %v", s.w.Sprayed, moved, pairs, want)
	}
	return nil
}

// moves counts neighbouring pieces of a script, and those on different workers. A piece is a segment with the requests that follow it; a
// connect is one of its own.
func moves(letters []byte, workers []int32) (pairs, moved int) {
	for i, c := range letters {
		if i == 0 || c == send || c == userClose || c == abort {
			continue
		}
		pairs++
		if workers[i] != workers[i-1] {
			moved++
		}
	}
	return pairs, moved
}

func (s *show) checkSizes(l *life) error {
	payload := s.p.Payload
	if payload == 0 {
		payload = defaults[s.w.Mix].payload
	}
	for n := range l.sizes {
		if n != payload && l.sizes[n] {
			return oracle.Violated(oracle.Answer, "%v: %d bytes of text in a segment, want %d", l.inc, n, payload)
		}
	}
	response := payload
	if s.w.Mix == "bulk" || (s.w.Mix == "churn" || s.w.Mix == "walk") && !l.outbound {
		response = 2 * payload
	}
	for n := range l.sends {
		if n != response {
			return oracle.Violated(oracle.Answer, "%v: our user sends %d bytes, want %d", l.inc, n, response)
		}
	}
	return nil
}

// checkWorker: under rss all of a connection is the worker's that its hash names; one of ours stays where it was opened.
func (s *show) checkWorker(l *life, workers []int32) error {
	want := int32(rssWorker(s.cardHash(l), s.w.Workers))
	if l.outbound && len(workers) > 0 {
		want = workers[0]
	}
	for _, got := range workers {
		if got != want {
			return oracle.Violated(oracle.Distribution, "%v is seen by worker %d, should be by %d of %d", l.inc, got, want, s.w.Workers)
		}
	}
	return nil
}

// checkRings holds the workers' laps to Params and to each other.
func (s *show) checkRings() error {
	w, total := s.w, 0
	if len(w.Rings) != w.Workers || len(s.ds) != w.Workers {
		return oracle.Violated(oracle.Conservation, "%d rings and %d drivers for %d workers", len(w.Rings), len(s.ds), w.Workers)
	}
	total += int(s.apart() / laps)
	for i, c := range s.rec.cpus {
		total += len(c.segs[0])
		if len(c.segs[0]) == 0 {
			continue
		}
		for _, b := range c.batches[0] {
			if b.segs > w.Batch {
				return oracle.Violated(oracle.Conservation, "worker %d has a batch of %d, most is %d", i, b.segs, w.Batch)
			}
		}
		if err := s.checkCuts(i, c); err != nil {
			return err
		}
		if err := s.checkLaps(i, c); err != nil {
			return err
		}
	}
	if n := w.Segments(); n != total {
		return oracle.Violated(oracle.Conservation, "Segments is %d, a lap has %d", n, total)
	}
	if n := w.Flows(); n != len(s.rec.order) && !s.rec.replay && s.apart() == 0 {
		return oracle.Violated(oracle.Conservation, "Flows is %d, there are %d", n, len(s.rec.order))
	}
	return s.checkTicks()
}

// checkCuts: under rss a batch ends where it is full, or where what comes next is of a connection with a request in it.
func (s *show) checkCuts(i int, c *scribe) error {
	if s.w.Affinity != workloads.RSS || s.w.Mix == "encap" { // a batch comes out of tunnels in pieces
		return nil
	}
	bs := c.batches[0]
	for k := 0; k+1 < len(bs); k++ {
		b, next := bs[k], bs[k+1]
		if b.segs == s.w.Batch {
			continue
		}
		cut := next.first != nil && (next.asked[next.first] || next.asked[s.rec.mate(next.first)]) // next.asked are the requests after b
		for _, more := range []*batch{&next, at(bs, k+2)} {
			for l := range more.asked {
				cut = cut || next.asked[l] && l.outbound // a connect is a piece without a segment
			}
		}
		if !cut {
			return oracle.Violated(oracle.Conservation, "worker %d: a batch of %d ends the next one of %d, for no reason; most is %d", i, b.segs, next.segs, s.w.Batch)
		}
	}
	return nil
}

func at(bs []batch, i int) *batch {
	if i < len(bs) {
		return &bs[i]
	}
	return new(batch)
}

// checkLaps: each lap is the first one over again, with numbers that have moved on by the same step for all segments of a connection.
func (s *show) checkLaps(i int, c *scribe) error {
	type step struct{ seq, ack uint32 }
	steps := map[pcbinfo.ConnInfo]step{}
	for lap := 1; lap < len(c.segs); lap++ {
		if len(c.segs[lap]) != len(c.segs[0]) || len(c.batches[lap]) != len(c.batches[0]) {
			return oracle.Violated(oracle.Conservation, "worker %d: lap %d has %d segments in %d batches, the first one had %d in %d",
				i, lap, len(c.segs[lap]), len(c.batches[lap]), len(c.segs[0]), len(c.batches[0]))
		}
		for k := range c.batches[0] {
			if c.batches[lap][k].segs != c.batches[0][k].segs {
				return oracle.Violated(oracle.Conservation, "worker %d: batch %d has another size in lap %d", i, k, lap)
			}
		}
		for k := range c.segs[0] {
			a, b := c.segs[lap-1][k], c.segs[lap][k]
			l := s.rec.lives[a.Inc]
			by := step{b.Seq - a.Seq, b.Ack - a.Ack}
			if a.Flags&pcbinfo.ACK == 0 {
				by.ack = 0
			}
			b.Seq, b.Ack, b.Slot = a.Seq, a.Ack, a.Slot
			if l.outbound {
				b.Inc.Lport = a.Inc.Lport
			}
			if a != b {
				return oracle.Violated(oracle.Order, "worker %d: segment %d is %+v in lap %d and was %+v", i, k, b, lap, a)
			}
			if l.outbound || s.rec.replay {
				continue
			}
			if a.FlowID != rssHash(s.rec.server(&a.Inc)) {
				return oracle.Violated(oracle.Distribution, "%v: flow ID %08x", a.Inc, a.FlowID)
			}
			if a.Flags&pcbinfo.ACK == 0 {
				continue
			}
			if was, ok := steps[a.Inc]; ok && was != by {
				return oracle.Violated(oracle.Order, "%v: a lap adds %v to one segment's numbers and %v to another's", a.Inc, was, by)
			}
			steps[a.Inc] = by
		}
	}
	return nil
}

// ticksPerLap is what TIME-WAIT lasts by: 2MSL is an eighth of a lap.
const ticksPerLap = 16

// checkTicks: worker 0 scans the TIME-WAITs sixteen times a lap, once a batch where it has fewer.
func (s *show) checkTicks() error {
	batches := s.perLap[0]
	if batches == 0 || s.rec.replay {
		return nil
	}
	for lap, n := range s.rec.ticks[:min(laps, len(s.rec.ticks))] {
		if n < min(ticksPerLap, batches)-1 || n > 2*ticksPerLap || batches > 64*ticksPerLap && n > ticksPerLap+2 {
			return oracle.Violated(oracle.Answer, "%d ticks in lap %d of %d batches", n, lap, batches)
		}
	}
	return nil
}
