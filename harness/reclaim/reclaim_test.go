package reclaim

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pcbbench/harness/machine"
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
		case !limited && uint64(res.Peak) < res.Retires/8:
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

// TestFaults: what reuses a block under a reader has no figure.
func TestFaults(t *testing.T) {
	old := smr.Kinds
	defer func() { smr.Kinds = old }()
	sections, _ := smr.Find("gus")
	objects, _ := smr.Find("hazard")
	smr.Kinds = []smr.Kind{
		{Name: "never waits", New: func(cpus int) smr.Domain { return neverWaits{sections.New(cpus)} }},
		{Name: "never held", NewObjects: func(cpus int) smr.Objects { return neverHeld{objects.NewObjects(cpus)} }},
		{Name: "never protects", NewObjects: func(cpus int) smr.Objects { return neverProtects{objects.NewObjects(cpus)} }},
	}
	for _, k := range smr.Kinds {
		c := Case{SMR: k.Name, Do: Update, Lookups: 32, Readers: 3, Stall: 5 * time.Millisecond, Pin: "none"}
		_, err := c.Measure(machine.NewClock(), nil, 30*time.Millisecond)
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
