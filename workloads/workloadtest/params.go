package workloadtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"pcbbench/locks/oracle"
	"pcbbench/workloads"
)

// checkParams holds Params.Check and Uncommon to their documentation: defaults, limits, and which keys are told.
func checkParams(rng *rand.Rand) error {
	for _, m := range workloads.Mixes {
		if m.Traced {
			continue
		}
		if d, ok := defaults[m.Name]; ok && (d.conns != m.Conns || d.payload != m.Payload || d.walkers != m.Walkers) {
			return oracle.Violated(oracle.Answer, "mix %s: defaults %d, %d, %d; documented %v", m.Name, m.Conns, m.Payload, m.Walkers, d)
		}
		p, err := workloads.Params{Mix: m.Name}.Check()
		want := workloads.Params{Mix: m.Name, Conns: m.Conns, Workers: 1, Batch: 32, Affinity: workloads.RSS, Listeners: 1, Peers: 254,
			V6: 0.25, Payload: m.Payload, Walkers: m.Walkers, Tunnels: m.Tunnels, Routes: m.Routes, Ifs: m.Ifs}
		if err != nil || p != want {
			return oracle.Violated(oracle.Answer, "mix %s by default: %+v, %v; want %+v", m.Name, p, err, want)
		}
		if keys := p.Uncommon(); len(keys) > 0 {
			return oracle.Violated(oracle.Answer, "mix %s by default tells %q", m.Name, keys)
		}
	}
	for _, l := range limits {
		if err := l.check(); err != nil {
			return err
		}
	}
	return checkUncommon(rng)
}

// A limit is one field's: values that are refused with its name in the error, and values that are not.
type limit struct {
	name      string
	set       func(*workloads.Params, float64)
	good, bad []float64
}

func intoInt(field func(*workloads.Params) *int) func(*workloads.Params, float64) {
	return func(p *workloads.Params, v float64) { *field(p) = int(v) }
}

var limits = []limit{
	{"conns", intoInt(func(p *workloads.Params) *int { return &p.Conns }), []float64{6, 1e6}, []float64{-1, 5, 1e6 + 1}},
	{"workers", intoInt(func(p *workloads.Params) *int { return &p.Workers }), []float64{1, 4096}, []float64{-1}},
	{"batch", intoInt(func(p *workloads.Params) *int { return &p.Batch }), []float64{1, 4096}, []float64{-1}},
	{"listeners", intoInt(func(p *workloads.Params) *int { return &p.Listeners }), []float64{1, 1024}, []float64{-1}},
	{"peers", intoInt(func(p *workloads.Params) *int { return &p.Peers }), []float64{1, 1 << 17}, []float64{-1, 1<<17 + 1}},
	{"payload", intoInt(func(p *workloads.Params) *int { return &p.Payload }), []float64{1, 65535}, []float64{-1, 65536}},
	{"walkers", intoInt(func(p *workloads.Params) *int { return &p.Walkers }), []float64{1}, []float64{-1}},
	{"skew", func(p *workloads.Params, v float64) { p.Skew = v }, []float64{0, 0.99}, []float64{-0.1, math.NaN(), math.Inf(1)}},
	{"v6", func(p *workloads.Params, v float64) { p.V6 = v }, []float64{-1, 0.5, 1}, []float64{1.01, math.NaN(), math.Inf(1)}},
}

func (l *limit) check() error {
	try := func(v float64) error {
		p := workloads.Params{Mix: "rpc"}
		if l.name == "conns" {
			p.Peers = 1000
		}
		l.set(&p, v)
		_, err := p.Check()
		return err
	}
	for _, v := range l.good {
		if err := try(v); err != nil {
			return oracle.Violated(oracle.Answer, "%s=%v is refused: %w", l.name, v, err)
		}
	}
	for _, v := range l.bad {
		if err := try(v); err == nil || !strings.HasPrefix(err.Error(), l.name+"=") || strings.Contains(err.Error(), "\n") {
			return oracle.Violated(oracle.Answer, "%s=%v is answered by: %v", l.name, v, err)
		}
	}
	return nil
}

// refusals are combinations that make no sense, with a word that the error must have.
var refusals = []struct {
	p    workloads.Params
	word string
}{
	{workloads.Params{Mix: "nothere"}, "nothere"},
	{workloads.Params{}, "rpc"},
	{workloads.Params{Mix: "rpc", Affinity: "nothere"}, "nothere"},
	{workloads.Params{Mix: "churn", Skew: 1}, "skew"},
	{workloads.Params{Mix: "pcap"}, "capture"},
	{workloads.Params{Mix: "rpc", Tunnels: 2}, "tunnels=2"},
	{workloads.Params{Mix: "encap", Routes: 2}, "routes=2"},
	{workloads.Params{Mix: "loopback", Ifs: 2}, "ifs=2"},
	{workloads.Params{Mix: "encap", Tunnels: 4097}, "tunnels=4097"},
	{workloads.Params{Mix: "forward", Routes: 1<<16 + 1}, "routes=65537"},
	{workloads.Params{Mix: "forward", Ifs: 65}, "ifs=65"},
	{workloads.Params{Mix: "loopback", Affinity: workloads.Spray}, "loopback"},
	{workloads.Params{Mix: "arp", Affinity: workloads.Spray}, "arp"},
	{workloads.Params{Mix: "rpc", Conns: 64513, Peers: 1}, "conns=64513"},
	{workloads.Params{Mix: "churn", Conns: 8 * 4097, Peers: 1, Listeners: 2}, "conns=32776"},
	{workloads.Params{Mix: "synflood", Peers: 1, Listeners: 1, Workers: 8, Conns: 64000}, "conns=64000"},
}

// checkUncommon sets some fields to a value of their own and expects them, and nothing else, to be told.
func checkUncommon(rng *rand.Rand) error {
	for _, r := range refusals {
		if _, err := r.p.Check(); err == nil || !strings.Contains(err.Error(), r.word) {
			return oracle.Violated(oracle.Answer, "%+v is answered by: %v", r.p, err)
		}
	}
	for _, p := range []workloads.Params{{Mix: "rpc", Conns: 64512, Peers: 1}, {Mix: "churn", Conns: 8 * 4096, Peers: 1}, {Mix: "rpc", Conns: 129024, Peers: 1, Listeners: 2}} {
		if _, err := p.Check(); err != nil {
			return oracle.Violated(oracle.Answer, "%+v is refused: %w", p, err)
		}
	}
	p := workloads.Params{Mix: "rpc", Workers: 1 + rng.IntN(9), Batch: 1 + rng.IntN(99), Conns: 100}
	var want []string
	tell := func(key string, set func() any) {
		if rng.IntN(2) == 0 {
			want = append(want, fmt.Sprintf("%s=%v", key, set()))
		}
	}
	tell("skew", func() any { p.Skew = 0.5; return p.Skew })
	tell("listeners", func() any { p.Listeners = 2 + rng.IntN(9); return p.Listeners })
	tell("peers", func() any { p.Peers = 2 + rng.IntN(9); return p.Peers })
	tell("v6", func() any { p.V6 = [...]float64{0.5, -1}[rng.IntN(2)]; return max(0, p.V6) })
	tell("payload", func() any { p.Payload = 200 + rng.IntN(9); return p.Payload })
	tell("walkers", func() any { p.Walkers = 1 + rng.IntN(9); return p.Walkers })
	p, err := p.Check()
	if again, err := p.Check(); err != nil || again != p {
		return oracle.Violated(oracle.Answer, "%+v, checked again, is %+v, %v", p, again, err)
	}
	if keys := p.Uncommon(); err != nil || !slices.Equal(keys, want) {
		return oracle.Violated(oracle.Answer, "%+v tells %q, %v; want %q", p, keys, err, want)
	}
	return nil
}
