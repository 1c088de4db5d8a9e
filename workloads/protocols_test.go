package workloads

import (
	"fmt"
	"strings"
	"testing"

	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// beside are the mixes with a path of their own.
var beside = []Mix{loopback, encap, forward, arp}

// ways are all models, and those named.
func ways(t *testing.T, names ...string) (ys []Way) {
	t.Helper()
	for _, m := range netisr.Models {
		names = append(names, m.Name)
	}
	for _, name := range names {
		y := Direct()
		var err error
		if y.Model, err = netisr.ParseSpec(name); err != nil {
			t.Fatal(err)
		}
		ys = append(ys, y)
	}
	return ys
}

// TestProtocols is the conservation check of the mixes that go by other ways than a card's to ip_input, behind every model, with as many workers as CPUs
// and more. Schemes take turns; TestEveryMixOnEveryScheme has each of them with each mix.
func TestProtocols(t *testing.T) {
	schemes := []string{"global", "refcount", "connp", "smr"}
	turn := 0
	for _, mix := range beside {
		for _, y := range ways(t, "netisr2:policy=source", "netisr2:policy=cpu", "netisr2:qlimit=1", "deferred:qlimit=3") {
			for _, workers := range []int{1, 2, 5} {
				if turn++; workers != 2 && strings.Contains(y.Model.String(), ":") || probe.Raced && workers == 1 {
					continue
				}
				scheme, aff := schemes[turn%len(schemes)], RSS
				if mix.NoTable {
					scheme = "null"
				}
				if workers == 5 && mix.steered == "" {
					aff = Spray
				}
				t.Run(fmt.Sprintf("%s/%v/%s/%d/%s", mix.Name, y.Model, scheme, workers, aff), func(t *testing.T) {
					play(t, scheme, y, Params{Mix: mix.Name, Workers: workers, Affinity: aff, Conns: fewer(500), Seed: 7}, 2)
				})
			}
		}
	}
}

// TestLoopbackIsQueued: nothing that comes from this host is handled in place, and the ends of one connection are handled by one workstream.
func TestLoopbackIsQueued(t *testing.T) {
	for _, y := range ways(t) {
		tr := playOn(t, "smr", y, Params{Mix: "loopback", Workers: 3, Conns: 100, Seed: 5}, 1)
		s := tr.Isr.Stats()
		if w := s.Total(); w.Dispatched > 0 || w.HDispatched > 0 || w.Queued != sentBy(tr) {
			t.Errorf("%v: of %d segments %d were queued, %d and %d handled in place", y.Model, sentBy(tr), w.Queued, w.Dispatched, w.HDispatched)
		}
	}
}

// TestLoopbackEnds: what one end has sent is what the other has got or will get, in the numbers of the connection.
func TestLoopbackEnds(t *testing.T) {
	tr := playOn(t, "global", Direct(), Params{Mix: "loopback", Workers: 2, Conns: 50, Seed: 5}, 2)
	ends := map[pcbinfo.ConnInfo]pcbinfo.Xinpcb{}
	tr.in.Walk(func(x *pcbinfo.Xinpcb) bool {
		ends[x.Inc] = *x
		return true
	})
	pairs := 0
	for _, c := range tr.w.flows {
		if c.first == c {
			continue
		}
		client, server := ends[c.inc], ends[c.mate.inc]
		if pairs++; client.RcvNxt != server.SndNxt || client.SndNxt != server.RcvNxt+uint32(c.ahead) || client.State != pcbinfo.Established {
			t.Errorf("%v: got %d sent %d; the other end got %d sent %d", c.inc, client.RcvNxt, client.SndNxt, server.RcvNxt, server.SndNxt)
		}
	}
	if pairs != 50 {
		t.Errorf("%d connections, want 50", pairs)
	}
}

// TestEncapIsNested: each packet is dispatched once a level, and a tunnel's packets come in at one worker.
func TestEncapIsNested(t *testing.T) {
	for _, y := range ways(t, "netisr2:policy=cpu") {
		tr := playOn(t, "smr", y, Params{Mix: "encap", Workers: 2, Conns: 3000, Seed: 5, Tunnels: 3}, 2)
		levels, deep := uint64(0), uint64(0)
		at := map[uint32]uint16{}
		for _, d := range tr.Drivers {
			for i := range d.ring.segs {
				seg := &d.ring.segs[i]
				if seg.Proto != protoEncap || seg.Level != 0 {
					t.Fatalf("%v: at rest a segment is of protocol %d, %d levels taken off", y.Model, seg.Proto, seg.Level)
				}
				if n := nesting(seg.FlowID); n > maxNest {
					deep += d.lap
					levels += d.lap
				} else {
					levels += d.lap * uint64(n)
				}
				outer := tr.w.path.(*tunnels).flow(seg.FlowID, 0)
				if from, ok := at[outer]; ok && from != seg.Source {
					t.Fatalf("%v: tunnel %08x comes in at workers %d and %d", y.Model, outer, from, seg.Source)
				}
				at[outer] = seg.Source
			}
		}
		s := tr.Isr.Stats()
		var ip, encap netisr.Work
		for _, st := range s.Streams {
			ip.Handled += st.Works[protoIP].Handled
			encap.Handled += st.Works[protoEncap].Handled
		}
		w := s.Total()
		if encap.Handled != levels || ip.Handled != sentBy(tr)-deep || w.Handled != w.Dispatched+w.HDispatched+w.Queued || len(at) != 3 || deep == 0 {
			t.Errorf("%v: %d tunnels, %d and %d packets handled by encap and ip, want %d and %d; in all %+v", y.Model, len(at), encap.Handled, ip.Handled, levels, sentBy(tr)-deep, w)
		}
	}
}

// TestForwardCounts: a lap's packets go where a look at the routes by hand says, while host routes come and go.
func TestForwardCounts(t *testing.T) {
	tr := playOn(t, "null", Direct(), Params{Mix: "forward", Workers: 2, Conns: 500, Routes: 40, Ifs: 3, Seed: 5}, 2)
	want := map[string]uint64{}
	for _, d := range tr.Drivers {
		for _, seg := range d.ring.segs {
			a := seg.Inc.Laddr.Netip().AsSlice()
			switch network := int(a[1])<<8 | int(a[2]); {
			case seg.Ack == 1 && seg.Inc.Laddr.Netip().IsPrivate():
				want["ttl-expired"] += d.lap
			case !seg.Inc.Laddr.Netip().IsPrivate():
				want["no-route"] += d.lap
			default:
				if len(a) == 16 {
					network = int(a[4])<<8 | int(a[5])
				}
				want[fmt.Sprintf("if%d-sent", network%3)] += d.lap
			}
		}
	}
	for _, c := range tr.w.Counters() {
		switch {
		case strings.HasSuffix(c.Name, "-drops"):
			want[strings.TrimSuffix(c.Name, "drops")+"sent"] -= c.Value
		case c.Name == "route-changes":
			if c.Value < ticksPerLap {
				t.Errorf("%d changes of routes in 2 laps", c.Value)
			}
		case c.Value != want[c.Name] || c.Value == 0:
			t.Errorf("%s: %d, want %d", c.Name, c.Value, want[c.Name])
		}
	}
}

// TestPathFaults makes each of the paths' counts and contents wrong by one: Check and CheckCount must report it.
func TestPathFaults(t *testing.T) {
	for mix, faults := range map[string]map[string]func(tr *trial){
		"encap": {
			"one too deep not counted": func(tr *trial) { tr.w.path.(*tunnels).deep[0].n-- },
		},
		"forward": {
			"one without a route too many": func(tr *trial) { tr.w.path.(*router).lost[noRoute][1].n++ },
			"one expired not counted":      func(tr *trial) { tr.w.path.(*router).lost[expired][0].n-- },
			"one sent twice":               func(tr *trial) { tr.w.path.(*router).ifs[1].Sent++ },
			"one by another interface":     func(tr *trial) { r := tr.w.path.(*router); r.ifs[0].Sent++; r.ifs[1].Sent-- },
			"one with its TTL untouched":   func(tr *trial) { tr.Drivers[0].ring.segs[5].Ack++ },
		},
		"arp": {
			"an update lost": func(tr *trial) { tr.w.path.(*neighbours).updates[0].n-- },
			"a neighbour with an old address": func(tr *trial) {
				seg := tr.Drivers[1].ring.segs[3]
				tr.w.path.(*neighbours).table.Update(seg.Inc.Faddr, uint64(seg.Ack-77))
			},
			"a neighbour too many": func(tr *trial) { tr.w.path.(*neighbours).table.Update(pcbinfo.Addr{}, 1) },
			"two updates out of order": func(tr *trial) {
				segs := tr.Drivers[0].ring.ptrs
				at := &netisr.At{Handle: 0}
				a := tr.w.path.(*neighbours)
				a.input(at, []*pcbinfo.Segment{segs[1], segs[0]})
				a.updates[0].n -= 2
				n := len(segs)
				a.input(at, []*pcbinfo.Segment{segs[n-1]})
				a.updates[0].n--
			},
		},
	} {
		for what, fault := range faults {
			tr := playOn(t, "refcount", Direct(), Params{Mix: mix, Workers: 2, Conns: 500, Seed: 5}, 2)
			fault(tr)
			for name, check := range map[string]func(pcbinfo.Info, []*Driver) error{"Check": tr.w.Check, "CheckCount": tr.w.CheckCount} {
				if err := check(tr.in, tr.Drivers); err == nil {
					t.Errorf("%s: %s does not report %s", mix, name, what)
				}
			}
		}
	}
}

// TestBesideParams: what means nothing to a mix is refused by name.
func TestBesideParams(t *testing.T) {
	for want, p := range map[string]Params{
		"tunnels=4: mix rpc has none":      {Mix: "rpc", Tunnels: 4},
		"routes=9: mix encap has none":     {Mix: "encap", Routes: 9},
		"ifs=2: mix arp has none":          {Mix: "arp", Ifs: 2},
		"tunnels=4097: want 1 to 4096":     {Mix: "encap", Tunnels: 4097},
		"routes=-1: want 1 to 65536":       {Mix: "forward", Routes: -1},
		"ifs=65: want 1 to 64":             {Mix: "forward", Ifs: 65},
		"affinity=spray: means nothing to": {Mix: "loopback", Affinity: Spray},
		"one interface's":                  {Mix: "arp", Affinity: Spray},
	} {
		if _, err := p.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v is answered by %v, want %q", p, err, want)
		}
	}
	for _, p := range []Params{{Mix: "encap", Tunnels: 1}, {Mix: "forward", Routes: 1, Ifs: 1, Conns: 10}, {Mix: "forward", Routes: 1 << 16, Ifs: 64, V6: 1}, {Mix: "arp", Conns: 10, Workers: 7}} {
		p.Seed = 1
		playOn(t, "null", Direct(), p, 1)
	}
}

// A trial is a workload that was played.
type trial struct {
	*Traffic
	in pcbinfo.Info
}

// playOn plays p for laps laps, has it checked, and leaves the table open.
func playOn(t *testing.T, scheme string, y Way, p Params, laps uint64) *trial {
	t.Helper()
	w, sp, in := open(t, scheme, y, p)
	return &trial{run(t, w, sp, in, y, laps), in}
}

func sentBy(tr *trial) (n uint64) {
	for _, d := range tr.Drivers {
		n += d.Sent()
	}
	return n
}
