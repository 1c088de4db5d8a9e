package harness

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// knownNames are what an error about an unknown name must list.
func knownNames() (schemes, mixes, specs, models []string) {
	for _, m := range workloads.Mixes {
		mixes = append(mixes, m.Name)
	}
	for _, s := range locks.Specs() {
		specs = append(specs, s.Kind().Name+":"+s.Policy().String())
	}
	for _, m := range netisr.Models {
		models = append(models, m.Name)
	}
	return pcbinfo.Names(), mixes, specs, models
}

func TestRefusals(t *testing.T) {
	schemes, mixes, specs, models := knownNames()
	tooMany := runtime.GOMAXPROCS(0) + 1
	for name, c := range map[string]struct {
		change func(*Experiment)
		says   []string
	}{
		"scheme":            {func(e *Experiment) { e.Scheme = "nothere" }, slices.Concat(schemes, []string{`"nothere"`})},
		"option":            {func(e *Experiment) { e.Scheme = "connp:smr=gc" }, []string{"connp", "smr", "groups"}},
		"mix":               {func(e *Experiment) { e.Workload.Mix = "nothere" }, slices.Concat(mixes, []string{`"nothere"`})},
		"lock":              {func(e *Experiment) { e.Lock = "nothere" }, slices.Concat(specs, []string{`"nothere"`})},
		"policy":            {func(e *Experiment) { e.Lock = "mtx:spin" }, slices.Concat(specs, []string{`"mtx:spin"`})},
		"dispatch":          {func(e *Experiment) { e.Dispatch = "nothere" }, slices.Concat(models, []string{`"nothere"`})},
		"dispatch's option": {func(e *Experiment) { e.Dispatch = "hybrid:nothere=1" }, []string{"hybrid", `"nothere"`, "policy", "qlimit"}},
		"direct's policy":   {func(e *Experiment) { e.Dispatch = "direct:policy=flow" }, []string{"direct", `"policy"`, "qlimit"}},
		"dispatch's policy": {func(e *Experiment) { e.Dispatch = "netisr2:policy=nothere" }, []string{`"nothere"`, "source", "flow", "cpu"}},
		"queue limit":       {func(e *Experiment) { e.Dispatch = "netisr2:qlimit=0" }, []string{`qlimit="0"`, "1 to 10240"}},
		"no number":         {func(e *Experiment) { e.Dispatch = "netisr2:qlimit" }, []string{`qlimit=""`, "1 to 10240"}},
		"roles":             {func(e *Experiment) { e.Roles = "nothere" }, []string{`"nothere"`, "all", "netisr", "user", "split"}},
		"pin":               {func(e *Experiment) { e.Pin = "nothere" }, []string{`"nothere"`, PinCPU, PinNone}},
		"unsync":            {func(e *Experiment) { e.Scheme, e.Workload.Workers = "unsync", 2 }, []string{"unsync", "1 worker", "not for 2", "-force"}},
		"owned":             {func(e *Experiment) { e.Scheme, e.Workload.Workers = "owned", 2 }, []string{"owned", "connp-t", "squeue", "-force"}},
		"owned split":       {func(e *Experiment) { e.Scheme, e.Dispatch, e.Roles = "owned", "hybrid", "split" }, []string{"owned", "connp-t", "squeue", "-force"}},
		"walkers":           {func(e *Experiment) { e.Scheme, e.Workload.Mix = "unsync", "walk" }, []string{"unsync", "1 walkers", "-force"}},
		"spin walker":       {func(e *Experiment) { e.Lock, e.Workload.Workers, e.Workload.Mix = "ticket:spin", tooMany-1, "walk" }, []string{"ticket:spin"}},
		"null's lock":       {func(e *Experiment) { e.Scheme, e.Lock = "null", "mcs" }, []string{"null", "no table lock", "lock=mcs"}},
		"spinning":          {func(e *Experiment) { e.Lock, e.Workload.Workers = "ticket:spin", tooMany }, []string{"ticket:spin", "GOMAXPROCS"}},
		"work below":        {func(e *Experiment) { e.Work = -1 }, []string{"work=-1", "1000000"}},
		"work above":        {func(e *Experiment) { e.Work = 1_000_001 }, []string{"work=1000001", "1000000"}},
		"workload":          {func(e *Experiment) { e.Workload.Conns = 5 }, []string{"conns=5", "6"}},
	} {
		e := tiny("global", 1)
		c.change(&e)
		err := Validate([]Experiment{tiny("global", 1), e})
		if err == nil {
			t.Errorf("%s: not refused", name)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", name, err, s)
			}
		}
	}
}

func TestAccepted(t *testing.T) {
	force := tiny("unsync", 2)
	force.Force = true
	spin := tiny("global", runtime.GOMAXPROCS(0))
	spin.Lock = "ticket:spin"
	yield := tiny("global", 4*runtime.GOMAXPROCS(0))
	yield.Lock = "ticket"
	idle, busy := tiny("global", 1), tiny("global", 1)
	idle.Work, busy.Work = 0, maxWork
	owned, alone, one := tiny("owned", 4), tiny("owned", 1), tiny("unsync", 4)
	owned.Dispatch, owned.Roles = "connp-t:threads=3", "split"
	one.Dispatch = "connp-t:threads=1" // which is all that touches the table
	for _, e := range []Experiment{force, spin, yield, idle, busy, owned, alone, one} {
		if err := Validate([]Experiment{e}); err != nil {
			t.Error(err)
		}
	}
}

// usual are the keys of every name, in order.
var usual = []string{"scheme", "lock", "dispatch", "mix", "conns", "batch", "workers", "affinity", "pin", "work"}

func TestNames(t *testing.T) {
	e := tiny("connp:groups=16", 2)
	if got, want := resolved(t, e).name(), "Input/scheme=connp:groups=16/lock=default/dispatch=direct/mix=churn/conns=10/batch=32/workers=2/affinity=rss/pin=none/work=0"; got != want {
		t.Errorf("name is\n%s, want\n%s", got, want)
	}
	e.Dispatch, e.Roles = "netisr2:policy=source:qlimit=64", "split"
	if got, want := resolved(t, e).name(), "Input/scheme=connp:groups=16/lock=default/dispatch=netisr2:policy=source:qlimit=64/mix=churn/conns=10/batch=32/workers=2/affinity=rss/pin=none/work=0/roles=split"; got != want {
		t.Errorf("name is\n%s, want\n%s", got, want)
	}
	e.Dispatch, e.Roles = "", "all"
	e.Workload.Mix, e.Workload.Skew = "rpc", 0.9
	e.Workload.V6, e.Workload.Payload, e.Workload.Walkers, e.Workload.Listeners, e.Workload.Peers = -1, 9, 1, 3, 5
	keys, values := parts(t, resolved(t, e).name())
	if want := append(slices.Clone(usual), "skew", "listeners", "peers", "v6", "payload", "walkers"); !slices.Equal(keys, want) {
		t.Errorf("keys are %v, want %v", keys, want)
	}
	for key, want := range map[string]string{"scheme": "connp:groups=16", "skew": "0.9", "v6": "0", "payload": "9", "walkers": "1", "listeners": "3", "peers": "5"} {
		if values[key] != want {
			t.Errorf("%s=%s, want %s", key, values[key], want)
		}
	}
}

// TestNamesOfMatrix checks that no name of a large matrix has anything but key=value, that benchfmt finds no GOMAXPROCS at its end,
// and that no two experiments share one.
func TestNamesOfMatrix(t *testing.T) {
	_, mixes, specs, models := knownNames()
	mixes = slices.DeleteFunc(mixes, func(m string) bool { return m == "pcap" })
	m := Matrix{CPUs: 2, Workers: []int{1, 2}, Mixes: mixes, Locks: []string{"mutex", specs[len(specs)-1], "ticket:spin", "default"}, Dispatches: models, Works: []int{0, 1}, Roles: []string{"all", "split"},
		Affinities: []workloads.Affinity{workloads.RSS, workloads.Spray}, Pins: []string{PinCPU, PinNone}, Batches: []int{1, 64}}
	seen := map[string]bool{}
	for _, e := range m.Experiments() {
		if strings.HasSuffix(e.Lock, ":spin") && (runtime.GOMAXPROCS(0) < 2 || e.Workload.Mix == "walk" || e.Roles == "split") {
			continue // refused: a walker counts as a worker, and so do threads of their own
		}
		if _, err := e.Workload.Check(); err != nil {
			continue // a mix that cannot be sprayed
		}
		name, want := resolved(t, e).name(), usual
		if e.Roles == "split" {
			want = append(slices.Clone(usual), "roles")
		}
		if keys, _ := parts(t, name); !slices.Equal(keys, want) {
			t.Fatalf("keys of %s are not the usual ones", name)
		}
		if seen[name] {
			t.Fatalf("two experiments are called %s", name)
		}
		seen[name] = true
	}
}

// TestNameOfCapture checks the parameters whose text is the user's: a file's name, and numbers that Go prints with an exponent.
func TestNameOfCapture(t *testing.T) {
	capture, err := os.ReadFile("../workloads/testdata/http.pcap")
	if err != nil {
		t.Fatal(err)
	}
	e := tiny("global", 1)
	e.Workload = workloads.Params{Mix: "pcap", Trace: filepath.Join(t.TempDir(), "a file-2"), V6: 1e-05}
	if err := os.WriteFile(e.Workload.Trace, capture, 0o666); err != nil {
		t.Fatal(err)
	}
	name := resolved(t, e).name()
	if keys, values := parts(t, name); values["trace"] != "a_file_2" || keys[len(keys)-1] != "trace" {
		t.Errorf("the trace's name is not at the end of %s", name)
	}
	results, _ := parsed(t, []byte("Benchmark"+name+"\t1\t2 ns/seg\n"))
	if len(results) != 1 || string(results[0].Name) != name {
		t.Errorf("%s does not survive being written and read", name)
	}
	small := tiny("global", 1)
	small.Workload.V6 = 1e-05
	_, last := benchfmt.Name(resolved(t, small).name()).Parts()
	if p := string(last[len(last)-1]); !strings.HasPrefix(p, "/v6=") {
		t.Errorf("the last part of the name is %q", p)
	}
}
