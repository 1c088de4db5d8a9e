package lockbench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// newBench has places for that many workers, whatever the machine.
func newBench(t *testing.T, workers int) *Bench {
	t.Helper()
	topo, _ := machine.HostTopology()
	cpus := topo.Order(workers)
	if cpus == nil {
		cpus = make([]int, workers)
	}
	return &Bench{Clock: machine.NewClock(), CPUs: cpus, PerNS: locks.CalibrateDelay()}
}

func TestSelfCheck(t *testing.T) {
	b := newBench(t, 4)
	seed := rand.Uint64()
	for i := range uint64(10) {
		if err := b.SelfCheck(rand.New(rand.NewPCG(seed, i))); err != nil {
			t.Fatalf("seed %d, %d: %v", seed, i, err)
		}
	}
}

// with measures c with locks of make's.
func (b *Bench) with(c Case, make func() locks.Lock) (*Result, error) {
	c = c.withDefaults()
	return b.measure(c, 1, time.Millisecond, 8*time.Millisecond, func(tr *trace, d time.Duration, rng *rand.Rand) (*part, error) {
		spec := c.spec()
		p, err := b.newPart(c, &spec, tr, d, rng)
		if err == nil {
			for i := range p.rooms {
				p.rooms[i].furnish(make(), p.rooms[i].lines)
			}
		}
		return p, err
	})
}

// TestEveryLock measures every policy of every kind, with more workers than CPUs where it takes them, pinned and not, on one processor and on all.
func TestEveryLock(t *testing.T) {
	const workers = 5
	b := newBench(t, workers)
	for _, procs := range []int{runtime.GOMAXPROCS(0), 1} {
		for i, s := range locks.Specs() {
			c := Case{Lock: s.String(), Workers: workers, Critical: 100, Think: 100, Lines: 2, Reads: 50 * (i % 2), Pin: PinNone}
			if i%3 == 0 && runtime.GOOS == "linux" {
				c.Pin = PinCPU
			}
			old := runtime.GOMAXPROCS(procs)
			for c.Refusal() != nil && c.Workers > 1 {
				c.Workers--
			}
			refused := c.Refusal()
			var res *Result
			var err error
			if refused == nil {
				res, err = b.Measure(c, 1, 0, 2*time.Millisecond)
			}
			runtime.GOMAXPROCS(old)
			if refused != nil { // not for this machine
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", c.Name(), err)
			}
			if err := res.checkValues(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A server runs sections in a goroutine of its own.
type server struct {
	locks.Mtx
	jobs  chan job
	ran   *atomic.Uint64
	tries atomic.Uint64
}

type job struct {
	f    func()
	done chan struct{}
}

func newServer(t *testing.T, ran *atomic.Uint64) locks.Lock {
	s := &server{jobs: make(chan job), ran: ran}
	t.Cleanup(func() { close(s.jobs) })
	go func() {
		for j := range s.jobs {
			s.Lock(nil)
			j.f()
			s.Unlock(nil)
			ran.Add(1)
			close(j.done)
		}
	}()
	return s
}

// TryLock refuses every eighth, which goes to Do then: three workers on a busy machine may never meet.
func (s *server) TryLock(n *locks.Node) bool { return s.tries.Add(1)%8 != 0 && s.Mtx.TryLock(n) }

func (s *server) Do(_ *locks.Node, f func()) {
	done := make(chan struct{})
	s.jobs <- job{f, done}
	<-done
}

// TestDelegates: a lock that can run sections for their callers does so with all, those that read too, and a try still goes first.
func TestDelegates(t *testing.T) {
	b := newBench(t, 3)
	for _, c := range []Case{{Workers: 3}, {Workers: 2, Reads: 50, Locks: 2}, {Workers: 3, Try: true}} {
		var ran atomic.Uint64
		c.Lock, c.Pin, c.Lines = "mtx", PinNone, 1
		res, err := b.with(c, func() locks.Lock { return newServer(t, &ran) })
		if err != nil {
			t.Fatal(err)
		}
		if err := res.checkValues(); err != nil {
			t.Error(err)
		}
		if n := ran.Load(); !c.Try && n < res.All() || c.Try && n >= res.All() || n == 0 {
			t.Errorf("%+v: %d sections were delegated, %d measured", c, n, res.All())
		}
	}
}

// A seq is a lock with optimistic readers.
type seq struct {
	mu    sync.Mutex
	n     atomic.Uint64
	begun *atomic.Uint64
}

func (s *seq) Lock(*locks.Node) { s.mu.Lock(); s.n.Add(1) }
func (s *seq) TryLock(*locks.Node) bool {
	if !s.mu.TryLock() {
		return false
	}
	s.n.Add(1)
	return true
}
func (s *seq) Unlock(*locks.Node) { s.n.Add(1); s.mu.Unlock() }
func (s *seq) Begin() uint64 {
	s.begun.Add(1)
	for {
		if n := s.n.Load(); n%2 == 0 {
			return n
		}
		runtime.Gosched()
	}
}
func (s *seq) Retry(n uint64) bool { return s.n.Load() != n }

// TestOptimists: reading sections hold nothing where the lock lets them, are done again when it says so, and are not believed when it does not.
func TestOptimists(t *testing.T) {
	b := newBench(t, 3)
	for _, reads := range []int{0, 50, 100} {
		var begun atomic.Uint64
		c := Case{Lock: "mutex", Workers: 3, Critical: 200, Lines: 2, Reads: reads, Pin: PinNone}
		res, err := b.with(c, func() locks.Lock { return &seq{begun: &begun} })
		if err != nil {
			t.Fatal(err)
		}
		if err := res.checkValues(); err != nil {
			t.Error(err)
		}
		if least := res.All() * uint64(reads) / 200; begun.Load() < least || reads == 0 && begun.Load() > 0 {
			t.Errorf("reads=%d: %d optimistic reads in %d sections", reads, begun.Load(), res.All())
		}
	}
	c := Case{Lock: "mutex", Workers: 3, Critical: 1000, Lines: 2, Reads: 50, Pin: PinNone}
	res, err := b.refused(c, func() locks.Lock { return &trusting{seq{begun: new(atomic.Uint64)}} })
	if res != nil || oracle.Of(err) != oracle.Exclusion {
		t.Errorf("readers that never retry have the result %v and the error %v", res, err)
	}
}

// refused measures a faulty lock until its sample is refused, 20 times at the most: on few CPUs workers may take turns all the same. Goroutines of one thread
// would only take turns.
func (b *Bench) refused(c Case, make func() locks.Lock) (res *Result, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	for range 20 {
		if res, err = b.with(c, make); err != nil {
			break
		}
	}
	return res, err
}

// A trusting seq never has anybody read again.
type trusting struct{ seq }

func (s *trusting) Begin() uint64     { runtime.Gosched(); return 0 }
func (s *trusting) Retry(uint64) bool { return false }
func (s *trusting) Lock(n *locks.Node) {
	s.seq.Lock(n)
	runtime.Gosched()
}

// TestRetries: how many reads were done again is told of all locks that have such, where nobody read, of none, and where none was, as 0.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		counts
		told bool
	}{{counts{sections: 8, optimist: true}, true}, {counts{sections: 8, writes: 8, optimist: true}, false}, {counts{sections: 8}, false}} {
		r := Result{Case: Case{Lock: "mutex", Workers: 1}, Plain: c.counts, clock: machine.NewClock()}
		r.Waits, r.HandOffs = hdrhistogram.New(1, maxTicks, 2), hdrhistogram.New(1, maxTicks, 2)
		told := false
		r.Values(func(unit string, v float64) { told = told || unit == "retries/read" && v == 0 })
		if told != c.told {
			t.Errorf("%+v: told %v", c.counts, told)
		}
	}
}

// TestOwnLines: what workers write at each section lies on no line of another's.
func TestOwnLines(t *testing.T) {
	for _, n := range []int{1, 3} {
		p, err := newBench(t, 8).newPart(Case{Lock: "mutex", Workers: 8, Pin: PinNone, Locks: n, Uneven: 1}, nil, nil, time.Millisecond, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		owner := map[uintptr]int{}
		for i := range p.workers {
			w := &p.workers[i]
			for _, list := range [][]uint64{w.wrote, w.prev, w.streak} {
				for j := range list {
					line := uintptr(unsafe.Pointer(&list[j])) / locks.LinePad
					if other, ok := owner[line]; ok && other != i {
						t.Fatalf("%d locks: workers %d and %d share a line", n, other, i)
					}
					owner[line] = i
				}
			}
		}
	}
}

// TestEnd: the measured time is over for all, even if who ended it has not said so.
func TestEnd(t *testing.T) {
	p := &part{clock: machine.NewClock()}
	p.phase.Store(measuring)
	p.ended.Store(5)
	if p.end(); p.phase.Load() != over || p.ended.Load() != 5 {
		t.Errorf("phase %d, ended at %d", p.phase.Load(), p.ended.Load())
	}
}

// TestWatched: setting up is not looked at.
func TestWatched(t *testing.T) {
	b := newBench(t, 2)
	noise := machine.NewNoise(b.CPUs)
	b.Noise = &noise
	const idle, measured = 50 * time.Millisecond, 8 * time.Millisecond
	c := Case{Lock: "mutex", Workers: 2, Pin: PinNone}.withDefaults()
	spec, began := c.spec(), time.Now()
	res, err := b.measure(c, 1, 0, measured, func(tr *trace, d time.Duration, rng *rand.Rand) (*part, error) {
		time.Sleep(idle)
		return b.newPart(c, &spec, tr, d, rng)
	})
	if err != nil {
		t.Fatal(err)
	}
	// A full trace ends the stamped part early.
	if most := time.Since(began) - 2*idle; res.Watched > most || res.Watched < measured*(floorShare+plainShare)/8 {
		t.Errorf("watched for %v of %v", res.Watched, most)
	}
	if all, locked := res.Noise.CPU, res.Locked.CPU; all.Known && locked.N > all.N {
		t.Errorf("CPU time %v, with the lock %v", all, locked)
	}
}

// TestUneven: the floor's sections are weighed as those with the lock, not as many as each worker had of them without.
func TestUneven(t *testing.T) {
	floor := counts{wall: 300, sections: 400, each: []float64{300, 100}} // 1 and 3 ns
	for _, c := range []struct {
		uneven float64
		places int
		each   []float64
		want   float64
	}{{3, 2, []float64{50, 50}, 2}, {3, 2, []float64{75, 25}, 1.5}, {3, 1, []float64{50, 50}, 0}, {1, 2, []float64{50, 50}, 1.5}} {
		r := Result{Case: Case{Workers: 2, Uneven: c.uneven}, Places: c.places, Plain: counts{sections: 100, each: c.each}}
		if got := r.floor(&floor); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: floor %v", c, got)
		}
	}
	r := Result{Case: Case{Workers: 2, Uneven: 3}, Places: 2, Plain: counts{sections: 100, each: []float64{50, 50}}}
	if got := r.floor(&counts{wall: 300, sections: 300, each: []float64{300, 0}}); got != 0 {
		t.Errorf("floor %v, where a worker had no section of it", got)
	}
}

// TestStreaks has the runtime's figures of an order that can be seen through: AAAB BBBB A, then B again and again.
func TestStreaks(t *testing.T) {
	a, b := newCapture(1), newCapture(1)
	for _, ours := range []uint64{1, 2, 3, 9} {
		a.note(0, ours)
	}
	for ours := uint64(4); ours <= 24; ours++ {
		if ours != 9 {
			b.note(0, ours)
		}
	}
	a.finish()
	b.finish()
	a.streaks.add(&b.streaks)
	a.starves.add(&b.starves)
	// Streaks of 3, 5, 1 and 15, which count as 2, 4, 1 and 8; gaps of 5 (A) and of 3 and 1 (B), which count as 4, 2 and 1.
	for _, c := range []struct {
		of   *tallies
		p    float64
		want float64
	}{{&a.streaks, 1, 8}, {&a.streaks, 0.5, 8}, {&a.streaks, 0.4, 4}, {&a.streaks, 0.1, 2}, {&a.starves, 1, 4}, {&a.starves, 0.4, 2}, {&a.starves, 0.1, 1}, {new(tallies), 1, 0}} {
		if got := c.of.percentile(c.p); got != c.want {
			t.Errorf("%v of %v is up to %v, want %v", c.p, *c.of, got, c.want)
		}
	}
	if a.streaks.most != 15 || a.starves.most != 5 {
		t.Errorf("the longest streak is %d, the longest gap %d", a.streaks.most, a.starves.most)
	}
	// What came before the measured time is no streak, but where starvation begins.
	c := newCapture(2)
	c.skip(0, 7)
	c.note(1, 1)
	c.note(0, 12)
	c.finish()
	if c.streaks.percentile(1) != 1 || c.starves.percentile(1) != 4 {
		t.Errorf("streaks %v, starves %v", c.streaks, c.starves)
	}
}

func TestJain(t *testing.T) {
	for _, c := range []struct {
		shares []float64
		want   float64
	}{{[]float64{5, 5, 5, 5}, 1}, {[]float64{7, 0, 0, 0}, 0.25}, {[]float64{1, 2, 3}, 36.0 / 42}, {[]float64{3}, 1}, {[]float64{0, 0}, 0}} {
		if got := jain(c.shares); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", c.shares, got, c.want)
		}
	}
}

// written is a trace of events of two workers within 0 to 100.
func written(events [2][]event) *trace {
	t := newTrace(8 * chunkEvents)
	t.reset(2)
	t.from, t.ended = 0, 100
	for i, list := range events {
		p := t.newPen(i)
		for _, e := range list {
			p.log(e)
		}
		p.lift()
	}
	return t
}

// TestWindows: who takes turns is fair in each window, who takes blocks is not, and both are in the long run.
func TestWindows(t *testing.T) {
	var turns, blocks []entry
	for i := range 64 {
		turns = append(turns, entry{int64(i), i % 2})
		blocks = append(blocks, entry{int64(i), i / 16 % 2})
	}
	for _, c := range []struct {
		list        []entry
		size        int
		want, times float64
	}{{turns, 16, 1, 4}, {blocks, 16, 0.5, 4}, {blocks, 32, 1, 2}, {blocks, 24, 0.9, 2}, {turns, 65, 0, 0}} { // 24: 16 and 8, then 8 and 16, and the rest in none
		if m := byCount(c.list, 2, c.size); m.n != c.times || math.Abs(m.value()-c.want) > 1e-12 {
			t.Errorf("windows of %d: %v of %v, want %v of %v", c.size, m.value(), m.n, c.want, c.times)
		}
	}
	if m := byTime(blocks, 2, 16, 64); m.n != 4 || m.value() != 0.5 {
		t.Errorf("windows of 16 ticks: %v of %v", m.value(), m.n)
	}
	if m := byTime(append(blocks[:20:20], entry{99, 0}), 2, 10, 100); m.n != 3 { // 0 to 9, 10 to 19, 90 to 99
		t.Errorf("%v windows in which anybody got in", m.n)
	}
}

// TestTogether: all run from the last one's first section to the first one's last.
func TestTogether(t *testing.T) {
	at := func(acquired, released int64) event {
		return event{arrived: acquired, acquired: acquired, released: released}
	}
	for _, c := range []struct {
		events [2][]event
		want   float64
	}{
		{[2][]event{{at(0, 10), at(95, 100)}, {at(20, 30), at(85, 90)}}, 0.7},
		{[2][]event{{at(0, 10)}, {at(20, 30)}}, 0},
		{[2][]event{{at(0, 10), at(90, 100)}, nil}, 0},
		{[2][]event{{at(-20, -10), at(0, 10), at(95, 300)}, {at(0, 100)}}, 1},
		{[2][]event{{at(0, 10), at(101, 110)}, {at(0, 10), at(90, 100)}}, 0.1},
	} {
		if got := written(c.events).together(); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", c.events, got, c.want)
		}
	}
	if got, want := written([2][]event{{at(0, 30)}, {at(40, 50), at(200, 300)}}).holds(), jain([]float64{30, 10}); got != want {
		t.Errorf("holds %v, want %v", got, want)
	}
}

// TestFullTrace: what is logged when there is no more room ends the part, and who waits has room to say so.
func TestFullTrace(t *testing.T) {
	tr := newTrace(3 * chunkEvents)
	tr.reset(2)
	pens := []pen{tr.newPen(0), tr.newPen(1)}
	logged := 0
	for pens[0].log(event{acquired: 1}) {
		logged++
	}
	if logged != 2*chunkEvents || !pens[1].log(event{acquired: 2}) {
		t.Errorf("%d events logged", logged)
	}
	pens[0].lift()
	pens[1].lift()
	n := [2]int{}
	tr.each(func(w int, e *event) {
		if e.acquired != int64(w+1) {
			t.Fatalf("worker %d has %v", w, *e)
		}
		n[w]++
	})
	if n != [2]int{logged, 1} {
		t.Errorf("%v events", n)
	}
}

// TestNoAllocation: what is measured is not the collector.
func TestNoAllocation(t *testing.T) {
	const setup = 3000 // three parts of workers, locks, plans and histograms
	b := newBench(t, 2)
	b.trace = newTrace(traceEvents)
	for _, s := range locks.Specs() {
		c := Case{Lock: s.String(), Workers: 2, Lines: 1, Reads: 50, Pin: PinNone}
		if c.Refusal() != nil {
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res, err := b.Measure(c, 1, 0, 4*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n > setup+res.All()/100 {
			t.Errorf("%s: %d allocations in %d sections", c.Name(), n, res.All())
		}
	}
}

// TestCases: the product of all lists, without what locks refuse, which is told.
func TestCases(t *testing.T) {
	old := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(old)
	cs, skipped, err := Matrix{CPUs: 2}.Cases()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, c := range cs {
		names[c.Name()] = true
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, s := range locks.Specs() {
		for _, workers := range []int{1, 2, 8} {
			c := Case{Lock: s.String(), Workers: workers, Critical: DefaultCritical, Think: DefaultThink, Lines: 1}
			told := slices.ContainsFunc(skipped, func(line string) bool {
				return strings.HasPrefix(line, fmt.Sprintf("lock=%s/policy=%v workers=%d: ", s.Kind().Name, s.Policy(), workers))
			})
			if names[c.Name()] == told {
				t.Errorf("%s: measured %v, told to be left out %v", c.Name(), names[c.Name()], told)
			}
		}
	}
	few, _, err := Matrix{CPUs: 2, FirstOnly: true, FewWorkers: true, Locks: []string{"all"}, Reads: []int{0, 90}, LocksN: []int{1, 64}, Unevens: []float64{1, 2.5}, Pins: []string{PinNone}}.Cases()
	if want := len(locks.Kinds) * 2 * 2 * 2 * 2; err != nil || len(few) > want || len(few) < want/2 {
		t.Errorf("%d cases, want about %d: %v", len(few), want, err)
	}
	want := "Locks/lock=mcs/policy=spin-park/workers=8/critical=1/think=2/lines=3/reads=4/pin=none/locks=5/uneven=2.5/try=1"
	if got := (Case{Lock: "mcs:spin-park", Workers: 8, Critical: 1, Think: 2, Lines: 3, Reads: 4, Pin: PinNone, Locks: 5, Uneven: 2.5, Try: true}).Name(); got != want {
		t.Errorf("name %s, want %s", got, want)
	}
	if got := Subjects([]Case{{Lock: "mcs"}, {Lock: "mcs:spin"}}); !slices.Equal(got, []string{"lock mcs", "lock mcs:spin", "harness"}) {
		t.Errorf("subjects %v", got)
	}
	if _, _, err := (Matrix{Locks: []string{"mcs:spin"}, Workers: []int{3}}).Cases(); err == nil || !strings.Contains(err.Error(), "3 workers would spin on 2 CPUs") {
		t.Errorf("nothing to measure is told as %v", err)
	}
}

func TestBadCases(t *testing.T) {
	good := Case{Lock: "mcs", Workers: 1}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*Case){
		"unknown lock \"mmcs\"": func(c *Case) { c.Lock = "mmcs" },
		"workers=0":             func(c *Case) { c.Workers = 0 },
		"critical=-1":           func(c *Case) { c.Critical = -1 },
		"think=1000001":         func(c *Case) { c.Think = 1_000_001 },
		"lines=65":              func(c *Case) { c.Lines = 65 },
		"reads=101":             func(c *Case) { c.Reads = 101 },
		"locks=1025":            func(c *Case) { c.Locks = 1025 },
		"uneven=0.5":            func(c *Case) { c.Uneven = 0.5 },
		"uneven=NaN":            func(c *Case) { c.Uneven = math.NaN() },
		"unknown pin \"core\"":  func(c *Case) { c.Pin = "core" },
		"MiB":                   func(c *Case) { c.Workers, c.Locks, c.Lines = 4096, 1024, 64 },
	} {
		c := good
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v is refused with %v, want %s", c, err, says)
		}
	}
}

// TestUnpinnable: a CPU that there is not ends the sample, and says what to do.
func TestUnpinnable(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("threads cannot be pinned on " + runtime.GOOS)
	}
	b := newBench(t, 2)
	b.CPUs[1] = 1 << 15
	res, err := b.Measure(Case{Lock: "mtx", Workers: 2}, 1, 0, time.Millisecond)
	if res != nil || err == nil || !strings.Contains(err.Error(), "worker 1: ") || !strings.Contains(err.Error(), "-pin none") {
		t.Errorf("result %v, error %v", res, err)
	}
}

// A jealous lock lets one worker in only, as long as there is anything to be had.
type jealous struct {
	locks.Mtx
	p     *part
	first atomic.Pointer[locks.Node]
}

func (l *jealous) Lock(n *locks.Node) {
	for !l.first.CompareAndSwap(nil, n) && l.first.Load() != n && l.p.phase.Load() != over {
		runtime.Gosched()
	}
	l.Mtx.Lock(n)
}

// TestStarved: a lock that does not let a worker in is given up.
func TestStarved(t *testing.T) {
	c := Case{Lock: "mtx", Workers: 2, Pin: PinNone}.withDefaults()
	spec := c.spec()
	p, err := newBench(t, 2).newPart(c, &spec, nil, time.Millisecond, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	p.patience = 50 * time.Millisecond
	p.rooms[0].lock = &jealous{p: p}
	if err := p.run(0); oracle.Of(err) != oracle.Progress || !strings.Contains(err.Error(), "1 of 2 workers did not get in") {
		t.Errorf("error %v", err)
	}
}

// TestReport: the tables have every lock in the order of throughput, only figures that there are, and say what was disturbed or short.
func TestReport(t *testing.T) {
	rec := func(lock string, workers int, disturbed bool, rate, full float64) Record {
		return Record{Name: Case{Lock: lock, Workers: workers}.Name(), Disturbed: disturbed, Values: map[string]float64{"locks/s": rate, "full": full, "jain": 0.5}}
	}
	var b strings.Builder
	err := Report(&b, []Record{rec("mcs", 2, false, 2e6, 1), rec("mcs", 2, true, 9e6, 0), rec("mtx", 2, false, 3e6, 0.5), rec("ticket", 2, true, 1500, 1), rec("mtx", 1, false, 30, 1)})
	if err != nil {
		t.Fatal(err)
	}
	out := b.String()
	last := 0
	for _, text := range []string{"== workers=1,", "mtx spin-park", "  30\n", "== workers=2,", "Throughput", "mtx spin-park", "3M", "mcs spin-yield", "2M", "ticket spin-yield ~", "1.5k",
		"Fairness", "mtx spin-park", "0.500", "0.50*", "mcs spin-yield", "1.00 ", "2 of 5 samples were disturbed"} {
		i := strings.Index(out[last:], text)
		if i < 0 {
			t.Fatalf("no %q after %q in\n%s", text, out[:last], out)
		}
		last += i + len(text)
	}
	if strings.Contains(out, "contended") || strings.Contains(out, "NaN") || strings.Contains(out, "9M") {
		t.Errorf("figures that there are not:\n%s", out)
	}
	for v, want := range map[float64]string{0: "0ns", 999.4: "999ns", 999.6: "1µs", 12_345: "12.3µs", 999_600: "1ms", 2.5e6: "2.5ms"} {
		if got := duration(v); got != want {
			t.Errorf("%v ns is shown as %s, want %s", v, got, want)
		}
	}
}
