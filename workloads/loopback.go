package workloads

import "pcbbench/pcbinfo"

// loopback.go: requests and responses between users of the same host.
// Source: FreeBSD net/if_loop.c: looutput and if_simloop give what is sent back to netisr by netisr_queue, never in place, since the sender holds locks; the
// mbuf keeps the sender's flow ID (ip_output.c, from the inpcb). The shape is netperf's TCP_RR; the figures are ours.
// Idea: both ends of each connection are in the table. A user's send is followed by the same segment coming in for the other end, whose user answers.
// There is no card: the input context stands for the sender's way down to the interface, in the roles with threads for users too, and Source is its number.
// What a lap is: at least four requests, and as many responses, a connection on average, drawn by popularity.

var loopback = Mix{Name: "loopback", Conns: 1024, Payload: 128, Popularity: true, write: writeLoopback, steered: "there is no card that could spray",
	Doc:    "requests and responses between users of this host, both ends in the table, through netisr's queues",
	Source: "FreeBSD if_loop.c (if_simloop, netisr_queue); the talk's loopback; shape of netperf TCP_RR"}

func writeLoopback(b *builder) error {
	b.local, b.async = true, true
	n := b.lapOf(2*b.p.Conns, 2*rpcPerConn*b.p.Conns) * b.p.Conns
	for i, times := range b.draw(n, b.p.Conns) {
		b.pair(i, times)
	}
	return nil
}

// pair writes connection i to ourselves, with requests that arrive at the given slots. Responses arrive halfway to the next request, and a request is sent when
// the response to the last one is there: one is on its way when a lap begins.
func (b *builder) pair(i int, times []int32) {
	server := b.passive(b.p.connInfo(i), true)
	server.requests(times)
	client := b.mirror(server.f)
	if len(times) > 0 {
		client.ahead(b.p.Payload)
	}
	for k, at := range times {
		next := b.lap
		if k+1 < len(times) {
			next = int(times[k+1])
		}
		client.seek((int(at) + next) / 2) // after at, before next: requests are two slots apart at least
		client.data(b.p.Payload)
		client.send(b.p.Payload)
	}
	client.done()
}

// mirror starts the script of the client's end of s. The two count as one four-tuple where batches wait for requests.
func (b *builder) mirror(s *flow) *peer {
	inc := pcbinfo.ConnInfo{Faddr: s.inc.Laddr, Laddr: s.inc.Faddr, Fport: s.inc.Lport, Lport: s.inc.Fport}
	p := b.peer(flow{inc: inc, flowID: s.flowID, worker: s.worker, open: true})
	c := p.f
	c.mate, s.mate, c.first = s, c, s
	c.startSeq, c.startAck = s.startAck, s.startSeq
	p.seq, p.ack, p.state = c.startSeq, c.startAck, pcbinfo.Established
	return p
}

// ahead makes our user send n bytes before the lap begins.
func (p *peer) ahead(n int) {
	p.f.ahead = n
	p.ack += uint32(n)
	p.f.startAck = p.ack
}

// loop opens a connection to ourselves by its client's end. The client's number is only known now: both scripts move on to it.
func (o *opener) loop(c *flow) {
	s, cpu := c.mate, o.in.CPU(c.worker)
	iss, err := cpu.Connect(&c.inc)
	if err != nil {
		o.err = err
		return
	}
	by := iss + 1 - s.startSeq
	o.move(s, by)
	o.move(c, by)
	for _, seg := range []pcbinfo.Segment{
		{Inc: s.inc, Seq: iss, Flags: pcbinfo.SYN},
		{Inc: c.inc, Seq: s.startAck - 1, Ack: iss + 1, Flags: pcbinfo.SYN | pcbinfo.ACK},
		{Inc: s.inc, Seq: iss + 1, Ack: s.startAck, Flags: pcbinfo.ACK},
	} {
		seg.Win, seg.FlowID = window, s.flowID
		o.input(s.worker, &seg)
	}
	if c.ahead > 0 {
		o.err = cpu.Send(&c.inc, c.ahead)
	}
}

// move adds by to all numbers of f's script; our own initial number follows the peer's (pcbinfo.ISN).
func (o *opener) move(f *flow, by uint32) {
	f.startSeq += by
	f.startAck += by
	f.rcv += by
	f.snd += by
	for _, c := range o.w.chunks[f.firstChunk:f.lastChunk] {
		for _, seg := range o.w.segOf[c.firstStep:c.lastStep] {
			seg.Seq += by
			seg.Ack += by
		}
	}
}
