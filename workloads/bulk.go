package workloads

import "math"

// bulk.go: flow lengths as measured on a campus border.
// Source: Jurkiewicz, Rzym, Boryło, "Flow length and size distributions in campus Internet traffic" (AGH 2015): 2.17 billion TCP flows,
// mean 121.867 packets; the mixture below is the paper's fit of their lengths.
// Idea: at any moment almost all packets belong to few long flows. A connection that is longer than its share of the lap stays
// open for the run; the others are drawn from the short end of the mixture and live one after another.
// What a lap is: the same number of packets for each of the connections; half the long ones upload, half download.

var bulk = Mix{Name: "bulk", Main: true, Conns: 1024, Payload: 1448, write: writeBulk,
	Doc:    "flow lengths of a campus border: most packets in few long flows, most flows a few packets",
	Source: "AGH 2015 TCP flow-length mixture (Jurkiewicz et al.)"}

// aghMean is the measured mean length in packets.
const aghMean = 121.867

// aghUniform and aghLognormal are the mixture: weights, with the upper bound, or sigma and scale. A length is floor(x)+1.
var aghUniform = []struct{ weight, hi float64 }{
	{.058043754929076714, 1}, {.3105249919828018, 2}, {.05509731658732791, 3},
	{.04775404343193455, 4}, {.005882528205165834, 5}, {.12529112884696628, 6},
}

var aghLognormal = []struct{ weight, sigma, scale float64 }{
	{.20654328341287823, 0.5122381561489622, 7.9543319950074585},
	{.1218958369564864, 0.7507627341686453, 21.74157327774004},
	{.052507436335709035, 1.1085442272126311, 115.96889383386637},
	{.016459679311651095, 1.9932118957877463, 845.9121788017795},
}

// flowLength draws a length in packets.
func (b *builder) flowLength() int {
	u := b.rng.Float64()
	for _, m := range aghUniform {
		if u -= m.weight; u < 0 {
			return int(b.rng.Float64()*m.hi) + 1
		}
	}
	for _, m := range aghLognormal {
		if u -= m.weight; u < 0 {
			return aghLog(m.scale, m.sigma, b.rng.NormFloat64())
		}
	}
	last := aghLognormal[len(aghLognormal)-1]
	return aghLog(last.scale, last.sigma, b.rng.NormFloat64())
}

func aghLog(scale, sigma, z float64) int {
	return int(min(scale*math.Exp(sigma*z), 1e9)) + 1
}

// shortShare estimates the share of all packets that belong to flows of at most max packets.
func (b *builder) shortShare(max int) float64 {
	const draws = 1 << 14
	sum := 0
	for range draws {
		if n := b.flowLength(); n <= max {
			sum += n
		}
	}
	return float64(sum) / draws / aghMean
}

func writeBulk(b *builder) error {
	packets := b.lapOf(b.p.Conns, 16*b.p.Conns)
	gap := b.lap / packets
	short := b.shortShare(packets)
	for i := range b.p.Conns {
		start := b.rng.IntN(gap)
		switch {
		case b.rng.Float64() < short:
			b.shortFlows(b.passive(b.p.connInfo(i), false), b.rng.IntN(b.lap), packets, gap)
		case i%2 == 0:
			b.upload(b.passive(b.p.connInfo(i), true), start, packets, gap)
		default:
			b.download(b.passive(b.p.connInfo(i), true), start, packets, gap)
		}
	}
	return nil
}

func (b *builder) upload(p *peer, start, packets, gap int) {
	for k := range packets {
		p.seek(start + k*gap)
		p.data(b.p.Payload)
	}
	p.done()
}

// download: each inbound packet acknowledges two segments, and our user sends two more.
func (b *builder) download(p *peer, start, packets, gap int) {
	for k := range packets {
		p.seek(start + k*gap)
		p.acknowledge()
		p.send(2 * b.p.Payload)
	}
	p.done()
}

// shortFlows writes flows of at most packets inbound packets, one after another, until the lap's share is used up.
func (b *builder) shortFlows(p *peer, start, packets, gap int) {
	for at := 0; at < packets; {
		n := b.flowLength()
		if n > packets-at {
			if n > packets {
				continue // a long one: not here
			}
			n = packets - at
		}
		b.shortFlow(p, n, start+at*gap, gap)
		at += n
	}
	p.done()
}

// shortFlow writes a flow of n inbound packets. One packet is a SYN that nobody follows up, two or three end in a reset.
func (b *builder) shortFlow(p *peer, n, start, gap int) {
	packet := 0
	next := func() {
		p.seek(start + packet*gap)
		packet++
	}
	next()
	p.syn()
	switch {
	case n == 2:
		next()
		p.rst()
	case n > 2:
		next()
		p.handshake()
		for packet < n-2 {
			next()
			p.data(b.p.Payload)
		}
		b.end(p, n, next)
	}
	p.again()
}

func (b *builder) end(p *peer, n int, next func()) {
	next()
	if n == 3 {
		p.rst()
		return
	}
	p.fin()
	p.close()
	next()
	p.lastAck()
}
