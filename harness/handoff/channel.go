package handoff

import "pcbbench/pcbinfo"

// channel.go: a Go channel of packets.
// Source: Go's runtime/chan.go.
// Idea: a ring, or with no buffer the receiver's own stack, under a lock; whoever waits sleeps.
// Cost: a lock a packet on either side, whatever the batch; a wake-up when the other side sleeps.
// Holds: order; no more than its buffer.

type channel chan *pcbinfo.Segment

func newChannel(buffer int) link { return make(channel, buffer) }

func (c channel) send(packets []*pcbinfo.Segment) {
	for _, p := range packets {
		c <- p
	}
}

func (c channel) serve(handle func([]*pcbinfo.Segment)) {
	one := make([]*pcbinfo.Segment, 1)
	for one[0] = range c {
		handle(one)
	}
}

func (c channel) close() { close(c) }
