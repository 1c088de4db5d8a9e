package workloads

// churn.go: short connections, about ten packets each.
// Source: a trace of 5,875 short flows: SYN 9.8 %, SYN|ACK 9.8 %, FIN 19.6 %, pure ACK 39.7 %, text 21.1 % of its packets.
// Idea: handshake, one request, one response, close; half of them closed by the client first, the rest by our server, which
// leaves a TIME-WAIT; one connection in eight is opened by us.
// What a lap is: every connection lives at least once; a life takes 60 to 95 % of its share of the lap.

const (
	churnLife     = 6 // inbound segments
	churnOutbound = 8 // every so many-th connection is ours
	churnRTT      = 128
	churnResponse = 2 // response bytes for each of request
)

var churn = Mix{Name: "churn", Main: true, Conns: 1024, Payload: 512, write: writeChurn, tuples: churnTuples,
	Doc:    "short connections of about ten packets: handshake, request, response, close",
	Source: "packet shares of a churn trace of 5,875 flows; RFC 9293 closes from either side"}

func writeChurn(b *builder) error {
	lives := b.lapOf(churnLife*b.p.Conns, 0)
	share := b.lap / lives
	for i := range b.p.Conns {
		var p *peer
		if i%churnOutbound == churnOutbound-1 {
			p = b.active(b.p.outbound(i), i/churnOutbound%b.p.Workers)
		} else {
			p = b.passive(b.p.connInfo(i), false)
		}
		start := b.rng.IntN(b.lap)
		for l := range lives {
			p.seek(start + l*share)
			b.live(p, share)
		}
		p.done()
	}
	return nil
}

// live writes one life within share slots.
func (b *builder) live(p *peer, share int) {
	rtt := min(churnRTT, share/16)
	pause := (share*(60+b.rng.IntN(36))/100 - 2*rtt) / 3
	switch {
	case p.f.outbound:
		b.liveOutbound(p, rtt, pause)
	case b.rng.IntN(2) == 0:
		b.liveClientCloses(p, rtt, pause)
	default:
		b.liveServerCloses(p, rtt, pause)
	}
}

func (b *builder) open(p *peer, rtt, pause int) {
	p.syn()
	p.wait(rtt)
	p.handshake()
	p.wait(pause)
	p.data(b.p.Payload)
	p.send(churnResponse * b.p.Payload)
	p.wait(pause)
	p.acknowledge()
}

func (b *builder) liveClientCloses(p *peer, rtt, pause int) {
	b.open(p, rtt, pause)
	p.wait(pause)
	p.fin()
	p.close()
	p.wait(rtt)
	p.lastAck()
	p.again()
}

func (b *builder) liveServerCloses(p *peer, rtt, pause int) {
	b.open(p, rtt, pause)
	p.close()
	p.wait(pause)
	p.lastAck()
	p.wait(rtt)
	p.fin()
	p.again()
}

func (b *builder) liveOutbound(p *peer, rtt, pause int) {
	p.connect()
	p.wait(rtt)
	p.synAck()
	p.send(b.p.Payload)
	p.wait(pause)
	p.data(b.p.Payload)
	p.wait(pause)
	p.acknowledge()
	p.close()
	p.wait(pause)
	p.lastAck()
	p.wait(rtt)
	p.fin()
}

func churnTuples(p Params) (in, out int) { return p.Conns, p.Conns / churnOutbound }
