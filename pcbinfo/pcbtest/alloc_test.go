package pcbtest

import (
	"testing"

	"pcbbench/pcbinfo"
)

// TestInputAllocatesNothing lets one connection live again and again, in ready-made batches: in every scheme the steady state is free
// of allocations, except where the garbage collector has the inpcbs.
func TestInputAllocatesNothing(t *testing.T) {
	for _, sp := range variants(t) {
		t.Run(sp.String(), func(t *testing.T) {
			if sp.Collects() {
				t.Skip("inpcbs come from the heap")
			}
			in, err := sp.New(pcbinfo.Config{CPUs: 1, Groups: 4})
			if err != nil {
				t.Fatal(err)
			}
			cpu := in.CPU(0)
			if err := cpu.Listen(&pcbinfo.ConnInfo{Lport: sharedPort}); err != nil {
				t.Fatal(err)
			}
			batch, last := lifeBatches()
			lap := func() {
				cpu.Input(batch)
				err = cpu.Close(&batch[0].Inc)
				cpu.Input(last)
			}
			for range 1000 {
				lap()
			}
			if n := testing.AllocsPerRun(1000, lap); n != 0 {
				t.Errorf("%v allocations a life", n)
			}
			if s := cpu.Stats(); err != nil || s.Outcomes[pcbinfo.GotAccept] != 2001 || s.Drops() != 0 {
				t.Errorf("lives did not go as planned: %v, close: %v", s.Outcomes, err)
			}
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// lifeBatches are a whole life of a connection with header prediction and without, but for our Close between the two.
func lifeBatches() (batch, last []*pcbinfo.Segment) {
	n := newNames(0)
	p := peer{inc: pcbinfo.ConnInfo{Laddr: n.local[0], Faddr: n.foreign[0], Fport: 1, Lport: sharedPort}}
	add := func(flags uint8, length uint16) *pcbinfo.Segment {
		seg := p.segment(flags)
		seg.Len = length
		p.bytes += uint64(length)
		batch = append(batch, seg)
		return seg
	}
	add(pcbinfo.SYN, 0).Seq--
	add(pcbinfo.ACK, 0)
	for range 4 {
		add(pcbinfo.ACK|pcbinfo.PSH, 100)
	}
	add(pcbinfo.FIN|pcbinfo.ACK, 0)
	end := p.segment(pcbinfo.ACK)
	end.Seq++
	end.Ack++
	return batch, []*pcbinfo.Segment{end}
}
