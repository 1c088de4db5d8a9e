package schedule

import (
	"fmt"
	"net/netip"

	"pcbbench/pcbinfo"
)

// An op is one operation of a scenario. Connection i goes from 198.18.0.1:1000+i to port 80 of 192.0.2.1, where listeners are bound to any
// address; the peer's numbers begin at irs.
type op struct {
	name string
	// One of these is set: a user's request, which returns what it returns, with the port if it chose one; segments, which go in as one
	// batch; a walk.
	request func(w *world, c pcbinfo.CPU) (port uint16, err error)
	segs    []func(w *world) *pcbinfo.Segment
	walks   bool
	// It may take something out of the table, put something in: what a lookup beside it may stumble over (pcbinfo.Scheme.Misses).
	removes, inserts bool
	// By which CPU, if not by the worker's own.
	cpu int
	on  bool
}

const (
	irs    = 1000
	later  = 1 << 20 // how far a peer's numbers are on when it opens the same connection again
	win    = 1 << 16
	lport  = 80
	spare  = 5000 // foreign ports from here on are churn's
	sparel = 9    // and its local port
)

var (
	localAddr   = pcbinfo.AddrFrom(netip.MustParseAddr("192.0.2.1"))
	foreignAddr = pcbinfo.AddrFrom(netip.MustParseAddr("198.18.0.1"))
	listener    = pcbinfo.ConnInfo{Lport: lport}
)

func tuple(i int) pcbinfo.ConnInfo {
	return pcbinfo.ConnInfo{Laddr: localAddr, Lport: lport, Faddr: foreignAddr, Fport: uint16(1000 + i)}
}

// on has op done by that CPU.
func on(cpu int, o op) op {
	o.cpu, o.on = cpu, true
	return o
}

func request(name string, f func(w *world, c pcbinfo.CPU) error) op {
	return op{name: name, request: func(w *world, c pcbinfo.CPU) (uint16, error) { return 0, f(w, c) }}
}

func listen() op {
	o := request("listen", func(_ *world, c pcbinfo.CPU) error { inc := listener; return c.Listen(&inc) })
	o.inserts = true
	return o
}

func unlisten() op {
	o := request("close listener", func(_ *world, c pcbinfo.CPU) error { inc := listener; return c.Close(&inc) })
	o.removes = true
	return o
}

func connect(i int) op {
	o := request(fmt.Sprint("connect ", i), func(w *world, c pcbinfo.CPU) error {
		inc := tuple(i)
		iss, err := c.Connect(&inc)
		if err == nil {
			w.iss[i] = iss
		}
		return err
	})
	o.inserts = true
	return o
}

// choose connects to peer i from a port that the table chooses.
func choose(i int) op {
	return op{name: fmt.Sprint("connect from any port to ", i), inserts: true, request: func(_ *world, c pcbinfo.CPU) (uint16, error) {
		inc := tuple(i)
		inc.Lport = 0
		_, err := c.Connect(&inc)
		return inc.Lport, err
	}}
}

func closes(i int) op {
	o := request(fmt.Sprint("close ", i), func(_ *world, c pcbinfo.CPU) error { inc := tuple(i); return c.Close(&inc) })
	o.removes = true
	return o
}

func abort(i int) op {
	o := request(fmt.Sprint("abort ", i), func(_ *world, c pcbinfo.CPU) error { inc := tuple(i); return c.Abort(&inc) })
	o.removes = true
	return o
}

func send(i, n int) op {
	return request(fmt.Sprintf("send %d bytes on %d", n, i), func(_ *world, c pcbinfo.CPU) error { inc := tuple(i); return c.Send(&inc, n) })
}

func tick(now uint32) op {
	o := request(fmt.Sprint("tick ", now), func(_ *world, c pcbinfo.CPU) error { c.SlowTimo(now); return nil })
	o.removes = true
	return o
}

func walk() op { return op{name: "walk", walks: true} }

// magazine is how many inpcbs a CPU's cache gives back at once in this build (pcbinfo's zone).
const magazine = 2

// churn opens a magazine of connections and aborts all but one: then this CPU has no free inpcb, and needs to retire one more to have some again,
// once the readers let it.
func churn() op {
	return request("churn", func(_ *world, c pcbinfo.CPU) error {
		for i := range 2*magazine - 1 {
			inc := pcbinfo.ConnInfo{Laddr: localAddr, Lport: sparel, Faddr: foreignAddr, Fport: uint16(spare + i%magazine)}
			if i < magazine {
				if _, err := c.Connect(&inc); err != nil {
					return err
				}
			} else if err := c.Abort(&inc); err != nil {
				return err
			}
		}
		return nil
	})
}

// segment is one of connection i: from is where its peer's numbers began, and off how far they are on.
func segment(flags uint8, i int, from, off uint32, n int) op {
	inc := tuple(i)
	name := fmt.Sprintf("%s on %d", pcbinfo.FlagString(flags), i)
	if n > 0 {
		name += fmt.Sprintf(", bytes %d to %d", off, off+uint32(n))
	}
	return op{name: name, removes: flags&(pcbinfo.FIN|pcbinfo.RST|pcbinfo.SYN) != 0, inserts: flags == pcbinfo.ACK,
		segs: []func(*world) *pcbinfo.Segment{func(*world) *pcbinfo.Segment {
			seg := &pcbinfo.Segment{Inc: inc, Seq: from + 1 + off, Ack: pcbinfo.ISN(&inc, from) + 1, Win: win, Len: uint16(n), Flags: flags}
			if flags&pcbinfo.SYN != 0 {
				seg.Seq--
			}
			return seg
		}}}
}

func syn(i int) op          { return segment(pcbinfo.SYN, i, irs, 0, 0) }
func synAck(i int) op       { return answering(segment(pcbinfo.SYN|pcbinfo.ACK, i, irs, 0, 0), i) }
func ack(i int) op          { return segment(pcbinfo.ACK, i, irs, 0, 0) }
func data(i, off, n int) op { return segment(pcbinfo.ACK|pcbinfo.PSH, i, irs, uint32(off), n) }
func fin(i, off int) op     { return segment(pcbinfo.FIN|pcbinfo.ACK, i, irs, uint32(off), 0) }
func rst(i, off int) op     { return segment(pcbinfo.RST, i, irs, uint32(off), 0) }
func synAgain(i int) op     { return segment(pcbinfo.SYN, i, irs+later, 0, 0) }
func ackAgain(i int) op     { return segment(pcbinfo.ACK, i, irs+later, 0, 0) }

// answering has o, a segment of connection i, acknowledge the SYN that we sent last before.
func answering(o op, i int) op {
	plain := o.segs[0]
	o.segs = []func(*world) *pcbinfo.Segment{func(w *world) *pcbinfo.Segment {
		seg := plain(w)
		seg.Ack = w.iss[i] + 1
		return seg
	}}
	return o
}

// acked is a segment that acknowledges n bytes of ours beyond our SYN as well.
func acked(o op, n uint32) op {
	plain := o.segs[0]
	o.name += fmt.Sprintf(", acknowledging %d", n)
	o.segs = []func(*world) *pcbinfo.Segment{func(w *world) *pcbinfo.Segment {
		seg := plain(w)
		seg.Ack += n
		return seg
	}}
	return o
}

// ending is an ACK that may be the connection's last.
func ending(o op) op {
	o.removes = true
	return o
}

// batch is segments taken in at once.
func batch(ops ...op) (b op) {
	b.name = "batch"
	for _, o := range ops {
		b.name += " [" + o.name + "]"
		b.segs = append(b.segs, o.segs...)
		b.removes = b.removes || o.removes
		b.inserts = b.inserts || o.inserts
	}
	return b
}

// open makes connections i by handshake, established says that they are up.
func open(is ...int) (ops []op) {
	for _, i := range is {
		ops = append(ops, syn(i), ack(i))
	}
	return ops
}

// timeWait brings an open connection i to TIME-WAIT.
func timeWait(i int) []op { return []op{closes(i), acked(ack(i), 1), acked(fin(i, 0), 1)} }
