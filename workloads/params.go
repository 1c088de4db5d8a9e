package workloads

import (
	"fmt"
	"math"
	"path/filepath"
)

// Affinity says which worker sees a segment.
type Affinity string

const (
	RSS   Affinity = "rss"   // the one that the Toeplitz hash of the connection chooses
	Spray Affinity = "spray" // any: the pieces of one connection go to random workers, in order
)

// Params choose a workload. The zero value of a field means the mix's default, or the one named here.
type Params struct {
	Mix       string
	Conns     int      // concurrent connections, 6 to 1,000,000
	Workers   int      // at least 1; default 1
	Batch     int      // most segments a batch, at least 1; default 32
	Seed      uint64   // of everything random
	Skew      float64  // Zipf exponent of the connections' popularity where a mix has one; 0: uniform
	Affinity  Affinity // default rss
	Listeners int      // listening ports, default 1
	Peers     int      // foreign addresses, default 254; each has ports 1024 to 65535 towards each listener
	V6        float64  // share of connections over IPv6, 0 to 1; default 0.25, negative: none
	Payload   int      // bytes of text in a data segment, 1 to 65535
	Walkers   int      // pcblist walkers beside the workers
	Trace     string   // the capture to replay, for pcap
	Tunnels   int      // that packets come out of, for encap; 1 to 4096
	Routes    int      // of each address family, for forward; 1 to 65536
	Ifs       int      // output interfaces, for forward; 1 to 64
}

const (
	minConns, maxConns = 6, 1_000_000
	maxPeers           = 1 << 17 // 198.18.0.0/15, the range for benchmarking of RFC 2544
	firstPeerPort      = 1024
	portsPerPeer       = 65536 - firstPeerPort
	maxTunnels         = 4096
	maxRoutes          = 1 << 16 // as many /24 as 10.0.0.0/8 has
	maxIfs             = 64
	portsToPeer        = 16384 / 4 // ephemeral ports; each connection has another while its last one is in TIME-WAIT
)

// Check returns p with its defaults filled in, or says what is wrong with it.
func (p Params) Check() (Params, error) {
	p, _, err := p.withDefaults()
	return p, err
}

// Uncommon lists, as key=value, the parameters that differ from the mix's defaults and are in no experiment's name otherwise.
func (p Params) Uncommon() (keys []string) {
	plain, mix, _ := Params{Mix: p.Mix, Trace: p.Trace}.withDefaults()
	note := func(key string, v, plain any) {
		if v != plain {
			keys = append(keys, fmt.Sprintf("%s=%v", key, v))
		}
	}
	note("skew", p.Skew, 0.0)
	note("listeners", p.Listeners, plain.Listeners)
	note("peers", p.Peers, plain.Peers)
	note("v6", max(0, p.V6), plain.V6)
	note("payload", p.Payload, plain.Payload)
	note("walkers", p.Walkers, mix.Walkers)
	note("tunnels", p.Tunnels, mix.Tunnels)
	note("routes", p.Routes, mix.Routes)
	note("ifs", p.Ifs, mix.Ifs)
	if mix.Traced {
		note("trace", filepath.Base(p.Trace), "")
	}
	return keys
}

// withDefaults checks p and fills in what it leaves open.
func (p Params) withDefaults() (Params, Mix, error) {
	mix, err := FindMix(p.Mix)
	if err != nil {
		return p, mix, err
	}
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&p.Conns, mix.Conns)
	def(&p.Payload, mix.Payload)
	def(&p.Walkers, mix.Walkers)
	def(&p.Tunnels, mix.Tunnels)
	def(&p.Routes, mix.Routes)
	def(&p.Ifs, mix.Ifs)
	def(&p.Workers, 1)
	def(&p.Batch, 32)
	def(&p.Listeners, 1)
	def(&p.Peers, 254)
	switch {
	case p.V6 == 0:
		p.V6 = 0.25
	case p.V6 < 0:
		p.V6 = -1 // and not 0, which means the default when the result is checked again
	}
	if p.Affinity == "" {
		p.Affinity = RSS
	}
	if mix.Traced && p.Trace != "" {
		t, err := openTrace(p.Trace)
		if err != nil {
			return p, mix, err
		}
		p.Conns = len(t.flows)
	}
	return p, mix, p.check(mix)
}

func (p Params) check(mix Mix) error {
	in := func(name string, v, lo, hi int) error {
		if v < lo || v > hi {
			return fmt.Errorf("%s=%d: want %d to %d", name, v, lo, hi)
		}
		return nil
	}
	of := func(name string, v, hi, mixHas int) error {
		if mixHas == 0 && v != 0 {
			return fmt.Errorf("%s=%d: mix %s has none", name, v, mix.Name)
		}
		return in(name, v, min(1, mixHas), hi)
	}
	for _, err := range []error{
		in("workers", p.Workers, 1, 4096),
		in("batch", p.Batch, 1, 65536),
		in("listeners", p.Listeners, 1, 1024),
		in("peers", p.Peers, 1, maxPeers),
		in("payload", p.Payload, 1, 65535),
		in("walkers", p.Walkers, 0, 64),
		of("tunnels", p.Tunnels, maxTunnels, mix.Tunnels),
		of("routes", p.Routes, maxRoutes, mix.Routes),
		of("ifs", p.Ifs, maxIfs, mix.Ifs),
	} {
		if err != nil {
			return err
		}
	}
	if !mix.Traced {
		if err := in("conns", p.Conns, minConns, maxConns); err != nil {
			return err
		}
	}
	switch {
	case p.Affinity != RSS && p.Affinity != Spray:
		return fmt.Errorf("unknown affinity %q; known: %s, %s", p.Affinity, RSS, Spray)
	case p.Affinity == Spray && mix.steered != "":
		return fmt.Errorf("affinity=%s: means nothing to mix %s: %s", Spray, mix.Name, mix.steered)
	case math.IsNaN(p.Skew) || p.Skew < 0 || p.Skew > 4:
		return fmt.Errorf("skew=%v: want 0 to 4", p.Skew)
	case p.Skew > 0 && !mix.Popularity:
		return fmt.Errorf("skew=%v: mix %s has no popularity to skew, each connection does the same", p.Skew, mix.Name)
	case !(p.V6 <= 1):
		return fmt.Errorf("v6=%v: want a share from 0 to 1", p.V6)
	case mix.Traced && p.Trace == "":
		return fmt.Errorf("mix %s replays a capture and was given none", mix.Name)
	}
	return p.checkTuples(mix)
}

// checkTuples refuses more connections than there are four-tuples.
func (p Params) checkTuples(mix Mix) error {
	in, out := p.Conns, 0
	if mix.tuples != nil {
		in, out = mix.tuples(p)
	}
	if most := p.Peers * portsPerPeer * p.Listeners; !mix.Traced && in > most {
		return fmt.Errorf("conns=%d: mix %s needs %d connections, %d peers × %d ports × %d listeners give %d",
			p.Conns, mix.Name, in, p.Peers, portsPerPeer, p.Listeners, most)
	}
	if most := p.Peers * portsToPeer; out > most {
		return fmt.Errorf("conns=%d: mix %s opens %d connections itself, %d peers × %d ephemeral ports give %d",
			p.Conns, mix.Name, out, p.Peers, portsToPeer, most)
	}
	return nil
}
