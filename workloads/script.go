package workloads

import "pcbbench/pcbinfo"

// A step is one inbound segment of a script, and what must become of it.
type step struct {
	seg pcbinfo.Segment
	out pcbinfo.Outcome
}

// An opKind is a user request. Requests of one chunk come in this order.
type opKind uint8

const (
	opSend opKind = iota
	opClose
	opAbort
	opConnect
)

// An op is a user request that follows the segments of its chunk.
type op struct {
	inc     *pcbinfo.ConnInfo // in the ring the key of a segment just sent, which is in the cache
	answers *answers          // opConnect
	n       int32             // opSend: bytes
	kind    opKind
}

// answers are the segments that wait for what a connect returns.
type answers struct{ patches []patch }

// A batchName is a batch of some worker's.
type batchName struct{ worker, batch int32 }

// A patch is a segment of a connection that we open: its port and numbers are known when Connect has answered.
type patch struct {
	seg *pcbinfo.Segment
	ack uint32 // relative to our initial number
}

// A chunk is a piece of a script that one worker handles in one go: segments, then requests. The next chunk of the same connection is
// never in the same batch as requests of this one, nor is one of the same four-tuple. Ends of ranges are exclusive.
type chunk struct {
	flow                *flow
	at                  int32 // slot of the lap; a slot from lap on lies in the next lap
	firstStep, lastStep int32
	firstOp, lastOp     int32
	seq, ack            uint32 // the peer's next number after the chunk, and ours
	worker              int16
	state               pcbinfo.State // our end's after the chunk
}

// A flow is one connection, or one four-tuple that lives again and again.
type flow struct {
	inc        pcbinfo.ConnInfo
	flowID     uint32 // RSS hash
	outbound   bool
	open       bool   // opened before the clock starts, for the whole run
	worker     int    // by RSS; outbound ones stay with the worker that opens them
	startSeq   uint32 // the peer's next number at the start of the script, and what it acknowledges
	startAck   uint32
	seqStep    uint32 // what a lap adds to the peer's numbers and to ours
	ackStep    uint32
	first      *flow     // of the same four-tuple: itself, but in a capture that opens one again, and at the client's end of a connection to ourselves
	mate       *flow     // the other end, if that is ours too
	ahead      int       // bytes that our user has sent before the lap begins
	proto      uint8     // of its packets, as they come in
	asked      batchName // first's: the last batch with a request of ours, while batches are cut
	begun      batchName // first's: the first batch with a segment
	firstChunk int       // of the builder's, in script order
	lastChunk  int       // exclusive
	// What Check expects at the end of a lap, when TIME-WAITs have expired; state Closed: not in the table.
	state    pcbinfo.State
	rcv      uint32 // rcv_nxt at the end of lap 0
	snd      uint32 // snd_nxt then; 0: not known
	replaced bool   // another flow of the same four-tuple comes after it
	fixed    bool   // shares its four-tuple with another flow: both stay with one worker
}

// window is every peer's receive window, the largest there is (RFC 7323 2.3): no Send waits for it.
const window = 1<<30 - 1

// A peer writes a flow's script from the far end's point of view.
type peer struct {
	b        *builder
	f        *flow
	at       int    // the slot of what comes next
	seq, ack uint32 // next to send, next expected from us
	state    pcbinfo.State
	fresh    bool // the next segment begins a new chunk
}

// passive starts the script of the connection from a client of ours; it is open before the clock starts if open. One script is
// finished by done before the next is started.
func (b *builder) passive(inc pcbinfo.ConnInfo, open bool) *peer {
	p := b.peer(flow{inc: inc, flowID: Toeplitz(&inc), open: open})
	p.f.worker = rssWorker(p.f.flowID, b.p.Workers)
	if open {
		p.ack = pcbinfo.ISN(&inc, p.seq-1) + 1
		p.state = pcbinfo.Established
		p.f.startAck = p.ack
	}
	return p
}

// active starts the script of a connection that worker opens; a card with accelerated RFS would steer it to that worker's queue.
func (b *builder) active(inc pcbinfo.ConnInfo, worker int) *peer {
	return b.peer(flow{inc: inc, flowID: uint32(worker), outbound: true, worker: worker})
}

func (b *builder) peer(f flow) *peer {
	f.firstChunk = len(b.chunks)
	f.startSeq = b.rng.Uint32()
	f.first = &f
	b.flows = append(b.flows, &f)
	return &peer{b: b, f: &f, seq: f.startSeq, fresh: true}
}

// wait lets slots pass.
func (p *peer) wait(slots int) { p.seek(p.at + slots) }

// seek moves to a slot; scripts do not go back.
func (p *peer) seek(at int) {
	p.at = max(at, p.at)
	p.fresh = true
}

// chunk is the one that is being written.
func (p *peer) chunk() *chunk {
	b := p.b
	if p.fresh {
		p.fresh = false
		steps, ops := int32(len(b.steps)), int32(len(b.ops))
		b.chunks = append(b.chunks, chunk{flow: p.f, at: int32(p.at), worker: int16(p.f.worker), firstStep: steps, lastStep: steps, firstOp: ops, lastOp: ops})
	}
	return &b.chunks[len(b.chunks)-1]
}

// segment sends flags and n bytes of text, which must come to out.
func (p *peer) segment(flags uint8, n int, out pcbinfo.Outcome) {
	if c := p.chunk(); c.firstOp != c.lastOp {
		p.wait(1)
	}
	c := p.chunk()
	ack := p.ack
	if flags&pcbinfo.ACK == 0 {
		ack = 0
	}
	p.b.steps = append(p.b.steps, step{pcbinfo.Segment{Inc: p.f.inc, Seq: p.seq, Ack: ack, Win: window, FlowID: p.f.flowID, Len: uint16(n), Flags: flags, Proto: p.f.proto}, out})
	p.seq += uint32(n)
	if flags&(pcbinfo.SYN|pcbinfo.FIN) != 0 {
		p.seq++
	}
	p.mark(c)
}

// request makes our user ask for something.
func (p *peer) request(kind opKind, n int) {
	c := p.chunk()
	if last := c.lastOp - 1; last >= c.firstOp && p.b.ops[last].kind > kind {
		p.wait(1)
		c = p.chunk()
	}
	o := op{inc: &p.f.inc, kind: kind, n: int32(n)}
	if kind == opConnect {
		o.answers = new(answers)
	}
	p.b.ops = append(p.b.ops, o)
	p.mark(c)
}

// mark notes in c where the script stands.
func (p *peer) mark(c *chunk) {
	c.lastStep, c.lastOp = int32(len(p.b.steps)), int32(len(p.b.ops))
	c.state, c.seq, c.ack = p.state, p.seq, p.ack
}

// The vocabulary of scripts. The state is our end's after the segment.

func (p *peer) syn() {
	isn := p.seq
	p.state = pcbinfo.Closed // half-open connections are in the syncache, not in the table
	p.segment(pcbinfo.SYN, 0, pcbinfo.GotSyn)
	p.ack = pcbinfo.ISN(&p.f.inc, isn) + 1
}

func (p *peer) handshake() {
	p.state = pcbinfo.Established
	p.segment(pcbinfo.ACK, 0, pcbinfo.GotAccept)
}

func (p *peer) acknowledge() { p.segment(pcbinfo.ACK, 0, pcbinfo.GotAck) }
func (p *peer) data(n int)   { p.segment(pcbinfo.ACK|pcbinfo.PSH, n, pcbinfo.GotData) }

// rst ends the connection, or the half-open one, from outside.
func (p *peer) rst() {
	p.state = pcbinfo.Closed
	p.segment(pcbinfo.RST, 0, pcbinfo.GotRst)
}

// fin closes the peer's side.
func (p *peer) fin() {
	switch p.state {
	case pcbinfo.FinWait2:
		p.state = pcbinfo.Closed // TIME-WAIT, or gone when that has expired
	default:
		p.state = pcbinfo.CloseWait
	}
	p.segment(pcbinfo.FIN|pcbinfo.ACK, 0, pcbinfo.GotFin)
}

// lastAck acknowledges our FIN.
func (p *peer) lastAck() {
	switch p.state {
	case pcbinfo.FinWait1:
		p.state = pcbinfo.FinWait2
	case pcbinfo.LastAck:
		p.state = pcbinfo.Closed
	}
	p.acknowledge()
}

// send makes our user send n bytes, which the peer acknowledges with whatever it sends next.
func (p *peer) send(n int) {
	p.ack += uint32(n)
	p.request(opSend, n)
}

// close makes our user close.
func (p *peer) close() {
	switch p.state {
	case pcbinfo.CloseWait:
		p.state = pcbinfo.LastAck
	default:
		p.state = pcbinfo.FinWait1
	}
	p.ack++
	p.request(opClose, 0)
}

// connect makes our user connect.
func (p *peer) connect() {
	p.state = pcbinfo.SynSent
	p.request(opConnect, 0)
	p.ack = 1 // relative from here on
}

// synAck answers our connect.
func (p *peer) synAck() {
	p.state = pcbinfo.Established
	p.segment(pcbinfo.SYN|pcbinfo.ACK, 0, pcbinfo.GotConnect)
}

// again lets a new incarnation begin well beyond the old one's numbers, so that it may take over a TIME-WAIT.
func (p *peer) again() { p.seq += 1 << 16 }

// done ends the script.
func (p *peer) done() {
	f := p.f
	f.lastChunk = len(p.b.chunks)
	switch {
	case f.open:
		f.seqStep, f.ackStep = p.seq-f.startSeq, p.ack-f.startAck
	case !f.outbound: // lives again: our numbers follow the peer's
		p.again()
		f.seqStep = p.seq - f.startSeq
		f.ackStep = f.seqStep
	}
}
