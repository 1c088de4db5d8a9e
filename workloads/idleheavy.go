package workloads

// idleheavy.go: a table full of connections that hardly ever speak.
// Source: the long-poll and mobile servers behind "C10M"; the figures are ours.
// Idea: a million open, one in a thousand active, so that the table is far larger than any cache while the traffic is not.
// What a lap is: requests on the active ones, as in rpc.

const idleActive = 1000 // every so many-th connection is active

var idleHeavy = Mix{Name: "idle-heavy", Conns: 1_000_000, Payload: 128, Popularity: true, write: writeIdleHeavy,
	Doc:    "a million open connections, one in a thousand active",
	Source: "the shape is an assumption; a table far beyond any cache"}

func writeIdleHeavy(b *builder) error {
	active := max(1, b.p.Conns/idleActive)
	n := b.lapOf(active, 0) * active
	times := b.draw(n, active)
	for i := range b.p.Conns {
		if i%idleActive == 0 && i/idleActive < active {
			b.rpc(i, times[i/idleActive])
		} else {
			b.rpc(i, nil)
		}
	}
	return nil
}
