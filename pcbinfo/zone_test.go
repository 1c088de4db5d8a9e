package pcbinfo

import (
	"strings"
	"testing"

	"pcbbench/locks/smr"
)

func newZone(t *testing.T, cpus int, reclamation string) *zone {
	t.Helper()
	var dom smr.Domain
	if reclamation != "" {
		var err error
		if dom, err = smr.New(reclamation, cpus); err != nil {
			t.Fatal(err)
		}
	}
	z := new(zone)
	z.init(cpus, magSize, dom)
	return z
}

// give frees a block as a scheme does when the last reference is gone.
func give(z *zone, cpu int, inp *Inpcb) {
	inp.refs.Store(0)
	z.free(cpu, inp)
}

func TestZoneReuse(t *testing.T) {
	z := newZone(t, 1, "")
	a, b := z.alloc(0), z.alloc(0)
	gen := b.gen
	a.inc, b.inc = tuple(1), tuple(2)
	give(z, 0, a)
	give(z, 0, b)
	c := z.alloc(0)
	if c != b {
		t.Error("the block freed last is not the first to be reused")
	}
	if c.gen != gen+1 {
		t.Errorf("generation %d follows on %d", c.gen, gen)
	}
	if c.inc != (ConnInfo{}) || c.tp != (Tcpcb{}) || c.flags != 0 || c.refs.Load() != 1 {
		t.Errorf("a new block is not empty but for one reference: %v, %+v, %d references", c.inc, c.tp, c.refs.Load())
	}
}

// TestZoneUseAfterFree writes to free blocks: the next life must not begin as if nothing had happened.
func TestZoneUseAfterFree(t *testing.T) {
	for name, write := range map[string]func(*Inpcb){
		"key":       func(inp *Inpcb) { inp.inc = tuple(1) },
		"state":     func(inp *Inpcb) { inp.tp.state = Established },
		"bytes":     func(inp *Inpcb) { inp.tp.rcvd++ },
		"reference": func(inp *Inpcb) { inp.refs.Add(1) },
	} {
		t.Run(name, func(t *testing.T) {
			z := newZone(t, 1, "")
			inp := z.alloc(0)
			give(z, 0, inp)
			write(inp)
			mustPanic(t, "written after free", func() { z.alloc(0) })
		})
	}
}

func TestZoneWrongFree(t *testing.T) {
	z := newZone(t, 1, "")
	inp := z.alloc(0)
	mustPanic(t, "free of an inpcb with 1 references", func() { z.free(0, inp) })
	give(z, 0, inp)
	mustPanic(t, "double free", func() { z.free(0, inp) })
}

// TestZoneReferences checks the rules of the count itself.
func TestZoneReferences(t *testing.T) {
	inp := newZone(t, 1, "").alloc(0)
	if inp.ref(); inp.rele() {
		t.Error("the first of two references given back was the last")
	}
	if !inp.refIfAlive() || inp.rele() || !inp.rele() {
		t.Error("the last reference given back was not the last")
	}
	if inp.refIfAlive() {
		t.Error("reference taken on a dead inpcb")
	}
	mustPanic(t, "below zero", func() { inp.rele() })
	inp.refs.Store(0)
	mustPanic(t, "from zero", inp.ref)
}

// TestZoneDepot lets one CPU take what another gives back, as on a machine that opens connections on one CPU and closes them
// on another: full magazines must find their way back.
func TestZoneDepot(t *testing.T) {
	const blocks = 5 * magSize
	z := newZone(t, 2, "")
	var held [blocks]*Inpcb
	made := 0
	for round := range 10 {
		for i := range held {
			held[i] = z.alloc(0)
		}
		if err := z.audit(blocks); err != nil {
			t.Fatal(err)
		}
		for _, inp := range held {
			give(z, 1, inp)
		}
		if err := z.audit(0); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			made = z.made
		}
	}
	if z.made != made {
		t.Errorf("%d blocks made after two rounds, %d after ten", made, z.made)
	}
}

func TestZoneAudit(t *testing.T) {
	z := newZone(t, 1, "")
	z.alloc(0)
	if err := z.audit(1); err != nil {
		t.Error(err)
	}
	if err := z.audit(0); err == nil || !strings.Contains(err.Error(), "leaked 1") {
		t.Errorf("one leaked: %v", err)
	}
	if err := z.auditTables(0, 0, nil, nil); err != nil {
		t.Error(err)
	}
	z.cpus[0].loaded.pop()
	if err := z.auditTables(0, 0, nil, nil); err == nil || !strings.Contains(err.Error(), "62 are free or retired and 1 in use") {
		t.Errorf("one lost: %v", err)
	}
}

// TestZoneGrace retires a magazine under a reader's eyes.
func TestZoneGrace(t *testing.T) {
	const reader = 1
	z := newZone(t, 2, "gus")
	var held [magSize]*Inpcb
	for i := range held {
		held[i] = z.alloc(0)
		held[i].inc = tuple(i)
	}
	z.dom.Enter(reader)
	for _, inp := range held {
		inp.refs.Store(0)
		z.retire(0, inp)
	}
	z.reclaim(&z.cpus[0])
	for range 3 * magSize {
		z.alloc(0)
	}
	for i, inp := range held {
		if inp.inc != tuple(i) {
			t.Fatalf("block %d was freed under a reader: %v", i, inp.inc)
		}
	}
	if s := z.stats(); s.Retired != magSize || s.PeakRetired != magSize || s.Reclaimed != 0 {
		t.Errorf("under the reader: %+v", s)
	}
	z.dom.Exit(reader)
	z.reclaim(&z.cpus[0])
	if s := z.stats(); s.Retired != 0 || s.Reclaimed != magSize {
		t.Errorf("after the reader: %+v", s)
	}
	if err := z.audit(3 * magSize); err != nil {
		t.Error(err)
	}
}

// TestZoneDrain frees what is retired on all CPUs, full magazines or not.
func TestZoneDrain(t *testing.T) {
	z := newZone(t, 3, "gus")
	for cpu := range z.cpus {
		for range 10 * (cpu + 1) {
			inp := z.alloc(cpu)
			inp.refs.Store(0)
			z.retire(cpu, inp)
		}
	}
	z.drain()
	if s := z.stats(); s.Retired != 0 || s.Reclaimed != 60 {
		t.Errorf("after drain: %+v", s)
	}
	if err := z.audit(0); err != nil {
		t.Error(err)
	}
}

// TestZoneCollected checks that a zone of which the garbage collector has charge keeps nothing.
func TestZoneCollected(t *testing.T) {
	z := newZone(t, 1, "gc")
	for range 3 * magSize {
		give(z, 0, z.alloc(0))
		inp := z.alloc(0)
		inp.refs.Store(0)
		z.retire(0, inp)
	}
	if zc := &z.cpus[0]; zc.loaded.n+zc.prev.n+zc.pending.n+len(zc.waiting)+len(z.depot) != 0 {
		t.Errorf("kept: %d loaded, %d previous, %d pending, %d waiting and %d full magazines",
			zc.loaded.n, zc.prev.n, zc.pending.n, len(zc.waiting), len(z.depot))
	}
	if err := z.audit(0); err != nil {
		t.Error(err)
	}
}

func TestZoneAllocatesNothing(t *testing.T) {
	for _, reclamation := range []string{"", "gus"} {
		z := newZone(t, 2, reclamation)
		var held [3 * magSize]*Inpcb
		round := func() {
			for i := range held {
				held[i] = z.alloc(0)
			}
			for _, inp := range held {
				inp.refs.Store(0)
				if reclamation == "" {
					z.free(1, inp)
				} else {
					z.retire(0, inp)
				}
			}
		}
		for range 10 {
			round()
		}
		if n := testing.AllocsPerRun(100, round); n != 0 {
			t.Errorf("reclamation %q: %v allocations a round", reclamation, n)
		}
	}
}
