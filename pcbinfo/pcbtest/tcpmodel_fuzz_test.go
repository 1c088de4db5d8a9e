package pcbtest

import (
	"testing"

	"pcbbench/pcbinfo"
)

// FuzzMachine plays what it reads from bytes on one connection, in a table without locks and in the Reference, and compares them
// after every operation. Seeds are in testdata/fuzz, named for what happens in them.
func FuzzMachine(f *testing.F) {
	sp, err := pcbinfo.ParseSpec("unsync")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Config{Table: pcbinfo.Config{CPUs: 1}}
		in, ref, err := c.open(sp)
		if err != nil {
			t.Fatal(err)
		}
		var l log
		b := bytesHistory{at: ref.position}
		for err == nil && len(data) >= opBytes {
			o := b.op([opBytes]byte(data))
			data = data[opBytes:]
			if err = play(o, in.CPU(0), ref.cpus[0], &l); err == nil {
				err = sameTable(in, ref)
			}
		}
		if err == nil {
			err = in.Close()
		}
		if err != nil {
			t.Fatalf("%v\n%v", err, &l)
		}
	})
}

// opBytes is how many bytes make an operation.
const opBytes = 6

// A bytesHistory makes operations on one connection out of bytes.
type bytesHistory struct {
	at   func(inc *pcbinfo.ConnInfo) position
	tick int
}

func (b *bytesHistory) op(e [opBytes]byte) *op {
	n := newNames(0)
	o := &op{inc: n.conn(0)}
	switch e[0] % 16 {
	case 0:
		o.kind, o.n = opSend, 1+8*int(e[1])
	case 1:
		o.kind = opClose
	case 2:
		o.kind = opConnect
	case 3:
		o.kind, o.inc = opListen, pcbinfo.ConnInfo{Lport: o.inc.Lport}
	case 4:
		o.kind, o.inc = opClose, pcbinfo.ConnInfo{Lport: o.inc.Lport}
	case 5:
		b.tick += int(e[1] % 4)
		o.kind, o.n = opTick, b.tick
	case 6:
		o.kind = opAbort
	default:
		o.segs = []*pcbinfo.Segment{b.segment(o.inc, e)}
	}
	return o
}

// segment makes one near the numbers that matter, with likely flags or any.
func (b *bytesHistory) segment(inc pcbinfo.ConnInfo, e [opBytes]byte) *pcbinfo.Segment {
	const f, s, r, a = pcbinfo.FIN, pcbinfo.SYN, pcbinfo.RST, pcbinfo.ACK
	at := b.at(&inc)
	flags := e[1]
	if e[0]&0x80 != 0 {
		flags = [...]uint8{a, a, a | pcbinfo.PSH, a | f, s, s | a, r, r | a}[flags%8]
	}
	seqs := [16]uint32{0, 0, 0, 0, 0, 1, 10, rcvWindow - 1, rcvWindow, half, -1 & (1<<32 - 1), -10 & (1<<32 - 1), -100 & (1<<32 - 1), half - 1, half + 1, 1 << 30}
	acks := [8]uint32{at.sndNxt, at.sndNxt, at.una, at.una + 1, at.sndNxt + 1, at.una - 1, at.sndNxt + half, at.sndNxt + half + 1}
	return &pcbinfo.Segment{
		Inc: inc, Seq: at.rcvNxt + seqs[e[2]%16], Ack: acks[e[3]%8], Flags: flags,
		Len: [4]uint16{0, 10, 100, 1<<16 - 1}[e[4]%4], Win: [4]uint32{1 << 16, 1000, 100, 0}[e[5]%4],
	}
}
