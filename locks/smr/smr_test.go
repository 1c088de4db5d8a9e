package smr

import (
	"strings"
	"testing"
	"unsafe"
)

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got, _ := recover().(string); !strings.Contains(got, want) {
			t.Errorf("panic %q, want one with %q", got, want)
		}
	}()
	f()
}

// TestDomain is what every kind promises.
func TestDomain(t *testing.T) {
	for _, k := range Kinds {
		if k.New == nil {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			d, err := New(k.Name, 2)
			if err != nil {
				t.Fatal(err)
			}
			d.Wait(d.Advance()) // no section is open
			if n := testing.AllocsPerRun(100, func() {
				d.Enter(1)
				d.Exit(1)
				d.Poll(d.Advance())
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
			// Only a scheme under which memory is never reused may let a goal pass while a reader is inside.
			d.Enter(0)
			if d.Recycles() && d.Poll(d.Advance()) {
				t.Error("goal passed although a reader entered before")
			}
			d.Exit(0)
		})
	}
	if _, err := New("none", 1); err == nil || !strings.Contains(err.Error(), "gus or epoch or qsbr or hazard or refcount or gc") {
		t.Errorf("error %v does not list the kinds", err)
	}
}

func TestSequenceRules(t *testing.T) {
	d := newGUS(3)
	d.Enter(0)
	g1 := d.Advance()
	if d.Poll(g1) {
		t.Error("g1 passed a reader that entered before it")
	}
	d.Enter(1)
	if d.Poll(g1) {
		t.Error("g1 passed because of a later reader")
	}
	g2 := d.Advance()
	if g2 <= g1 {
		t.Errorf("goals %d, then %d", g1, g2)
	}
	d.Exit(0)
	if !d.Poll(g1) {
		t.Error("g1 held up by a reader that entered after it")
	}
	if d.Poll(g2) {
		t.Error("g2 passed a reader that entered before it")
	}
	d.Enter(0)
	d.Exit(1)
	if !d.Poll(g2) {
		t.Error("g2 held up by a reader that entered after it")
	}
	if !d.Poll(g1) || !d.Poll(g2) {
		t.Error("a goal that was passed is not passed any more")
	}
	d.Exit(0)
	if got, want := d.Stats(), (Stats{Advances: 2, Observed: 2, PollFails: 3}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestObservesAsFarAsReadersAllow: one poll answers for all goals up to the oldest section.
func TestObservesAsFarAsReadersAllow(t *testing.T) {
	d := newGUS(1)
	d.Advance()
	g2 := d.Advance()
	d.Enter(0)
	g3 := d.Advance()
	if d.Poll(g3) {
		t.Fatal("g3 passed a reader that entered before it")
	}
	if got := d.Stats().Observed; got != uint64(g2-first) {
		t.Errorf("%d goals observed, want %d", got, g2-first)
	}
	d.Exit(0)
}

// TestStaleAnnouncement plays the reader that is held up between loading the write sequence and announcing
// it, while a poll passes it over.
func TestStaleAnnouncement(t *testing.T) {
	d := newGUS(2).(*gus)
	stale := d.wr.Load()
	g1 := d.Advance()
	if !d.Poll(g1) {
		t.Fatal("an empty domain held up g1")
	}
	d.cpus[0].seq.Store(stale)
	g2 := d.Advance()
	if d.Poll(g2) {
		t.Error("g2 passed a section that began before it")
	}
	if !d.Poll(g1) {
		t.Error("the stale announcement took back g1")
	}
	d.Exit(0)
	if !d.Poll(g2) {
		t.Error("g2 held up by nobody")
	}
}

// TestEpochs: a goal is two epochs off, and the epoch stays while a section has not announced it.
func TestEpochs(t *testing.T) {
	d := newEpoch(2).(*epoch)
	d.Enter(0)
	g1 := d.Advance()
	if d.Poll(g1) {
		t.Error("g1 passed a reader that entered before it")
	}
	if now := d.now.Load(); now != first+1 {
		t.Errorf("the reader has announced epoch %d, and the epoch is %d", first, now)
	}
	d.Enter(1)
	d.Exit(0)
	g2 := d.Advance()
	if !d.Poll(g1) {
		t.Error("g1 held up by a reader that has announced the epoch after it")
	}
	if g2 != g1+1 || d.Poll(g2) {
		t.Errorf("goals %d, then %d, which passed a reader that entered before it", g1, g2)
	}
	d.Exit(1)
	if !d.Poll(g2) || !d.Poll(g1) {
		t.Error("no section is open, and a goal does not pass")
	}
	if got, want := d.Stats(), (Stats{Advances: 2, Observed: 2, PollFails: 2}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestEpochScanInFlight plays the poll that has looked at all records and not moved the epoch yet, while a reader enters, meets
// a block, and a writer unlinks that: the reason why one epoch would not do.
func TestEpochScanInFlight(t *testing.T) {
	d := newEpoch(1).(*epoch)
	now := d.now.Load()
	if !d.quiet(now) {
		t.Fatal("an empty domain is not quiet")
	}
	d.Enter(0)
	goal := d.Advance()
	d.move(now, 0)
	if d.Poll(goal) {
		t.Error("the goal passed a section that began before it")
	}
	d.Exit(0)
}

// TestEpochStaleAnnouncement plays the reader that is held up between loading the epoch and announcing it.
func TestEpochStaleAnnouncement(t *testing.T) {
	d := newEpoch(2).(*epoch)
	stale := d.now.Load()
	g1 := d.Advance()
	if !d.Poll(g1) {
		t.Fatal("an empty domain held up g1")
	}
	d.cpus[1].seq.Store(stale)
	g2 := d.Advance()
	if d.Poll(g2) || !d.Poll(g1) {
		t.Error("g2 passed a section that began before it, or g1 is taken back")
	}
	d.Exit(1)
	if !d.Poll(g2) {
		t.Error("g2 held up by nobody")
	}
}

func TestMisuse(t *testing.T) {
	for _, d := range []Domain{newGUS(1), newEpoch(1)} {
		mustPanic(t, "in no section", func() { d.Exit(0) })
		mustPanic(t, "no further than", func() { d.Poll(d.Advance() + 1) })
		d.Enter(0)
		mustPanic(t, "is in a section", func() { d.Enter(0) })
	}
}

// TestLines: what one CPU writes must not share a pair of lines with what another reads.
func TestLines(t *testing.T) {
	var g gus
	var e epoch
	for _, offs := range [][]uintptr{
		{0, unsafe.Offsetof(g.wr), unsafe.Offsetof(g.rd), unsafe.Offsetof(g.fails), unsafe.Offsetof(g.cpus), unsafe.Sizeof(g)},
		{0, unsafe.Offsetof(e.now), unsafe.Offsetof(e.advances), unsafe.Offsetof(e.observed), unsafe.Offsetof(e.cpus), unsafe.Sizeof(e)},
	} {
		for i := 1; i < len(offs); i++ {
			if d := offs[i] - offs[i-1]; d < linePad {
				t.Errorf("offsets %v: fields %d bytes apart", offs, d)
			}
		}
	}
	if s := unsafe.Sizeof(record{}); s != linePad {
		t.Errorf("record of %d bytes", s)
	}
	for cpus := range 200 {
		if a := uintptr(unsafe.Pointer(&newGUS(cpus + 1).(*gus).cpus[0])); a%linePad != 0 {
			t.Errorf("records of %d CPUs begin at %#x", cpus+1, a)
		}
	}
}

func BenchmarkSection(b *testing.B) {
	for _, k := range Kinds {
		if k.New == nil {
			continue
		}
		b.Run("smr="+k.Name, func(b *testing.B) {
			d := k.New(1)
			for b.Loop() {
				d.Enter(0)
				d.Exit(0)
			}
		})
	}
}
