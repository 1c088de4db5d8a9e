package workloadtest

import (
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// way is how a mix is put on the record: with nothing in between, so that what a worker sends is handled by it and at once. What comes from this host is
// queued all the same; then the worker is the one that a card would have chosen.
func way(mix string) workloads.Way {
	y := workloads.Direct()
	if mix == "loopback" {
		y.Model = mustParse("netisr2:policy=cpu")
	}
	return y
}

func mustParse(model string) netisr.Spec {
	sp, err := netisr.ParseSpec(model)
	if err != nil {
		panic("workloadtest: " + err.Error())
	}
	return sp
}

// tap lets look at, or change, what y's model is made of.
func tap(y workloads.Way, f func(*netisr.Config)) workloads.Way {
	make := y.Model.Model.New
	y.Model.Model.New = func(c netisr.Config, o netisr.Options) netisr.Isr {
		f(&c)
		return make(c, o)
	}
	return y
}

// apart is how many packets the mix's protocols have kept from the table.
func (s *show) apart() (n uint64) {
	for _, c := range s.w.Counters() {
		n += c.Value
	}
	return n
}

// cardHash is what a card hashes of l's packets: the outermost header, of which only netisr's registrations tell.
func (s *show) cardHash(l *life) uint32 {
	seg := pcbinfo.Segment{Inc: l.inc, FlowID: rssHash(s.rec.server(&l.inc))}
	if s.w.Mix == "encap" {
		return s.protocols[1].M2flow(&seg)
	}
	return seg.FlowID
}
