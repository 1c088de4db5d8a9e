package workloadtest

import (
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// An attended table notes which of its CPUs have been used and have not said since that they have nothing to do: memory may wait for these for ever (qsbr).
type attended struct {
	pcbinfo.Info
	busy []atomic.Bool // by handle
}

func attend(in pcbinfo.Info, cpus int) attended { return attended{in, make([]atomic.Bool, cpus)} }

type attendedCPU struct {
	pcbinfo.CPU
	busy *atomic.Bool
}

func (a attended) CPU(cpu int) pcbinfo.CPU { return &attendedCPU{a.Info.CPU(cpu), &a.busy[cpu]} }

func (c *attendedCPU) Input(segs []*pcbinfo.Segment) {
	c.busy.Store(true)
	c.CPU.Input(segs)
}

func (c *attendedCPU) Send(inc *pcbinfo.ConnInfo, n int) error {
	c.busy.Store(true)
	return c.CPU.Send(inc, n)
}

func (c *attendedCPU) Close(inc *pcbinfo.ConnInfo) error {
	c.busy.Store(true)
	return c.CPU.Close(inc)
}

func (c *attendedCPU) SlowTimo(now uint32) {
	c.busy.Store(true)
	c.CPU.SlowTimo(now)
}

func (c *attendedCPU) Idle() {
	c.CPU.Idle()
	c.busy.Store(false)
}

// check is for when all have stopped.
func (a attended) check() error {
	for cpu := range a.busy {
		if a.busy[cpu].Load() {
			return oracle.Violated(oracle.Grace, "who used CPU %d of the table has stopped and did not say so", cpu)
		}
	}
	return nil
}
