package workloads

import (
	"fmt"
	"strings"
)

// A Mix is a kind of traffic.
type Mix struct {
	Name       string
	Doc        string // one line
	Source     string // where its figures come from
	Main       bool   // part of the default matrix
	Conns      int    // default number of connections
	Payload    int    // default text bytes of a data segment
	Walkers    int    // pcblist walkers
	Popularity bool   // Params.Skew means something
	Traced     bool   // Params.Trace is replayed, Conns comes from there
	NoTable    bool   // none of its packets is for the table: one scheme stands for all
	Tunnels    int    // default of Params.Tunnels; 0: it has none, and so for the next two
	Routes     int
	Ifs        int
	steered    string // why Spray means nothing to it; "": it does
	write      func(b *builder) error
	// tuples is how many four-tuples towards our listeners it needs, and how many connections it opens itself; nil: Conns and none.
	tuples func(p Params) (in, out int)
}

// Mixes are all of them, in reading order.
var Mixes = []Mix{bulk, churn, rpc, tpca, synflood, idleHeavy, walk, loopback, encap, forward, arp, pcapReplay}

// FindMix returns the mix of that name; the error lists the known ones.
func FindMix(name string) (Mix, error) {
	var known []string
	for _, m := range Mixes {
		if m.Name == name {
			return m, nil
		}
		known = append(known, m.Name)
	}
	return Mix{}, fmt.Errorf("unknown mix %q; known: %s", name, strings.Join(known, ", "))
}
