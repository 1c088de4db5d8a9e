//go:build count

package harness

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

var update = flag.Bool("update", false, "write testdata/exact.txt anew")

// few is an experiment that takes a few milliseconds to count.
func few(scheme, mix string) Experiment {
	return Experiment{Scheme: scheme, Workload: workloads.Params{Mix: mix, Conns: 64, Workers: 1}}
}

// counted are the lines of es.
func counted(t *testing.T, laps int, es ...Experiment) string {
	t.Helper()
	vs, err := resolveExact(es)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if err := exactLines(t.Context(), vs, ExactOptions{Laps: laps, Seed: 1, Stderr: &errs}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	return out.String()
}

// everyCount is every scheme, with every reclamation, under connections that come and go, with a walker, and behind every dispatch model that can be counted.
func everyCount() (es []Experiment) {
	for _, s := range append(pcbinfo.Names(), "connp:groups=16", "pcbgroup:groups=16", "smr:smr=epoch", "smr:smr=qsbr", "smr:smr=hazard", "smr:smr=refcount", "smr:smr=gc", "smr:lost=retry", "bucket:chain=nulls") {
		es = append(es, few(s, "churn"))
	}
	for _, s := range []string{"global", "refcount", "rwlock", "hashlock", "threelock", "smr"} {
		es = append(es, few(s, "walk"))
	}
	for _, m := range netisr.Models {
		if e := few("owned", "churn"); m.Name != "direct" && m.Name != "feedback" {
			e.Dispatch = m.Name
			es = append(es, e)
		}
	}
	return es
}

// TestExactDigits counts the same again and again, the collector off or always at work, on one processor and on many: the digits must be those in testdata, where
// any build has to find them, also one for the race detector.
func TestExactDigits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	path := filepath.Join("testdata", "exact.txt")
	if *update {
		if err := os.WriteFile(path, []byte(counted(t, 2, everyCount()...)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ gc, procs int }{{1, 7}, {-1, 1}} {
		debug.SetGCPercent(c.gc)
		runtime.GOMAXPROCS(c.procs)
		if sameLines(t, counted(t, 2, everyCount()...), string(want)); probe.Raced { // one is enough there
			return
		}
	}
}

// sameLines shows the first line that differs, and what follows.
func sameLines(t *testing.T, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Fatalf("GOGC %d, GOMAXPROCS %d: line %d is\n%s\nwant\n%s\n(go test -tags count ./harness -run Exact -update accepts new counts)",
				debug.SetGCPercent(100), runtime.GOMAXPROCS(0), i+1, strings.Join(a[min(i, len(a)):], "\n"), strings.Join(b[min(i, len(b)):], "\n"))
		}
	}
}

// An asked table notes what is wanted of it and adds that to its counters.
type asked struct {
	pcbinfo.Info
	segs, sends, others, ticks *uint64
}

type askedCPU struct {
	pcbinfo.CPU
	l asked
}

func newAsked(in pcbinfo.Info) pcbinfo.Info {
	return asked{in, new(uint64), new(uint64), new(uint64), new(uint64)}
}

func (l asked) CPU(cpu int) pcbinfo.CPU { return askedCPU{l.Info.CPU(cpu), l} }

func (l asked) Counters() []pcbinfo.Counter {
	return append(l.Info.Counters(), pcbinfo.Counter{Name: "asked-segs", Value: *l.segs}, pcbinfo.Counter{Name: "asked-sends", Value: *l.sends},
		pcbinfo.Counter{Name: "asked-others", Value: *l.others}, pcbinfo.Counter{Name: "asked-ticks", Value: *l.ticks})
}

func (c askedCPU) Input(segs []*pcbinfo.Segment) {
	*c.l.segs += uint64(len(segs))
	c.CPU.Input(segs)
}

func (c askedCPU) Send(inc *pcbinfo.ConnInfo, n int) error {
	*c.l.sends++
	return c.CPU.Send(inc, n)
}

func (c askedCPU) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	*c.l.others++
	return c.CPU.Connect(inc)
}

func (c askedCPU) Close(inc *pcbinfo.ConnInfo) error {
	*c.l.others++
	return c.CPU.Close(inc)
}

func (c askedCPU) Abort(inc *pcbinfo.ConnInfo) error {
	*c.l.others++
	return c.CPU.Abort(inc)
}

func (c askedCPU) SlowTimo(now uint32) {
	*c.l.ticks++
	c.CPU.SlowTimo(now)
}

// around makes a scheme known under the name "watched", with something put around it, until the end of the test.
func around(t *testing.T, scheme string, put func(pcbinfo.Info) pcbinfo.Info) {
	t.Helper()
	restoreSchemes(t)
	sp, err := pcbinfo.ParseSpec(scheme)
	if err != nil {
		t.Fatal(err)
	}
	s := sp.Scheme
	s.Name = "watched"
	s.New = func(cfg pcbinfo.Config) (pcbinfo.Info, error) {
		in, err := sp.Scheme.New(cfg)
		if err != nil {
			return nil, err
		}
		return put(in), nil
	}
	pcbinfo.Schemes = append(slices.Clip(pcbinfo.Schemes), s)
}

// totals are what was counted of one experiment, by metric without "/seg", and not divided.
func totals(t *testing.T, laps int, e Experiment) map[string]uint64 {
	t.Helper()
	results, _ := parsed(t, []byte(counted(t, laps, e)))
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	sum := map[string]uint64{}
	for _, v := range results[0].Values {
		name, perSeg := strings.CutSuffix(v.Unit, "/seg")
		n := v.Value
		if perSeg {
			n *= float64(results[0].Iters)
		}
		if name != "allocs" && math.Abs(n-math.Round(n)) > 1e-6 {
			t.Errorf("%s: %v of them in %d segments: digits are lost", v.Unit, n, results[0].Iters)
		}
		sum[name] = uint64(math.Round(n))
	}
	return sum
}

// TestExactProtocol compares what was counted with what each scheme's protocol says it takes for what was asked of it.
func TestExactProtocol(t *testing.T) {
	for _, c := range []struct {
		scheme string
		mixes  []string
		want   func(n map[string]uint64) map[string]uint64 // by metric
	}{
		// Nothing is touched where there is no table.
		{"null", []string{"bulk", "churn", "rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks": 0, "rmw": 0, "stores": 0, "waits": 0}
		}},
		// Without locks a table is written where connections come and go, and nowhere else.
		{"unsync", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks": 0, "rmw": 0, "stores": 0}
		}},
		{"unsync", []string{"bulk", "churn"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks": n["locks-zone.mu"], "rmw": 2 * n["locks-zone.mu"]}
		}},
		// One tcbinfo for each segment, each request, each scan; a lock costs two read-modify-writes, one to take it and one to let go.
		{"global", []string{"bulk", "churn", "rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks-tcbinfo": n["asked-segs"] + n["asked-sends"] + n["asked-others"] + n["asked-ticks"], "rmw": 2 * n["locks"]}
		}},
		// tcbinfo shared for each segment and each send, once more exclusively for what changes the table and cannot upgrade.
		{"refcount", []string{"bulk", "churn", "rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"rlocks-tcbinfo": n["asked-segs"] + n["asked-sends"], "locks-tcbinfo": n["reacquired"] + n["asked-others"] + n["asked-ticks"],
				"upgrades-tcbinfo": n["upgraded"]}
		}},
		// And where nothing comes and goes, beside two locks a reference taken and given back: half as many read-modify-writes again.
		{"refcount", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"rmw": 2*n["locks"] + 2*(n["asked-segs"]+n["asked-sends"])}
		}},
		// tcbinfo once for each segment, shared or exclusively; for each send, which takes a reference besides, shared.
		{"rwlock", []string{"bulk", "churn", "rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"rlocks-tcbinfo": n["read-locked"] + n["upgraded"] + n["asked-sends"], "upgrades-tcbinfo": n["upgraded"],
				"locks-tcbinfo": n["asked-segs"] + n["asked-others"] + n["asked-ticks"] - n["read-locked"] - n["upgraded"]}
		}},
		{"rwlock", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"rmw": 2*n["locks"] + 2*n["asked-sends"], "upgraded": 0}
		}},
		// hashLock shared, a reference and the inpcb's lock for each segment and each send; tcbinfo for scans only, and in threelock not even for these.
		{"hashlock", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"rlocks-hashLock": n["asked-segs"] + n["asked-sends"], "locks-hashLock": 0, "locks-tcbinfo": n["asked-ticks"],
				"locks-inpcb": n["asked-segs"] + n["asked-sends"], "rmw": 2*n["locks"] + 2*(n["asked-segs"]+n["asked-sends"])}
		}},
		{"threelock", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"rlocks-hashLock": n["asked-segs"] + n["asked-sends"], "locks-hashLock": 0, "rlocks-tcbinfo": 0, "rlocks-twLock": n["asked-ticks"],
				"locks-inpcb": n["asked-segs"] + n["asked-sends"], "rmw": 2*n["locks"] + 2*(n["asked-segs"]+n["asked-sends"])}
		}},
		// The group's lock alone; a scan takes all 64.
		{"connp", []string{"bulk", "rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks": n["group-locks"] + 64*n["asked-ticks"] + n["locks-zone.mu"], "group-collisions": 0, "rmw": 2 * n["locks"]}
		}},
		// A lookup takes no lock: the inpcb's own is all that a segment or a send needs, and a scan twLock.
		{"smr", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks-inpcb": n["asked-segs"] + n["asked-sends"], "locks-hashLock": 0, "locks-listLock": 0,
				"locks": n["asked-segs"] + n["asked-sends"] + n["asked-ticks"], "rmw": 2 * n["locks"], "slow": 0, "waited": 0}
		}},
		// The group's lock and the inpcb's, and a reference from the one to the other; a scan takes tcbinfo.
		{"pcbgroup", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			lookups := n["asked-segs"] + n["asked-sends"]
			return map[string]uint64{"locks-pcbgroup": lookups, "locks-inpcb": lookups, "locks-tcbinfo": n["asked-ticks"], "locks-hashLock": 0,
				"rmw": 2*n["locks"] + 2*lookups, "read-path": n["asked-segs"], "migrations": 0}
		}},
		// Where connections come and go, tcbinfo once for what has SYN, FIN or RST, and for what is not in ESTABLISHED, each user's request but a send, and
		// each scan; all groups, of which one CPU has one, twice for a connect.
		{"pcbgroup", []string{"churn"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks-tcbinfo": n["asked-segs"] - n["read-path"] + n["asked-others"] + n["asked-ticks"],
				"locks-pcbgroup": n["group-locks"] + 2*n["migrations"], "reacquired": 0, "gone": 0, "lost-race": 0, "bound": 0}
		}},
		// As smr, for what neither comes nor goes.
		{"epoch", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks-inpcb": n["asked-segs"] + n["asked-sends"], "locks-tcbinfo": 0, "locks-hashLock": 0, "locks-listLock": 0,
				"locks": n["asked-segs"] + n["asked-sends"] + n["asked-ticks"], "rmw": 2 * n["locks"], "slow": 0, "waited": 0}
		}},
		// As smr, and nothing that all share where connections come and go: a scan takes every CPU's twLock and the table's own.
		{"bucket", []string{"rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks-inpcb": n["asked-segs"] + n["asked-sends"], "locks-ebucket": 0, "locks-wbucket": 0,
				"locks": n["asked-segs"] + n["asked-sends"] + 2*n["asked-ticks"], "rmw": 2 * n["locks"], "slow": 0, "waited": 0}
		}},
		{"bucket", []string{"bulk", "churn"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"bucket-locks": n["locks-ebucket"] + n["locks-wbucket"], "bucket-collisions": 0,
				"locks": n["locks-inpcb"] + n["rlocks-inpcb"] + n["bucket-locks"] + n["locks-twLock"] + n["locks-syncache-bucket"] + n["locks-zone.mu"]}
		}},
		{"owned", []string{"bulk", "churn", "rpc"}, func(n map[string]uint64) map[string]uint64 {
			return map[string]uint64{"locks": n["locks-zone.mu"], "owner-asks": 0}
		}},
	} {
		for _, mix := range c.mixes {
			t.Run(c.scheme+" "+mix, func(t *testing.T) {
				around(t, c.scheme, newAsked)
				n := totals(t, 3, few("watched", mix))
				if n["asked-segs"] == 0 || n["asked-ticks"] != 3*16 {
					t.Fatalf("asked for %v", n)
				}
				for metric, want := range c.want(n) {
					if n[metric] != want {
						t.Errorf("%d %s, want %d; of all: %v", n[metric], metric, want, n)
					}
				}
			})
		}
	}
}

// planted touches shared memory once more for each segment.
type planted struct{ pcbinfo.CPU }

var plantedAt uint64

func (c planted) Input(segs []*pcbinfo.Segment) {
	for range segs {
		probe.RMW(&plantedAt)
	}
	c.CPU.Input(segs)
}

type plantedInfo struct{ pcbinfo.Info }

func (in plantedInfo) CPU(cpu int) pcbinfo.CPU { return planted{in.Info.CPU(cpu)} }

// TestExactSeesAnAtomic plants one, and nothing but one, a segment.
func TestExactSeesAnAtomic(t *testing.T) {
	e := few("global", "churn")
	was := totals(t, 2, e)
	around(t, "global", func(in pcbinfo.Info) pcbinfo.Info { return plantedInfo{in} })
	e.Scheme = "watched"
	is := totals(t, 2, e)
	segs := was["syn"] + was["accept"] + was["connect"] + was["ack"] + was["data"] + was["fin"] + was["rst"]
	for metric, n := range is {
		want := was[metric]
		if metric == "rmw" {
			want += segs
		}
		if n != want {
			t.Errorf("%d %s, want %d", n, metric, want)
		}
	}
}

// TestExactLine holds a line to what benchstat and a gate need: no unit twice, each exact, costs lower is better of.
func TestExactLine(t *testing.T) {
	var text bytes.Buffer
	if err := writeUnits(&text); err != nil {
		t.Fatal(err)
	}
	text.WriteString(counted(t, 1, everyCount()...))
	results, units := parsed(t, text.Bytes())
	if want := len(everyCount()); len(results) != want {
		t.Fatalf("%d results, want %d", len(results), want)
	}
	for _, r := range results {
		var seen []string
		for _, v := range r.Values {
			if slices.Contains(seen, v.Unit) {
				t.Errorf("%s has %s twice", r.Name, v.Unit)
			}
			seen = append(seen, v.Unit)
			if a := units.GetAssumption(v.Unit); a != benchmath.AssumeExact {
				t.Errorf("%s is compared by %T, want exact", v.Unit, a)
			}
		}
		for _, unit := range []string{"locks/seg", "rmw/seg", "stores/seg", "loads/seg", "waits/seg"} {
			if !slices.Contains(seen, unit) || units.GetBetter(unit) != -1 {
				t.Errorf("%s lacks %s, or less of it is no better", r.Name, unit)
			}
		}
		if collects := collects(t, string(r.Name)); slices.Contains(seen, "allocs/seg") == collects {
			t.Errorf("%s: allocs/seg is there: %v", r.Name, !collects)
		}
	}
}

// collects reports whether the scheme in a result's name leaves memory to the collector.
func collects(t *testing.T, name string) bool {
	t.Helper()
	_, rest, _ := strings.Cut(name, "scheme=")
	scheme, _, _ := strings.Cut(rest, "/")
	sp, err := pcbinfo.ParseSpec(scheme)
	if err != nil {
		t.Fatal(err)
	}
	return sp.Collects()
}

// TestExactFile writes a file, in which nothing but the toolchain is configuration.
func TestExactFile(t *testing.T) {
	var errs bytes.Buffer
	path, err := Exact(t.Context(), ExactOptions{Experiments: []Experiment{few("global", "bulk")}, Laps: 1, Seed: 1, Dir: t.TempDir(), Stderr: &errs})
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	if filepath.Base(filepath.Dir(path)) != "exact" {
		t.Errorf("the file is %s", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	results, _ := parsed(t, text)
	if len(results) != 1 || string(results[0].Name) != "Exact/scheme=global/lock=default/dispatch=direct/mix=bulk/conns=64/batch=32" {
		t.Errorf("results %v", names(results))
	}
	if c := results[0].Config; slices.ContainsFunc(c, func(c benchfmt.Config) bool { return c.Key == "cpu" || c.Key == "date" }) {
		t.Errorf("the configuration is %v", c)
	}
}

// TestExactLoses checks that a broken table gets no count.
func TestExactLoses(t *testing.T) {
	restoreSchemes(t)
	breakSchemes()
	for fault := range faults {
		e := few(fault, "churn")
		e.Workload.Conns = 1000 // so many that it comes to be broken
		vs, err := resolveExact([]Experiment{e})
		if err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		err = exactLines(t.Context(), vs, ExactOptions{Laps: 1, Seed: 1, Stderr: &errs}, &out)
		if err == nil || out.Len() > 0 || !strings.HasPrefix(errs.String(), "FAILED Exact/scheme="+fault) {
			t.Errorf("%s: %v\n%s%s", fault, err, &out, &errs)
		}
	}
}

// TestExactRefusals: what is not the same every time is not counted.
func TestExactRefusals(t *testing.T) {
	for says, change := range map[string]func(e *Experiment){
		"workers=2":        func(e *Experiment) { e.Workload.Workers = 2 },
		"roles=split":      func(e *Experiment) { e.Roles = "split" },
		"arrivals=poisson": func(e *Experiment) { e.Arrivals, e.Rate = "poisson", 1e6 },
		"affinity=spray":   func(e *Experiment) { e.Workload.Affinity = workloads.Spray },
		"measured time":    func(e *Experiment) { e.Dispatch = "feedback" },
		"mix walk":         func(e *Experiment) { e.Dispatch, e.Workload.Mix = "squeue", "walk" },
		"unknown scheme":   func(e *Experiment) { e.Scheme = "nothere" },
	} {
		e := few("global", "churn")
		change(&e)
		if err := ValidateExact([]Experiment{few("null", "bulk"), e}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
