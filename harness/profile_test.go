package harness

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pcbbench/locks/witness"
	"pcbbench/workloads"
)

// made is a profile that no run gave.
func made() *Profiled {
	site := func(name, class string, act witness.Act, t witness.Times) witness.Site {
		return witness.Site{Name: name, Class: class, Act: act, Times: t}
	}
	return &Profiled{Name: "Input/scheme=made", Samples: []LockProfile{
		{Segs: 10, Sites: []witness.Site{
			site("a.go:1", "tcbinfo", witness.Locked, witness.Times{Count: 6, Waited: 3, Blocked: 2, Held: 12000, MaxHeld: 4000, Wait: 9000, MaxWait: 5000}),
			site("b.go:2", "tcbinfo", witness.RLocked, witness.Times{Count: 2, Waited: 1, Blocked: 1, Held: 1000, MaxHeld: 900, Wait: 700, MaxWait: 700}),
			site("c.go:3", "tcbinfo", witness.Upgraded, witness.Times{Count: 1, Blocked: 1, Held: 3000, MaxHeld: 3000}),
			site("d.go:4", "", witness.Entered, witness.Times{Count: 9, Held: 90000, MaxHeld: 20000}),
		}},
		{Segs: 10, Sites: []witness.Site{
			site("a.go:1", "tcbinfo", witness.Locked, witness.Times{Count: 4, Waited: 0, Held: 8000, MaxHeld: 5000}),
		}},
	}}
}

// TestProfileTables checks every cell: sums over samples and sites, means, and which of them counts as an acquisition.
func TestProfileTables(t *testing.T) {
	var out strings.Builder
	if err := made().Write(&out, "", 0); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"Input/scheme=made"},
		{"max", "wait_max", "total", "wait_total", "count", "avg", "wait_avg", "cnt_hold", "cnt_lock", "name"},
		{"5.000", "5.000", "20", "9", "10", "2.000", "0.900", "2", "3", "a.go:1", "(tcbinfo)"},
		{"0.900", "0.700", "1", "1", "2", "0.500", "0.350", "1", "1", "b.go:2", "(tcbinfo,", "shared)"},
		{"3.000", "0.000", "3", "0", "1", "3.000", "0.000", "1", "0", "c.go:3", "(tcbinfo,", "upgraded)"},
		{"20.000", "0.000", "90", "0", "9", "10.000", "0.000", "0", "0", "d.go:4", "(SMR", "section)"},
		{"max", "wait_max", "total", "wait_total", "count", "avg", "wait_avg", "cnt_hold", "cnt_lock", "contended", "class"},
		{"5.000", "5.000", "24", "10", "12", "2.000", "0.808", "4", "4", "33.33%", "tcbinfo"},
		{"20.000", "0.000", "90", "0", "9", "10.000", "0.000", "0", "0", "0.00%", "SMR", "section"},
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if i >= len(want) || !slices.Equal(strings.Fields(line), want[i]) {
			t.Errorf("line %d is %q", i+1, line)
		}
	}
	out.Reset()
	if err := made().Write(&out, "count", 1); err != nil || !strings.Contains(out.String(), "a.go:1") || strings.Contains(out.String(), "d.go:4") || !strings.Contains(out.String(), "(and 3 more sites)") {
		t.Errorf("by count, one site: %v\n%s", err, &out)
	}
	out.Reset()
	if err := made().Write(&out, "max", 1); err != nil || !strings.Contains(out.String(), "d.go:4") {
		t.Errorf("by max, one site: %v\n%s", err, &out)
	}
	if err := made().Write(&out, "nothere", 1); err == nil || !strings.Contains(err.Error(), "wait_total") {
		t.Errorf("by a column that is not there: %v", err)
	}
}

// TestProfileLines checks the figures of the results file, a class's line a sample.
func TestProfileLines(t *testing.T) {
	var out strings.Builder
	if err := made().Samples[0].write(&out, "Input/scheme=made"); err != nil {
		t.Fatal(err)
	}
	want := "BenchmarkProfile/scheme=made/class=SMR_section\t9\t0 contended\t0.9 acquired/seg\t0 wait-ns/seg\t9000 hold-ns/seg\t0 wait-ns\t10000 hold-ns\t0 max-wait-ns\t20000 max-hold-ns\t0 disturbed\n" +
		"BenchmarkProfile/scheme=made/class=tcbinfo\t8\t0.5 contended\t0.8 acquired/seg\t970 wait-ns/seg\t1600 hold-ns/seg\t1212.5 wait-ns\t2000 hold-ns\t5000 max-wait-ns\t4000 max-hold-ns\t0 disturbed\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	out.Reset()
	p := made()
	p.Samples[1].Disturbed = "by the cat"
	if err := p.Samples[1].write(&out, p.Name); err != nil || !strings.HasPrefix(out.String(), "# disturbed: by the cat\nBenchmark") || !strings.HasSuffix(out.String(), "\t1 disturbed\n") {
		t.Errorf("a disturbed sample: %v\n%s", err, &out)
	}
	out.Reset()
	if err := p.Write(&out, "", 0); err != nil || !strings.Contains(out.String(), "(1 of 2 samples were disturbed; ") {
		t.Errorf("its table: %v\n%s", err, &out)
	}
	for _, u := range profileUnits {
		if slices.ContainsFunc(Units, func(o unit) bool { return o.name == u.name }) {
			t.Errorf("%s is another metric, too", u.name)
		}
	}
}

var blanks = regexp.MustCompile(" +")

// table1Of is a run of table 1 whose shares are f's, of samples around it.
func table1Of(f func(workers, conns, col int) uint64) (es []Experiment, list []*Profiled) {
	m := Matrix{}
	Table1Matrix(&m, 2)
	schemes, classes := table1Schemes()
	for _, e := range m.Experiments() {
		col := slices.Index(schemes, e.Scheme)
		n := f(e.Workload.Workers, e.Workload.Conns, col)
		p := &Profiled{}
		for _, waited := range []uint64{n + 1, n, n - 1} {
			p.Samples = append(p.Samples, LockProfile{Sites: []witness.Site{{Class: "inpcb", Times: witness.Times{Count: 7, Waited: 7}},
				{Class: classes[col], Times: witness.Times{Count: 600, Waited: waited}}, {Class: classes[col], Act: witness.RLocked, Times: witness.Times{Count: 400}}}})
		}
		es, list = append(es, e), append(list, p)
	}
	return es, list
}

// TestProfileTable1 checks the load, the published figures beside ours, and what is said of the shape.
func TestProfileTable1(t *testing.T) {
	es, list := table1Of(func(workers, conns, col int) uint64 {
		if conns == 6 {
			return uint64(500 - 10*col)
		}
		return uint64(800 / (col + 1))
	})
	if len(es) != 2*len(Table1Conns)*(1+len(Table1Groups)) {
		t.Fatalf("%d experiments", len(es))
	}
	for _, e := range es {
		if e.Workload.Mix != "bulk" || e.Workload.Affinity != workloads.Spray || e.Work != DefaultWork || e.Workload.Workers != 2 && e.Workload.Workers != 4 {
			t.Errorf("%+v", e)
		}
	}
	var out strings.Builder
	if err := WriteTable1(&out, es, list); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 workers: ", "4 workers: ", "\n6 2006 89 60 ", "\n16384 2006 100 52 ", "\n192 ours 80 (80–80) 40 (40–40) 27 (26–27) ",
		"\n6 ours 50 (50–50) 49 (49–49) ", "one global lock is more contended than any number of groups: 3 of 3\n",
		"falls from one column to the next: 18 of 18\n", "at 6 connections more groups help less than at other numbers: 2 of 2\n"} {
		if !strings.Contains(blanks.ReplaceAllString(out.String(), " "), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	es, list = table1Of(func(workers, conns, col int) uint64 { return uint64(1 + col) })
	out.Reset()
	if err := WriteTable1(&out, es, list); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ours 0.1 (0–0.2)", "any number of groups: 0 of 3\n", "to the next: 0 of 18\n", "than at other numbers: 0 of 2\n"} {
		if !strings.Contains(blanks.ReplaceAllString(out.String(), " "), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	// Samples that others disturbed count where there are no others.
	for i, p := range list {
		for j := range p.Samples {
			if j > 0 || i == 0 {
				p.Samples[j].Disturbed = "by the cat"
			}
		}
	}
	out.Reset()
	if err := WriteTable1(&out, es, list); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ours 0.1 (0–0.2) 0.3 (0.3–0.3) ", "\n 43 of 63 samples were disturbed", "\n 42 of 63 samples were disturbed"} {
		if !strings.Contains(blanks.ReplaceAllString(out.String(), " "), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if err := WriteTable1(&out, es[1:], list); err == nil {
		t.Error("a profile too many is not told")
	}
}

// TestProfileTable1Alone: what nobody waits for, as one worker or the most groups may not, neither has the published order nor refutes it.
func TestProfileTable1Alone(t *testing.T) {
	es, list := table1Of(func(workers, conns, col int) uint64 { return uint64(800 / (col + 1)) })
	for i := range es {
		if w := &es[i].Workload; w.Workers == 2 || w.Conns == 192 || strings.HasSuffix(es[i].Scheme, "=64") || strings.HasSuffix(es[i].Scheme, "=128") {
			for _, lp := range list[i].Samples {
				lp.Sites[1].Waited = 0
			}
		}
	}
	var out strings.Builder
	if err := WriteTable1(&out, es, list); err != nil {
		t.Fatal(err)
	}
	alone, four, _ := strings.Cut(out.String(), "\n4 workers: ")
	if !strings.Contains(alone, "nothing was contended") || strings.Contains(alone, "groups: ") {
		t.Errorf("got\n%s", alone)
	}
	for _, want := range []string{"any number of groups: 2 of 2\n", "to the next: 10 of 10\n", "than at other numbers: 0 of 1\n"} {
		if !strings.Contains(four, want) {
			t.Errorf("no %q in\n%s", want, four)
		}
	}
}

// TestProfilesDisk: a profile that did not go onto the disk is told.
func TestProfilesDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip(err)
	}
	for _, p := range []Profiles{{CPU: full}, {Mutex: full}, {Block: full}} {
		stop, err := p.start()
		if err != nil {
			t.Fatal(err)
		}
		if err := stop(); err == nil {
			t.Errorf("%+v: no error", p)
		}
	}
}

// TestProfilesParts checks which files a run's processes write, and how they are told.
func TestProfilesParts(t *testing.T) {
	p := Profiles{CPU: "c", Block: "b"}
	if got := p.fact().Value; got != "cpu,block" {
		t.Errorf("fact %q", got)
	}
	if got := p.part(3); got != (Profiles{CPU: "c.3", Block: "b.3"}) {
		t.Errorf("part 3 is %+v", got)
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"c.1": "x", "c.2": "x", "c.3": "", "b.2": "x"} { // the third process was ended
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"go tool pprof -tagroot scheme,mix bin c.1 c.2", "go tool pprof bin b.2"}
	if got := p.Commands("bin", 4); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
