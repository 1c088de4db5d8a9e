package reclaim

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// brief is long enough for every figure.
const brief = 4 * time.Millisecond

// places are CPUs for that many threads, and whether threads can be bound to them.
func places(t *testing.T, n int) []int {
	t.Helper()
	topo, _ := machine.HostTopology()
	return topo.Order(n)
}

// measure is Measure; on a busy machine a sample may find no time for anything.
func measure(t *testing.T, c Case) *Result {
	t.Helper()
	clock := machine.NewClock()
	for range 20 {
		res, err := c.Measure(clock, places(t, c.CPUs()), brief)
		if err == nil {
			return res
		}
		if err != ErrStarved {
			t.Fatal(err)
		}
	}
	t.Skip("no CPU to be had")
	return nil
}

// TestEveryCase: each has the figures that it is for, and no others.
func TestEveryCase(t *testing.T) {
	for _, c := range Cases(2) {
		if c.Stall > brief || c.Pin == "cpu" && runtime.GOOS != "linux" {
			continue
		}
		t.Run(c.Name(), func(t *testing.T) {
			if err := c.Check(); err != nil {
				t.Fatal(err)
			}
			res := measure(t, c)
			if res.Sections == 0 || res.Ticks <= 0 || (res.Retires > 0) != (c.Do == Update) || (res.Grace.TotalCount() > 0) != (c.Do == Grace) {
				t.Errorf("%+v", res)
			}
			if k, _ := smr.Find(c.SMR); (res.Bound < 0) != (k.New != nil) {
				t.Errorf("bound %d", res.Bound)
			}
			if collects := c.SMR == "gc"; (res.Heap > 0) != collects {
				t.Errorf("heap %d", res.Heap)
			}
		})
	}
}

// TestStalledReader: under kinds that protect sections all that is retired waits for it; others keep their bound.
func TestStalledReader(t *testing.T) {
	for _, k := range smr.Kinds {
		if !recycles(&k) {
			continue
		}
		c := Case{SMR: k.Name, Do: Update, Lookups: 32, Readers: 1, Stall: 20 * time.Millisecond, Pin: "none"}
		res := measure(t, c)
		switch limited := res.Bound >= 0; {
		case limited && res.Peak > res.Bound:
			t.Errorf("%s: %d blocks, bound %d", k.Name, res.Peak, res.Bound)
		case !limited && uint64(res.Peak) < min(8*slab, res.Retires/8): // without the reader it is a slab or two, of any number
			t.Errorf("%s: of %d blocks no more than %d waited for a reader that stayed inside", k.Name, res.Retires, res.Peak)
		}
		if slices.Max(res.Slices[:]) > res.Peak || res.Bytes() != res.Peak*blockSize {
			t.Errorf("%s: %d at most, %v", k.Name, res.Peak, res.Slices)
		}
	}
}

// Faulty domains and objects.
type neverWaits struct{ smr.Domain }

func (neverWaits) Poll(smr.Seq) bool { return true }

type neverHeld struct{ smr.Objects }

func (neverHeld) Held(int, *smr.Object) bool { return false }

type neverProtects struct{ smr.Objects }

func (neverProtects) Protect(int, int, *smr.Object) {}

// endsLate is a domain whose grace periods end when nobody reads any more.
type endsLate struct {
	smr.Domain
	waited bool
	polled func()
}

func (d *endsLate) Poll(smr.Seq) bool { d.polled(); return d.waited }
func (d *endsLate) Wait(goal smr.Seq) { d.Domain.Wait(goal); d.waited = true }

// TestGraceCut: a grace period that the end cuts off is told as far as it got.
func TestGraceCut(t *testing.T) {
	gus, _ := smr.Find("gus")
	dom := &endsLate{Domain: gus.New(2)}
	w := &writer{grace: hdrhistogram.New(1, maxTicks, 2), rng: rand.New(rand.NewPCG(1, 1)), pool: pool{trial: &trial{clock: machine.NewClock(), dom: dom, shared: true}}}
	dom.polled = sync.OnceFunc(func() { time.AfterFunc(brief, func() { w.phase.Store(over) }) }) // not before the grace period has begun
	w.fill()
	w.phase.Store(measuring)
	w.wait()
	if n, ns := w.grace.TotalCount(), w.clock.NS(w.grace.Max()); n != 1 || ns < float64(brief)/2 {
		t.Errorf("%d grace periods, the longest %v ns", n, ns)
	}
	if err := w.check(); err != nil {
		t.Error(err)
	}
}

// TestCourse: the backlog of each part of the measured time is the most of it, and stays while the writer has no CPU.
func TestCourse(t *testing.T) {
	w := &writer{pool: pool{trial: &trial{began: 1000, lasts: 80}}}
	w.note(warming, 99, 900, 1000)
	w.phase.Store(measuring)
	w.note(warming, 5, 990, 1001) // it began meanwhile
	w.note(measuring, 64, 1001, 1005)
	w.note(measuring, 3, 1005, 1045)
	w.phase.Store(cooling)
	w.note(measuring, 7, 1065, 1090) // it ended meanwhile
	w.note(cooling, 99, 1090, 1095)
	if want := [Slices]int{64, 3, 3, 3, 3, 0, 7, 7}; w.slices != want || w.peak != 64 {
		t.Errorf("got %v, most %d; want %v", w.slices, w.peak, want)
	}
}

// TestCollecting: the collector's share is of the time that processors were in use, and of cycles that ended.
func TestCollecting(t *testing.T) {
	if got := collecting(memory{gc: 1, cpu: 4, cycles: 2}, memory{gc: 2, cpu: 8, cycles: 3}); got != 0.25 {
		t.Errorf("got %v", got)
	}
	if got := collecting(memory{gc: 1, cpu: 4, cycles: 2}, memory{gc: 1, cpu: 4, cycles: 2}); got != -1 {
		t.Errorf("without a cycle: %v", got)
	}
	before := readMemory()
	runtime.GC()
	if got := collecting(before, readMemory()); got <= 0 || got > 1 {
		t.Errorf("of a cycle: %v", got)
	}
}

// Domains and objects that panic, as ours do when a protection does not hold.
type panicsPoll struct{ smr.Domain }

func (panicsPoll) Poll(smr.Seq) bool { panic("smr: poll") }

type panicsExit struct{ smr.Domain }

func (panicsExit) Exit(int) { panic("smr: exit") }

type panicsProtect struct{ smr.Objects }

func (panicsProtect) Protect(int, int, *smr.Object) { panic("smr: protect") }

// restoreKinds puts smr.Kinds back at the end of the test, and returns two without a fault to make faulty ones of: of sections, of single blocks.
func restoreKinds(t *testing.T) (sections, objects *smr.Kind) {
	old := smr.Kinds
	t.Cleanup(func() { smr.Kinds = old })
	sections, _ = smr.Find("gus")
	objects, _ = smr.Find("hazard")
	return sections, objects
}

// TestPanics: a panic of the kind is the sample's error, and nobody waits for who panicked.
func TestPanics(t *testing.T) {
	sections, objects := restoreKinds(t)
	smr.Kinds = []smr.Kind{
		{Name: "poll", New: func(cpus int) smr.Domain { return panicsPoll{sections.New(cpus)} }},
		{Name: "exit", New: func(cpus int) smr.Domain { return panicsExit{sections.New(cpus)} }},
		{Name: "protect", NewObjects: func(cpus int) smr.Objects { return panicsProtect{objects.NewObjects(cpus)} }},
	}
	for _, k := range smr.Kinds {
		c := Case{SMR: k.Name, Do: Update, Lookups: 32, Readers: 2, Stall: time.Millisecond, Pin: "none"}
		if _, err := c.Measure(machine.NewClock(), nil, brief); oracle.Of(err) != "smr panic" || !strings.Contains(err.Error(), "smr: "+k.Name) {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
}

// TestFaults: what reuses a block under a reader has no figure.
func TestFaults(t *testing.T) {
	sections, objects := restoreKinds(t)
	smr.Kinds = []smr.Kind{
		{Name: "never waits", New: func(cpus int) smr.Domain { return neverWaits{sections.New(cpus)} }},
		{Name: "never held", NewObjects: func(cpus int) smr.Objects { return neverHeld{objects.NewObjects(cpus)} }},
		{Name: "never protects", NewObjects: func(cpus int) smr.Objects { return neverProtects{objects.NewObjects(cpus)} }},
	}
	for _, k := range smr.Kinds {
		c := Case{SMR: k.Name, Do: Update, Lookups: 32, Readers: 3, Stall: 5 * time.Millisecond, Pin: "none"}
		var err error
		for range 20 { // a reader has to stand on a block when it comes again, which a sample on few CPUs may not bring about
			if _, err = c.Measure(machine.NewClock(), nil, 30*time.Millisecond); err != nil {
				break
			}
		}
		if err == nil || !strings.Contains(err.Error(), "it was reused under its reader") {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
}

// TestCheck: what cannot be measured is refused, with its name or the kinds that there are.
func TestCheck(t *testing.T) {
	good := Case{SMR: "gus", Do: Read, Lookups: 1, Readers: 1, Pin: "none"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Case){
		"gus or epoch": func(c *Case) { c.SMR = "pigeon" },
		"do=write":     func(c *Case) { c.Do = "write" },
		"lookups=0":    func(c *Case) { c.Lookups = 0 },
		"readers=0":    func(c *Case) { c.Readers = 0 },
		"stall=1s":     func(c *Case) { c.Stall = time.Second },
		"do=grace":     func(c *Case) { c.SMR, c.Do = "gc", Grace },
	} {
		c := good
		spoil(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", c.Name(), err)
		}
	}
	names := map[string]bool{}
	for _, c := range slices.Concat(Cases(1), Cases(2)) {
		names[c.Name()] = true
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
	if want := len(Cases(2)); len(names) != want {
		t.Errorf("%d names of %d cases", len(names), want)
	}
}
