package harness

import (
	"errors"
	"slices"
	"testing"

	"pcbbench/pcbinfo"
)

// The schemes that must not get a number. Each is global with one fault.
var faults = map[string]func(pcbinfo.Info) pcbinfo.Info{
	"lossy":    func(in pcbinfo.Info) pcbinfo.Info { return lossy{in} },
	"panicky":  func(in pcbinfo.Info) pcbinfo.Info { return panicky{in} },
	"leaky":    func(in pcbinfo.Info) pcbinfo.Info { return leaky{in} },
	"shut":     func(in pcbinfo.Info) pcbinfo.Info { return shut{in} },
	"breaking": func(in pcbinfo.Info) pcbinfo.Info { return breaking{in} },
}

// breakSchemes makes them known to this process.
func breakSchemes() {
	for name, fault := range faults {
		addScheme(name, fault)
	}
}

// addScheme makes global known under another name, with something put around it.
func addScheme(name string, around func(pcbinfo.Info) pcbinfo.Info) {
	pcbinfo.Schemes = append(slices.Clip(pcbinfo.Schemes), pcbinfo.Scheme{Name: name, Lock: "mtx", Table: true,
		New: func(cfg pcbinfo.Config) (pcbinfo.Info, error) {
			sp, err := pcbinfo.ParseSpec("global")
			if err != nil {
				return nil, err
			}
			in, err := sp.New(cfg)
			if err != nil {
				return nil, err
			}
			return around(in), nil
		}})
}

// restoreSchemes forgets them at the end of the test.
func restoreSchemes(t *testing.T) {
	known := pcbinfo.Schemes
	t.Cleanup(func() { pcbinfo.Schemes = known })
}

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

// shut panics before the clock starts.
type shut struct{ pcbinfo.Info }

type shutCPU struct{ pcbinfo.CPU }

func (s shut) CPU(cpu int) pcbinfo.CPU           { return shutCPU{s.Info.CPU(cpu)} }
func (c shutCPU) Listen(*pcbinfo.ConnInfo) error { panic("there is no way in") }

// breaking panics when it is checked.
type breaking struct{ pcbinfo.Info }

func (b breaking) Walk(func(*pcbinfo.Xinpcb) bool) { panic("the table is in pieces") }

// A spy is no fault: it keeps the first segments of each sample.
type spy struct {
	pcbinfo.Info
	seen *[]pcbinfo.Segment
}

type spyCPU struct {
	pcbinfo.CPU
	seen *[]pcbinfo.Segment
}

func (s spy) CPU(cpu int) pcbinfo.CPU { return spyCPU{s.Info.CPU(cpu), s.seen} }

func (c spyCPU) Input(segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		if len(*c.seen) < 100 {
			*c.seen = append(*c.seen, *seg)
		}
	}
	c.CPU.Input(segs)
}
