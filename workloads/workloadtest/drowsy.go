package workloadtest

import (
	"runtime"

	"pcbbench/pcbinfo"
)

// A drowsy table lets others go first now and then before it takes segments in: what must not be done until they are handled is done too early then.
type drowsy struct{ pcbinfo.Info }

type drowsyCPU struct {
	pcbinfo.CPU
	calls int
}

func (d drowsy) CPU(cpu int) pcbinfo.CPU { return &drowsyCPU{CPU: d.Info.CPU(cpu)} }

func (c *drowsyCPU) Input(segs []*pcbinfo.Segment) {
	if c.calls++; c.calls%8 == 0 {
		for range 16 {
			runtime.Gosched()
		}
	}
	c.CPU.Input(segs)
}
