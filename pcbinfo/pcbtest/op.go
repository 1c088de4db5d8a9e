package pcbtest

import (
	"fmt"
	"strings"

	"pcbbench/pcbinfo"
)

// An op is one call of a CPU's method.
type op struct {
	kind opKind
	inc  pcbinfo.ConnInfo
	n    int // bytes to send, or the tick
	segs []*pcbinfo.Segment
}

type opKind uint8

const (
	opInput opKind = iota
	opConnect
	opListen
	opClose
	opAbort
	opSend
	opTick
)

var opNames = [...]string{"input", "connect", "listen", "close", "abort", "send", "tick"}

// An answer is what a CPU said to an op.
type answer struct {
	port uint16 // local, after Connect; one that fails leaves what it was given
	iss  uint32
	err  error
}

func (a answer) String() string {
	return fmt.Sprintf("port %d, iss %d, error %v", a.port, a.iss, a.err)
}

// do makes the call.
func (o *op) do(cpu pcbinfo.CPU) (a answer) {
	switch o.kind {
	case opInput:
		cpu.Input(o.segs)
	case opConnect:
		inc := o.inc
		a.iss, a.err = cpu.Connect(&inc)
		a.port = inc.Lport
	case opListen:
		a.err = cpu.Listen(&o.inc)
	case opClose:
		a.err = cpu.Close(&o.inc)
	case opAbort:
		a.err = cpu.Abort(&o.inc)
	case opSend:
		a.err = cpu.Send(&o.inc, o.n)
	case opTick:
		cpu.SlowTimo(uint32(o.n))
	}
	return a
}

func (o *op) String() string {
	switch o.kind {
	case opInput:
		var b strings.Builder
		for _, s := range o.segs {
			fmt.Fprintf(&b, "input %v %s seq %d ack %d win %d len %d; ",
				s.Inc, pcbinfo.FlagString(s.Flags), s.Seq, s.Ack, s.Win, s.Len)
		}
		return strings.TrimSuffix(b.String(), "; ")
	case opTick, opSend:
		return fmt.Sprintf("%s %v %d", opNames[o.kind], o.inc, o.n)
	}
	return fmt.Sprintf("%s %v", opNames[o.kind], o.inc)
}
