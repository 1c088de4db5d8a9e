package pcbtest

import (
	"strings"
	"testing"

	"pcbbench/pcbinfo"
)

// A busted table is global's with one fault.
type busted struct {
	pcbinfo.Info
	cpus func(pcbinfo.CPU) pcbinfo.CPU
	walk func(in pcbinfo.Info, f func(x *pcbinfo.Xinpcb) bool)
	len  int // too many
}

func (b *busted) CPU(cpu int) pcbinfo.CPU {
	if b.cpus == nil {
		return b.Info.CPU(cpu)
	}
	return b.cpus(b.Info.CPU(cpu))
}

func (b *busted) Walk(f func(x *pcbinfo.Xinpcb) bool) {
	if b.walk == nil {
		b.Info.Walk(f)
		return
	}
	b.walk(b.Info, f)
}

func (b *busted) Len() int { return b.Info.Len() + b.len }

// loses loses segments with a FIN.
type loses struct{ pcbinfo.CPU }

func (c loses) Input(segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		if seg.Flags&pcbinfo.FIN == 0 {
			c.CPU.Input([]*pcbinfo.Segment{seg})
		}
	}
}

// keeps does not abort.
type keeps struct{ pcbinfo.CPU }

func (c keeps) Abort(*pcbinfo.ConnInfo) error { return nil }

// shares connects from an ephemeral port that is in use.
type shares struct{ pcbinfo.CPU }

func (c shares) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	ephemeral := inc.Lport == 0
	iss, err := c.CPU.Connect(inc)
	if ephemeral && err == pcbinfo.ErrNoPort {
		inc.Lport = firstPort
		return pcbinfo.ISN(inc, 0), nil
	}
	return iss, err
}

func twice(in pcbinfo.Info, f func(x *pcbinfo.Xinpcb) bool) {
	in.Walk(func(x *pcbinfo.Xinpcb) bool {
		f(x)
		return f(x)
	})
}

func misses(in pcbinfo.Info, f func(x *pcbinfo.Xinpcb) bool) {
	in.Walk(func(x *pcbinfo.Xinpcb) bool { return x.State == pcbinfo.Established || f(x) })
}

// TestChecksFindBustedTables is the checks' own check: each must name the fault.
func TestChecksFindBustedTables(t *testing.T) {
	for _, c := range []struct {
		name             string
		fault            busted
		conform, torture string // parts of the errors; none is wanted where this is empty
	}{
		{"right", busted{}, "", ""},
		{"loses", busted{cpus: func(c pcbinfo.CPU) pcbinfo.CPU { return loses{c} }}, "counted", ": 0 outcomes"},
		{"keeps", busted{cpus: func(c pcbinfo.CPU) pcbinfo.CPU { return keeps{c} }}, "answer", "drop-"},
		{"shares", busted{cpus: func(c pcbinfo.CPU) pcbinfo.CPU { return shares{c} }}, "connect from the only port", "ephemeral ports are free; connect"},
		{"twice", busted{walk: twice}, "twice", "twice"},
		{"misses", busted{walk: misses}, "a walk meets", "met false"},
		{"miscounts", busted{len: 1}, "a walk meets", "a walk meets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sp, err := pcbinfo.ParseSpec("global")
			if err != nil {
				t.Fatal(err)
			}
			sound := sp.Scheme.New
			sp.Scheme.New = func(cfg pcbinfo.Config) (pcbinfo.Info, error) {
				in, err := sound(cfg)
				fault := c.fault
				fault.Info = in
				return &fault, err
			}
			cfg := Config{Table: pcbinfo.Config{CPUs: 2}, Steps: 500, Seed: 1}
			want(t, Conform(sp, cfg), c.conform)
			want(t, Torture(sp, cfg), c.torture)
		})
	}
}

func want(t *testing.T, err error, part string) {
	t.Helper()
	switch {
	case part == "" && err != nil:
		t.Errorf("unexpected: %v", err)
	case part != "" && (err == nil || !strings.Contains(err.Error(), part)):
		t.Errorf("error %v does not say %q", err, part)
	}
}
