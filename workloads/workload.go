package workloads

import (
	"errors"
	"fmt"

	"pcbbench/pcbinfo"
)

// A Workload is a built workload. It is good for one run on one table: replaying changes the segments' numbers.
type Workload struct {
	Params
	Rings []*Ring // one a worker; a worker may have none of the traffic
	// Sprayed is the share of neighbouring pieces of a connection that go to different workers, under Spray. It falls where
	// connections are few for the workers: such pieces must lie aheadLimit × Batch × Workers segments apart.
	Sprayed float64
	phases  int // in a lap, under Spray
	lap     int
	flows   []*flow
	opened  pcbinfo.Stats // the table's counts when Open was done
	// Only for Open:
	chunks []chunk
	ops    []op
	segOf  []*pcbinfo.Segment
	ports  []uint16 // to listen on, if not the default ones
	// In a replay nobody knows in advance what becomes of each segment, only where each connection ends; and TIME-WAIT does not expire.
	replay bool
	path   path // the three are as builder has them
	local  bool
	async  bool
}

// Segments is how many segments a lap has, over all workers.
func (w *Workload) Segments() (n int) {
	for _, r := range w.Rings {
		n += len(r.segs)
	}
	return n
}

// Flows is how many connections, or four-tuples that live again and again, there are.
func (w *Workload) Flows() int { return len(w.flows) }

// Open brings in to where the first lap begins: listeners, the connections that are open throughout, and those that the start of
// the lap finds in the middle of their lives. The caller runs nothing else on the table meanwhile.
func (w *Workload) Open(in pcbinfo.Info) error {
	o := opener{w: w, in: in}
	if err := o.listen(); err != nil {
		return err
	}
	for _, f := range w.flows {
		switch {
		case f.mate != nil && f.first == f: // the client's end opens both
		case f.mate != nil:
			o.loop(f)
		case f.open:
			o.handshake(f)
		}
		o.head(f)
		if o.err != nil {
			return fmt.Errorf("workload: opening %v: %w", f.inc, o.err)
		}
	}
	for i := range w.Rings {
		in.CPU(i).Idle() // others may bring the traffic
	}
	w.opened = in.Stats()
	return nil
}

// Opened is what the table had counted when Open was done.
func (w *Workload) Opened() pcbinfo.Stats { return w.opened }

// Forget drops what only Open needs.
func (w *Workload) Forget() { w.chunks, w.ops, w.segOf = nil, nil, nil }

// An opener runs scripts before the clock starts.
type opener struct {
	w     *Workload
	in    pcbinfo.Info
	batch [1]*pcbinfo.Segment
	err   error
}

// listenPorts are the local ports to listen on.
func (w *Workload) listenPorts() []uint16 {
	if w.ports != nil {
		return w.ports
	}
	ports := make([]uint16, w.Listeners)
	for i := range ports {
		ports[i] = uint16(firstListenPort + i)
	}
	return ports
}

func (o *opener) listen() error {
	for _, port := range o.w.listenPorts() {
		if err := o.in.CPU(0).Listen(&pcbinfo.ConnInfo{Lport: port}); err != nil {
			return fmt.Errorf("workload: listen on port %d: %w", port, err)
		}
	}
	return nil
}

func (o *opener) input(worker int, seg *pcbinfo.Segment) {
	o.batch[0] = seg
	o.in.CPU(worker).Input(o.batch[:])
}

func (o *opener) handshake(f *flow) {
	seg := pcbinfo.Segment{Inc: f.inc, Seq: f.startSeq - 1, Win: window, Flags: pcbinfo.SYN, FlowID: f.flowID}
	o.input(f.worker, &seg)
	seg.Seq, seg.Ack, seg.Flags = f.startSeq, f.startAck, pcbinfo.ACK
	o.input(f.worker, &seg)
}

// head runs the part of f's script that lies before the lap's end, if the rest wraps around, and moves its segments on to the
// numbers of the first lap.
func (o *opener) head(f *flow) {
	w := o.w
	if f.lastChunk == f.firstChunk || int(w.chunks[f.lastChunk-1].at) < w.lap {
		return
	}
	for i := f.firstChunk; int(w.chunks[i].at) < w.lap; i++ {
		c := &w.chunks[i]
		for s := c.firstStep; s < c.lastStep; s++ {
			o.input(int(c.worker), w.segOf[s])
			w.segOf[s].Seq += f.seqStep
			w.segOf[s].Ack += f.ackStep
		}
		for j := c.firstOp; j < c.lastOp; j++ {
			o.err = errors.Join(o.err, w.ops[j].do(o.in.CPU(int(c.worker))))
		}
	}
}

// do asks for what the op says.
func (o *op) do(cpu pcbinfo.CPU) error {
	switch o.kind {
	case opSend:
		return cpu.Send(o.inc, int(o.n))
	case opClose:
		return cpu.Close(o.inc)
	case opAbort: // of what may be gone already
		if err := cpu.Abort(o.inc); err != pcbinfo.ErrNotFound {
			return err
		}
		return nil
	default:
		return o.connect(cpu)
	}
}

// connect opens the connection and writes its port and our initial number into the segments that will answer.
func (o *op) connect(cpu pcbinfo.CPU) error {
	o.inc.Lport = 0
	iss, err := cpu.Connect(o.inc)
	for _, p := range o.answers.patches {
		p.seg.Inc.Lport = o.inc.Lport
		p.seg.Ack = iss + p.ack
	}
	return err
}
