package harness

import (
	"errors"
	"testing"

	"pcbbench/pcbinfo"
)

// The schemes that must not get a number. Each is global with one fault.
var faults = map[string]func(pcbinfo.Info) pcbinfo.Info{
	"lossy":    func(in pcbinfo.Info) pcbinfo.Info { return lossy{in} },
	"panicky":  func(in pcbinfo.Info) pcbinfo.Info { return panicky{in} },
	"leaky":    func(in pcbinfo.Info) pcbinfo.Info { return leaky{in} },
	"breaking": func(in pcbinfo.Info) pcbinfo.Info { return breaking{in} },
}

// breakSchemes adds them to the known ones.
func breakSchemes() (restore func()) {
	known := pcbinfo.Schemes
	for name, fault := range faults {
		pcbinfo.Schemes = append(pcbinfo.Schemes[:len(pcbinfo.Schemes):len(pcbinfo.Schemes)], pcbinfo.Scheme{Name: name, Lock: "mtx", Table: true, New: func(cfg pcbinfo.Config) (pcbinfo.Info, error) {
			sp, err := pcbinfo.ParseSpec("global")
			if err != nil {
				return nil, err
			}
			in, err := sp.New(cfg)
			if err != nil {
				return nil, err
			}
			return fault(in), nil
		}})
	}
	return func() { pcbinfo.Schemes = known }
}

// withBroken makes them known to this process for one test.
func withBroken(t *testing.T) { t.Cleanup(breakSchemes()) }

// goodBatches is how long a handle works before it fails: its batches are full by then, connections are open.
const goodBatches = 100

// lossy forgets a segment of every batch.
type lossy struct{ pcbinfo.Info }

type lossyCPU struct {
	pcbinfo.CPU
	batches int
}

func (l lossy) CPU(cpu int) pcbinfo.CPU { return &lossyCPU{CPU: l.Info.CPU(cpu)} }

func (c *lossyCPU) Input(segs []*pcbinfo.Segment) {
	if c.batches++; c.batches > goodBatches && len(segs) > 1 {
		segs = segs[1:]
	}
	c.CPU.Input(segs)
}

// panicky panics in the middle of input, with the other workers at work.
type panicky struct{ pcbinfo.Info }

type panickyCPU struct {
	pcbinfo.CPU
	batches int
}

func (p panicky) CPU(cpu int) pcbinfo.CPU { return &panickyCPU{CPU: p.Info.CPU(cpu)} }

func (c *panickyCPU) Input(segs []*pcbinfo.Segment) {
	if c.batches++; c.batches > goodBatches {
		panic("pcb 7 is gone")
	}
	c.CPU.Input(segs)
}

// leaky finds something left when it is taken down.
type leaky struct{ pcbinfo.Info }

func (l leaky) Close() error { return errors.Join(l.Info.Close(), errors.New("7 inpcbs leaked")) }

// breaking panics when it is checked.
type breaking struct{ pcbinfo.Info }

func (b breaking) Len() int { panic("the table is in pieces") }
