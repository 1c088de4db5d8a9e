//go:build profile

package harness

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/locks/witness"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// counted is the experiment that a line of exact counts is of.
func counted(t *testing.T, res *benchfmt.Result) *variant {
	t.Helper()
	e := Experiment{Pin: PinNone, Force: true, Workload: workloads.Params{Workers: 1}}
	_, of := parts(t, string(res.Name))
	e.Scheme, e.Lock, e.Dispatch, e.Workload.Mix = of["scheme"], of["lock"], of["dispatch"], of["mix"]
	if _, err := fmt.Sscan(of["conns"]+" "+of["batch"], &e.Workload.Conns, &e.Workload.Batch); err != nil {
		t.Fatal(err)
	}
	v, err := e.resolve()
	if err != nil {
		t.Fatal(err)
	}
	return &v
}

// ofLocks reports whether unit counts what the profile counts too.
func ofLocks(unit string) bool {
	kind, _, _ := strings.Cut(strings.TrimSuffix(unit, "/seg"), "-")
	return slices.Contains([]string{"locks", "rlocks", "upgrades", "downgrades", "sections"}, kind)
}

// TestProfileExact has one worker go through the laps whose exact counts are in testdata: the profile must have counted the same acquisitions, by class
// and mode, and none of them waited.
func TestProfileExact(t *testing.T) {
	text, err := os.ReadFile("testdata/exact.txt")
	if err != nil {
		t.Fatal(err)
	}
	results, _ := parsed(t, text)
	if len(results) < len(pcbinfo.Schemes) {
		t.Fatalf("%d lines of exact counts for %d schemes", len(results), len(pcbinfo.Schemes))
	}
	for _, res := range results {
		got := profiledLaps(t, counted(t, res))
		for _, val := range res.Values {
			if ofLocks(val.Unit) && math.Abs(got[val.Unit]-val.Value) > 1e-12 {
				t.Errorf("%s: %v %s, exact is %v", res.Name, got[val.Unit], val.Unit, val.Value)
			}
			delete(got, val.Unit)
		}
		for unit, n := range got {
			t.Errorf("%s: %v %s, which are none", res.Name, n, unit)
		}
	}
}

// profiledLaps is what a profile counts of two laps, a segment.
func profiledLaps(t *testing.T, v *variant) map[string]float64 {
	t.Helper()
	defer witness.Reset()
	witness.Reset()
	b := &bench{clock: machine.NewClock()}
	r, s, err := b.open(v, 1, Timing{})
	if err != nil {
		t.Fatal(err)
	}
	witness.StartProfile(b.clock.Now)
	counts, err := r.count(2)
	witness.StopProfile()
	if err != nil {
		t.Fatal(err)
	}
	for _, site := range witness.Profile() {
		if site.Waited != 0 || site.Wait != 0 || site.Blocked != 0 || site.Held <= 0 || site.Name == "" {
			t.Errorf("%s: one worker alone: %+v", v.name(), site)
		}
	}
	if err := r.check(s); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	counts.values(func(u unit, n float64) {
		if n > 0 && ofLocks(u.name) {
			got[u.name] = n
		}
	})
	return got
}

// TestProfileCollisions has connections wait for a walker that holds their group, and compares the profile with the scheme's own counters, which it keeps by
// a try before each wait: acquisitions, and those that were not satisfied at once.
func TestProfileCollisions(t *testing.T) {
	defer witness.Reset()
	witness.Reset()
	sp, err := pcbinfo.ParseSpec("connp:groups=1")
	if err != nil {
		t.Fatal(err)
	}
	in, err := sp.New(pcbinfo.Config{CPUs: 1, Conns: 64})
	if err != nil {
		t.Fatal(err)
	}
	inc := pcbinfo.ConnInfo{Laddr: pcbinfo.AddrFrom(netip.MustParseAddr("10.0.0.1")), Faddr: pcbinfo.AddrFrom(netip.MustParseAddr("10.0.0.2")), Fport: 80}
	connect := func(port int) {
		inc.Lport = uint16(port)
		if _, err := in.CPU(0).Connect(&inc); err != nil {
			t.Error(err)
		}
	}
	connect(1024)
	before := in.Counters()
	var clock atomic.Int64
	witness.StartProfile(func() int64 { return clock.Add(1) })
	const walks = 5
	for i := range walks {
		connect(2000 + i) // finds the group free
		var wg sync.WaitGroup
		in.Walk(func(*pcbinfo.Xinpcb) bool {
			held := clock.Load()
			wg.Go(func() { connect(3000 + i) })
			for clock.Load() == held { // who is refused looks at the clock
				runtime.Gosched()
			}
			return false
		})
		wg.Wait()
	}
	witness.StopProfile()
	own := since(in.Counters(), before)
	acquired, collided := own[0].Value, own[1].Value
	if acquired != 2*walks || collided != walks {
		t.Errorf("the scheme counted %v", own)
	}
	classes := Classes(witness.Profile())
	i := slices.IndexFunc(classes, func(c Class) bool { return c.Name == "group" })
	if i < 0 {
		t.Fatalf("no group was locked: %+v", classes)
	}
	if c := classes[i]; c.Count != acquired+2*walks || c.Waited != collided || c.Blocked != collided || c.Contended() != 0.25 {
		t.Errorf("profiled %+v; the scheme counted %v, and each walk takes the group twice", c, own)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestProfileTicks compares what is recorded with what the witness has, which is in ticks.
func TestProfileTicks(t *testing.T) {
	defer witness.Reset()
	witness.Reset()
	b := &bench{clock: machine.NewClock()}
	var clock atomic.Int64
	witness.StartProfile(func() int64 { return clock.Add(1_000_000) })
	var l locks.Mtx
	l.Lock(nil)
	var wg sync.WaitGroup
	held := clock.Load()
	wg.Go(func() {
		l.Lock(nil)
		l.Unlock(nil)
	})
	for clock.Load() == held {
		runtime.Gosched()
	}
	l.Unlock(nil)
	wg.Wait()
	witness.StopProfile()
	raw, got := witness.Profile(), b.recorded(1).Sites
	for i, s := range raw {
		for _, d := range []*int64{&s.Held, &s.MaxHeld, &s.Wait, &s.MaxWait} {
			*d = int64(b.clock.NS(*d))
		}
		if got[i] != s {
			t.Errorf("recorded %+v, want %+v", got[i], s)
		}
	}
	if len(raw) != 2 {
		t.Errorf("%d sites", len(raw))
	}
}

// TestProfileSample profiles samples with more workers than CPUs: sites and classes are the same sums, whoever waited was refused by somebody's hold, and
// the file can be read.
func TestProfileSample(t *testing.T) {
	dir := t.TempDir()
	es := []Experiment{}
	for _, scheme := range []string{"global", "refcount", "connp:groups=2", "smr"} {
		es = append(es, Experiment{Scheme: scheme, Pin: PinNone, Work: 500, Workload: workloads.Params{Mix: "churn", Conns: 64, Workers: 3}})
	}
	if err := ValidateProfile(es); err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	path, list, err := Profile(t.Context(), ProfileOptions{Experiments: es, Rounds: 2, Timing: Timing{Warm: time.Millisecond, Measure: 10 * time.Millisecond}, Seed: 1, Dir: dir, Stderr: &errs})
	if err != nil || len(list) != len(es) {
		t.Fatalf("%d profiles, %v", len(list), err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	results, _ := parsed(t, text)
	lines := 0
	for _, p := range list {
		for _, lp := range p.Samples {
			var sum, classes witness.Times
			for _, s := range lp.Sites {
				sane(t, p.Name, &s)
				if s.Act != witness.Upgraded && s.Act != witness.Downgraded {
					sum.Count += s.Count
				}
				sum.Held, sum.Wait, sum.Waited, sum.Blocked = sum.Held+s.Held, sum.Wait+s.Wait, sum.Waited+s.Waited, sum.Blocked+s.Blocked
			}
			for _, c := range Classes(lp.Sites) {
				lines++
				c.MaxHeld, c.MaxWait = 0, 0
				classes.Add(c.Times)
			}
			if sum != classes || sum.Count == 0 {
				t.Errorf("%s: sites are %+v, classes %+v", p.Name, sum, classes)
			}
		}
	}
	if len(results) != lines || !strings.Contains(string(text), "\nprofiled: locks\n") || strings.Count(string(text), " wait_total ") != 2*len(list) {
		t.Errorf("%d lines for %d classes:\n%s", len(results), lines, text)
	}
}

// sane holds a site to what is true of any.
func sane(t *testing.T, name string, s *witness.Site) {
	t.Helper()
	if s.Waited > s.Count || s.MaxWait > s.Wait || s.MaxHeld > s.Held || s.Waited == 0 && s.Wait != 0 || !strings.Contains(s.Name, ".go:") || s.Class == "" && s.Act != witness.Entered {
		t.Errorf("%s: %+v", name, s)
	}
}
