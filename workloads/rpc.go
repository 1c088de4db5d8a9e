package workloads

import (
	"math"
	"sort"
)

// rpc.go: many long-lived connections, small requests and responses.
// Source: the shape of Roy et al., SIGCOMM 2015 (small packets, many concurrent flows); the figures are ours.
// Idea: a request brings the ACK of the last response with it; our user answers at once.
// What a lap is: at least four requests a connection on average, drawn by Zipf popularity.

const rpcPerConn = 4

var rpc = Mix{Name: "rpc", Main: true, Conns: 4096, Payload: 128, Popularity: true, write: writeRPC,
	Doc:    "many long-lived connections, small requests and responses",
	Source: "shape after Roy et al., SIGCOMM 2015; sizes and popularity are assumptions"}

func writeRPC(b *builder) error {
	n := b.lapOf(b.p.Conns, rpcPerConn*b.p.Conns) * b.p.Conns
	for i, times := range b.draw(n, b.p.Conns) {
		b.rpc(i, times)
	}
	return nil
}

// rpc writes connection i's requests, at the given slots.
func (b *builder) rpc(i int, times []int32) {
	b.passive(b.p.connInfo(i), true).requests(times)
}

// requests writes requests that arrive at the given slots and are answered at once, and ends the script.
func (p *peer) requests(times []int32) {
	n := p.b.p.Payload
	for _, at := range times {
		p.seek(int(at))
		p.data(n)
		p.send(n)
	}
	p.done()
}

// draw spreads n events over the lap evenly and gives each to one of conns connections by popularity: connection i with weight
// 1/(i+1)^skew. It returns each connection's slots in order.
func (b *builder) draw(n, conns int) [][]int32 {
	cum := make([]float64, conns)
	sum := 0.0
	for i := range cum {
		sum += math.Pow(float64(i+1), -b.p.Skew)
		cum[i] = sum
	}
	times := make([][]int32, conns)
	for e := range n {
		i := sort.SearchFloat64s(cum, b.rng.Float64()*sum)
		times[i] = append(times[i], int32(int64(e)*int64(b.lap)/int64(n)))
	}
	return times
}
