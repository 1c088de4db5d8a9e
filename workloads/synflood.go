package workloads

// synflood.go: SYNs that nobody follows up, from many addresses, beside ordinary requests.
// Source: the SYN-flood experiments behind FreeBSD 08d9c9202755 (listener lock shared) and Linux's lockless listener (Dumazet 2015).
// Idea: nine of ten segments are SYNs of connections that will never be; the syncache throws the oldest out.
// What a lap is: one SYN from each attacker, enough of them that an entry is gone when its attacker comes round again.

const (
	floodShare    = 9       // SYNs for each request
	floodLeast    = 1 << 15 // attackers: more than twice what the syncache holds
	floodSegments = (floodShare + 1) * floodLeast / floodShare
)

var synflood = Mix{Name: "synflood", Conns: 1024, Payload: 128, Popularity: true, write: writeSynflood, tuples: floodTuples,
	Doc:    "nine SYNs of a flood for each request on an open connection",
	Source: "FreeBSD 08d9c9202755; Dumazet 2015 (lockless TCP listener)"}

func writeSynflood(b *builder) error {
	requests := b.lapOf(floodShare+1, floodSegments)
	for i, times := range b.draw(requests, b.p.Conns) {
		b.rpc(i, times)
	}
	for i := range floodShare * requests {
		p := b.passive(b.p.connInfo(b.p.Conns+i), false)
		p.seek(b.rng.IntN(b.lap))
		p.syn()
		p.done()
	}
	return nil
}

func floodTuples(p Params) (in, out int) {
	times, _ := p.lapOf(floodShare+1, floodSegments)
	return p.Conns + floodShare*times, 0
}
