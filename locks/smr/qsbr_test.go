package smr

import (
	"testing"
	"unsafe"
)

// TestQuiescentStates: a CPU that is online holds up every goal until it says, by an Exit or by Offline, that it holds nothing.
func TestQuiescentStates(t *testing.T) {
	d := newQSBR(3)
	if g := d.Advance(); !d.Poll(g) {
		t.Error("a CPU that was never used holds up a goal")
	}
	d.Enter(0)
	d.Exit(0)
	between := d.Advance()
	if d.Poll(between) {
		t.Error("a goal passed a CPU that has said nothing since")
	}
	d.Enter(0)
	if d.Poll(between) {
		t.Error("entering is taken for a quiescent state, though nothing was announced")
	}
	d.Exit(0)
	if !d.Poll(between) {
		t.Error("the end of a section is no quiescent state")
	}
	parked := d.Advance()
	d.Offline(0)
	if !d.Poll(parked) {
		t.Error("a CPU that is offline holds up a goal")
	}
	d.Offline(0) // again, and of one that never was online
	d.Offline(2)
	d.Enter(0)
	if g := d.Advance(); d.Poll(g) {
		t.Error("a goal passed a CPU that had come back")
	}
	d.Exit(0)
	if n := d.Stats().Readers; n != 1 {
		t.Errorf("%d CPUs are online, want 1", n)
	}
	d.Enter(1)
	mustPanic(t, "in a section", func() { d.Offline(1) })
}

// TestObjectLines: what one CPU's reader writes, what its writer does and what another CPU writes lie on different pairs of lines, though an allocation may begin 8 bytes
// after one.
func TestObjectLines(t *testing.T) {
	var h hazards
	var c counters
	for _, s := range []struct{ reader, tally, end, size uintptr }{
		{unsafe.Offsetof(h.walker) + unsafe.Sizeof(h.walker), unsafe.Offsetof(h.tally), unsafe.Offsetof(h.named) + unsafe.Sizeof(h.named), unsafe.Sizeof(h)},
		{unsafe.Offsetof(c.walker) + unsafe.Sizeof(c.walker), unsafe.Offsetof(c.tally), unsafe.Offsetof(c.tally) + unsafe.Sizeof(c.tally), unsafe.Sizeof(c)},
	} {
		if s.reader > linePad-8 || s.tally != linePad || s.end > 2*linePad-8 || s.size != 2*linePad {
			t.Errorf("%+v", s)
		}
	}
	if s := unsafe.Sizeof(Object{}); s != 8 {
		t.Errorf("an object takes %d bytes of its block's first line", s)
	}
}

// TestGone: what a block says of its lists, and that a new life begins in none of them and keeps the count.
func TestGone(t *testing.T) {
	var o Object
	o.count.Add(1)
	o.Unlink(1)
	if !o.Gone(1) || o.Gone(2) || !o.Gone(3) {
		t.Error("unlinked from the first list")
	}
	o.Unlink(2)
	if !o.Gone(1) || !o.Gone(2) {
		t.Error("unlinked from both lists")
	}
	if o.Link(); o.Gone(3) || o.count.Load() != 1 {
		t.Errorf("linked: gone %v, count %d", o.Gone(3), o.count.Load())
	}
}
