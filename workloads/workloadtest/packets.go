package workloadtest

import (
	"fmt"
	"maps"
	"math/rand/v2"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// A catch is what the handlers of a mix without connections were given: packets as they came in, by worker.
type catch struct {
	p    workloads.Params
	w    *workloads.Workload
	segs [][]pcbinfo.Segment
}

// inspectPackets is inspect for the mixes whose packets a table never sees.
func inspectPackets(p workloads.Params, rng *rand.Rand, beat func(int)) error {
	c, err := watch(p, nil, beat)
	if err != nil {
		return oracle.Violated(oracle.Answer, "without a fault: %w", err)
	}
	check := map[string]func() error{"forward": c.checkForward, "arp": c.checkARP}[p.Mix]
	for _, check := range []func() error{c.checkPackets, check} {
		if err := check(); err != nil {
			return err
		}
	}
	what := packetFaults[p.Mix][rng.IntN(len(packetFaults[p.Mix]))]
	f := &fault{what: what, n: 1 + rng.IntN(c.total()/2)}
	if _, err := watch(p, f, beat); f.n == 0 && err == nil { // batches of one have no two the wrong way round
		return oracle.Violated(oracle.Measure, "Check does not report %s", what)
	}
	return nil
}

// watch builds p's workload and replays it into handlers that write down what they get, with a fault if there is one. The error is Check's.
func watch(p workloads.Params, f *fault, beat func(int)) (*catch, error) {
	w, err := workloads.Build(p)
	if err != nil {
		return nil, err
	}
	c := &catch{p: p, w: w, segs: make([][]pcbinfo.Segment, w.Workers)}
	rec := newRecord(w.Workers, false)
	if err := w.Open(rec); err != nil {
		return nil, err
	}
	tr := w.Start(rec, tap(way(p.Mix), func(config *netisr.Config) {
		for i := range config.Protocols {
			handler := config.Protocols[i].Handler
			config.Protocols[i].Handler = func(at *netisr.At, segs []*pcbinfo.Segment) {
				for _, seg := range segs {
					c.segs[at.Handle] = append(c.segs[at.Handle], *seg)
				}
				f.commit(at, segs, handler)
			}
		}
	}))
	for left := true; left; {
		beat(0)
		left = false
		for i, d := range tr.Drivers {
			if d.Before(laps) {
				left = true
				tr.Next(i, laps)
			}
		}
	}
	if rec.err != nil {
		return nil, rec.err
	}
	return c, w.Check(rec, tr.Drivers)
}

func (c *catch) total() (n int) {
	for _, segs := range c.segs {
		n += len(segs)
	}
	return n
}

// A fault is what a handler does wrong once: with the n-th packet, or the next that it shows with.
type fault struct {
	what string
	n    int
}

// packetFaults are those that each mix may have.
var packetFaults = map[string][]string{
	"arp":     {"an update lost", "an update taken twice", "two updates the wrong way round"},
	"forward": {"a packet with another destination", "a packet with another TTL", "a packet changed when it had left"},
}

// commit gives segs to handler, with the fault if it is time. What it changes in a packet it puts right afterwards, but where that is the fault.
func (f *fault) commit(at *netisr.At, segs []*pcbinfo.Segment, handler func(*netisr.At, []*pcbinfo.Segment)) {
	if f == nil || f.n == 0 || f.n > len(segs) || !f.shows(segs) {
		if f != nil && f.n > 0 {
			f.n = max(1, f.n-len(segs))
		}
		handler(at, segs)
		return
	}
	f.n = 0
	seg := segs[0]
	was := *seg
	switch f.what {
	case "an update lost":
		handler(at, segs[1:])
	case "an update taken twice":
		handler(at, segs[:1])
		handler(at, segs)
	case "two updates the wrong way round":
		handler(at, segs[1:])
		handler(at, segs[:1])
	case "a packet with another destination":
		seg.Inc.Laddr = pcbinfo.Addr{}
		handler(at, segs)
		seg.Inc = was.Inc
	case "a packet with another TTL":
		seg.Ack = 65 - was.Ack // 64 and 1
		handler(at, segs)
		seg.Ack = min(was.Ack, 63)
	case "a packet changed when it had left":
		handler(at, segs)
		seg.Ack++
	}
}

// shows reports whether the fault makes a difference with segs.
func (f *fault) shows(segs []*pcbinfo.Segment) bool {
	switch f.what {
	case "two updates the wrong way round":
		return len(segs) > 1
	case "a packet with another destination":
		return routed(segs[0]) && segs[0].Ack > 1
	}
	return true
}

// checkPackets: a lap is as long as the mix's documentation says, and the second is the first over again.
func (c *catch) checkPackets() error {
	total := 0
	for i, segs := range c.segs {
		n := len(segs) / laps
		if len(segs)%laps != 0 {
			return oracle.Violated(oracle.Conservation, "worker %d sends %d packets in %d laps", i, len(segs), laps)
		}
		for k := range n {
			a, b := segs[k], segs[n+k]
			if c.p.Mix == "arp" && b.Seq != a.Seq+uint32(n) {
				return oracle.Violated(oracle.Order, "worker %d: update %d has number %d in the second lap and had %d of %d", i, k, b.Seq, a.Seq, n)
			}
			if c.p.Mix == "arp" && b.Ack == a.Ack {
				return oracle.Violated(oracle.Order, "worker %d: update %d tells the same address in each lap", i, k)
			}
			b.Slot, b.Seq = a.Slot, a.Seq
			if c.p.Mix == "arp" {
				b.Ack = a.Ack
			}
			if a != b || int(a.Source) != i {
				return oracle.Violated(oracle.Order, "worker %d: packet %d is %+v in the second lap and was %+v", i, k, b, a)
			}
		}
		total += n
	}
	if n := c.w.Segments(); n != total || n < 4*c.w.Conns || n < 1<<14 {
		return oracle.Violated(oracle.Conservation, "Segments is %d, a lap of %d flows has %d", n, c.w.Conns, total)
	}
	return nil
}

// routed reports whether there is a route to seg's destination: one of 10.0.0.0/8 or fd00::/16.
func routed(seg *pcbinfo.Segment) bool { return seg.Inc.Laddr.Netip().IsPrivate() }

// network is that of a destination with a route: 10.n.n.0/24 or fd00:0:n::/48.
func network(seg *pcbinfo.Segment) int {
	b := seg.Inc.Laddr.Netip().AsSlice()
	if len(b) == 4 {
		return int(b[1])<<8 | int(b[2])
	}
	return int(b[4])<<8 | int(b[5])
}

// checkForward: packets come in where their hash says, from the right peers, and go where their destination says.
func (c *catch) checkForward() error {
	want, flows := map[string]uint64{}, map[pcbinfo.ConnInfo]bool{}
	got := make([]int, c.w.Conns)
	for i, segs := range c.segs {
		for k := range segs {
			seg := &segs[k]
			hash := rssHash(&seg.Inc)
			if seg.FlowID != hash || c.w.Affinity == workloads.RSS && rssWorker(hash, c.w.Workers) != i {
				return oracle.Violated(oracle.Distribution, "%v, flow %08x, comes in at worker %d of %d", seg.Inc, seg.FlowID, i, c.w.Workers)
			}
			peer, ok := foreign(seg.Inc.Faddr)
			flow := ((int(seg.Inc.Fport)-1024)*c.w.Peers+peer)*c.w.Listeners + int(seg.Inc.Lport) - 5000
			if !ok || flow < 0 || flow >= c.w.Conns || int(seg.Len) != c.w.Payload {
				return oracle.Violated(oracle.Answer, "%+v is none of %d flows", seg, c.w.Conns)
			}
			flows[seg.Inc] = true
			got[flow]++
			switch {
			case seg.Ack != 1 && seg.Ack != 64, routed(seg) && network(seg) >= c.w.Routes:
				return oracle.Violated(oracle.Answer, "a packet to %v with a TTL of %d", seg.Inc.Laddr.Netip(), seg.Ack)
			case seg.Ack == 1:
				want["ttl-expired"]++
			case !routed(seg):
				want["no-route"]++
			default:
				want[fmt.Sprintf("if%d", network(seg)%c.w.Ifs)]++
			}
		}
	}
	if err := c.checkCounters(want); err != nil {
		return err
	}
	if len(flows) > c.w.Conns {
		return oracle.Violated(oracle.Conservation, "%d flows of %d", len(flows), c.w.Conns)
	}
	return c.checkTurns(got)
}

// checkCounters holds Counters against what was seen; those of an interface are taken together.
func (c *catch) checkCounters(want map[string]uint64) error {
	have := map[string]uint64{}
	for _, n := range c.w.Counters() {
		name := n.Name
		for _, suffix := range []string{"-sent", "-drops"} {
			if k := len(name) - len(suffix); k > 0 && name[k:] == suffix {
				name = name[:k]
			}
		}
		if n.Value > 0 && name != "route-changes" {
			have[name] += n.Value
		}
	}
	if !maps.Equal(have, want) {
		return oracle.Violated(oracle.Conservation, "counted %v, sent %v", have, want)
	}
	return nil
}

// checkTurns: each flow had its turns by its weight.
func (c *catch) checkTurns(got []int) error {
	total := 0
	for i := range got {
		got[i] /= laps
		total += got[i]
	}
	return popularity(&c.p, got, total)
}

// checkARP: each neighbour is one source's, and each source numbers its updates from 0.
func (c *catch) checkARP() error {
	got := make([]int, c.w.Conns)
	for i, segs := range c.segs {
		for k := range segs {
			seg := &segs[k]
			a := seg.Inc.Faddr.Netip().AsSlice()
			n := int(a[1])<<16 | int(a[2])<<8 | int(a[3])
			if len(a) != 4 || a[0] != 10 || n >= c.w.Conns || n%c.w.Workers != i {
				return oracle.Violated(oracle.Answer, "worker %d of %d has an update of neighbour %v", i, c.w.Workers, seg.Inc.Faddr.Netip())
			}
			if seg.Seq != uint32(k) {
				return oracle.Violated(oracle.Order, "worker %d: its update %d has number %d", i, k, seg.Seq)
			}
			got[n]++
		}
	}
	return c.checkTurns(got)
}
