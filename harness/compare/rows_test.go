package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// diff compares two texts.
func diff(t *testing.T, old, new string, o Options) *Comparison {
	t.Helper()
	c, err := Diff(load(t, old), load(t, new), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// row is the only one of that name and unit.
func row(t *testing.T, c *Comparison, name, unit string) *Row {
	t.Helper()
	i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Name == name && r.Unit == unit })
	if i < 0 {
		t.Fatalf("no row %q of %s in %+v", name, unit, c.Rows)
	}
	return &c.Rows[i]
}

// measured are lines of one benchmark.
func measured(name string, unit string, values ...float64) (text string) {
	for _, v := range values {
		text += fmt.Sprintf("Benchmark%s 1 %v %s\n", name, v, unit)
	}
	return text
}

// TestDiff checks samples, verdicts and the correction.
func TestDiff(t *testing.T) {
	const units = "Unit ns/op better=lower\nUnit hits better=higher\n"
	old := units + measured("Same", "ns/op", about(100)...) + measured("Slow", "ns/op", about(100)...) + measured("Fast", "ns/op", about(100)...) + measured("Hits", "hits", about(100)...) +
		measured("What", "whats", about(100)...) + measured("Gone", "ns/op", 1) + "BenchmarkLeft 1 5 ns/op 1 disturbed\nBenchmarkLeft 1 6 ns/op 0 disturbed\n"
	new := units + measured("Fast", "ns/op", about(90)...) + measured("Same", "ns/op", about(100)...) + measured("Slow", "ns/op", about(110)...) + measured("Hits", "hits", about(110)...) +
		measured("What", "whats", about(90)...) + measured("Come", "ns/op", 1) + "BenchmarkLeft 1 7 ns/op 1 disturbed\nBenchmarkLeft 1 8 ns/op 0 disturbed\n"
	c := diff(t, old, new, Options{Alpha: 0.05})
	for name, want := range map[string]string{"Same": "~", "Slow": "slower", "Fast": "faster", "Hits": "better", "What": "less", "Gone": "only in old", "Come": "only in new", "Left": "~"} {
		unit := map[string]string{"Hits": "hits", "What": "whats"}[name]
		if unit == "" {
			unit = "ns/op"
		}
		r := row(t, c, name, unit)
		if got := c.Verdict(r); got != want {
			t.Errorf("%s: %s, want %s: %+v", name, got, want, r)
		}
		if r.tested() && (r.PAdj < r.Effect.P || r.PAdj > 6*r.Effect.P && r.PAdj < 1) {
			t.Errorf("%s: p %v is corrected to %v, for 6 rows", name, r.Effect.P, r.PAdj)
		}
	}
	if slow := row(t, c, "Slow", "ns/op"); math.Abs(slow.Effect.Ratio-1.1) > 1e-3 || slow.Effect.Lo < 1.09 || slow.Effect.Hi > 1.11 || !slices.Equal(slow.Old, about(100)) || slow.Better != -1 {
		t.Errorf("slower by a tenth: %+v", slow)
	}
	if left := row(t, c, "Left", "ns/op"); left.Left != 2 || !slices.Equal(left.Old, []float64{6}) || !slices.Equal(left.New, []float64{8}) {
		t.Errorf("one disturbed sample on each side: %+v", left)
	}
	if c.Tested != 6 || c.Left() != 2 || c.Confidence != DefaultConfidence {
		t.Errorf("%d rows tested, %d left out, confidence %v", c.Tested, c.Left(), c.Confidence)
	}
	if got := names(c); got != "Same Slow Fast Gone Left Come Hits What" {
		t.Errorf("rows are in the order %s", got)
	}
}

func names(c *Comparison) string {
	var list []string
	for _, r := range c.Rows {
		list = append(list, r.Name)
	}
	return strings.Join(list, " ")
}

// TestCorrection: what one row shows clearly enough it does not show among many.
func TestCorrection(t *testing.T) {
	old, new := measured("A", "ns/op", about(100)...), measured("A", "ns/op", about(110)...)
	if c := diff(t, old, new, Options{}); !c.Significant(&c.Rows[0]) {
		t.Errorf("p = %v of one row is not below %v", c.Rows[0].PAdj, c.Alpha)
	}
	for i := range 9 {
		old += measured(fmt.Sprint("B", i), "ns/op", about(100)...)
		new += measured(fmt.Sprint("B", i), "ns/op", about(100)...)
	}
	c := diff(t, old, new, Options{})
	if r := row(t, c, "A", "ns/op"); c.Significant(r) || math.Abs(r.PAdj-10*r.Effect.P) > 1e-12 {
		t.Errorf("p = %v of one row in ten is corrected to %v", r.Effect.P, r.PAdj)
	}
}

func TestExact(t *testing.T) {
	const units = "Unit locks/seg better=lower assume=exact\n"
	for name, c := range map[string]struct {
		old, new []float64
		verdict  string
		p        float64
		warns    string
	}{
		"same":           {[]float64{2, 2}, []float64{2}, "~", 1, ""},
		"more":           {[]float64{2, 2}, []float64{2.01, 2.01}, "worse", 0, ""},
		"less":           {[]float64{2}, []float64{1}, "better", 0, ""},
		"from nothing":   {[]float64{0}, []float64{1}, "worse", 0, ""},
		"nothing":        {[]float64{0}, []float64{0}, "~", 1, ""},
		"one arm varies": {[]float64{2, 2}, []float64{3, 4}, "~", 1, "where they should be exact"},
	} {
		got := diff(t, units+measured("A", "locks/seg", c.old...), units+measured("A", "locks/seg", c.new...), Options{})
		r := &got.Rows[0]
		if !r.Exact || got.Verdict(r) != c.verdict || r.Effect.P != c.p || r.PAdj != c.p || got.Tested != 0 {
			t.Errorf("%s: %s, want %s: %+v", name, got.Verdict(r), c.verdict, r)
		}
		if text := strings.Join(got.Warnings, " "); !strings.Contains(text, c.warns) || (c.warns == "") != (text == "") {
			t.Errorf("%s: warnings %q", name, text)
		}
	}
	if got := diff(t, measured("A", "locks/seg", 1), units+measured("A", "locks/seg", 1), Options{}); !got.Rows[0].Exact {
		t.Error("a unit that one file only calls exact is not")
	}
}

// TestNoSamples lists rows whose samples were all disturbed, and says so.
func TestNoSamples(t *testing.T) {
	bad := "BenchmarkA 1 5 ns/op 1 disturbed\n" + measured("B", "ns/op", 1)
	c := diff(t, bad, bad, Options{})
	r := row(t, c, "A", "ns/op")
	if c.Verdict(r) != "no samples" || r.Left != 2 || r.Missing != "" || c.Significant(r) || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "of 1 and 1 samples 0 and 0 are left") {
		t.Errorf("%+v, warnings %q", r, c.Warnings)
	}
}

// TestNames checks how rows are called and ordered.
func TestNames(t *testing.T) {
	text := ""
	for _, name := range []string{"Input/scheme=smr/mix=rpc/workers=10/peers=3", "Input/scheme=smr/mix=rpc/workers=2", "Input/scheme=global/mix=rpc/workers=2", "Input/scheme=smr/mix=bulk/workers=2", "Z/x=1-8", "A/x=1-8"} {
		text += measured(name, "ns/seg", 1)
	}
	for _, c := range []struct{ row, want string }{
		{"", "Z/x=1-8, A/x=1-8, mix=bulk workers=2 scheme=smr Input, mix=rpc workers=2 scheme=global Input, mix=rpc workers=2 scheme=smr Input, mix=rpc workers=10 scheme=smr Input/peers=3"},
		{".fullname", "Input/scheme=smr/mix=rpc/workers=10/peers=3, Input/scheme=smr/mix=rpc/workers=2, Input/scheme=global/mix=rpc/workers=2, Input/scheme=smr/mix=bulk/workers=2, Z/x=1-8, A/x=1-8"},
	} {
		var got []string
		for _, r := range diff(t, text, text, Options{Row: c.row}).Rows {
			got = append(got, r.Name)
		}
		if joined := strings.Join(got, ", "); joined != c.want {
			t.Errorf("-row %q: %s\nwant %s", c.row, joined, c.want)
		}
	}
	c := diff(t, text, text, Options{Filter: "/mix:rpc /scheme:smr -/peers:3", Table: ".name", Row: "/workers"})
	if len(c.Rows) != 1 || c.Rows[0].Table != "Input" || c.Rows[0].Name != "workers=2" {
		t.Errorf("rows %+v", c.Rows)
	}
}

// TestOtherNames warns where a projection lines up what is not called the same.
func TestOtherNames(t *testing.T) {
	c := diff(t, measured("X/a=1/b=1", "ns/op", 1), measured("X/a=1/b=2", "ns/op", 1), Options{Row: "/a"})
	if len(c.Rows) != 1 || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "X/a=1/b=1 is compared with X/a=1/b=2") {
		t.Errorf("%d rows, warnings %q", len(c.Rows), c.Warnings)
	}
}

func TestUnits(t *testing.T) {
	own, foreign := "BenchmarkX 1 5 ns/seg 6 p99-ns 2e8 segs/s 1 pingpong-class\n", "BenchmarkX 1 5 ns/op 6 B/op 0 disturbed 1 pair\n"
	for _, c := range []struct {
		text, want string
		units      []string
	}{
		{own, "ns/seg p99-ns", nil},
		{own, "segs/s pingpong-class ns/seg", []string{"segs/s", "pingpong-class", "ns/seg"}},
		{foreign, "ns/op B/op", nil},
	} {
		var got []string
		for _, r := range diff(t, c.text, c.text, Options{Units: c.units}).Rows {
			got = append(got, r.Unit)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("units %v of %q: rows of %v", c.units, c.text, got)
		}
	}
}

// TestRefused checks that what cannot be compared is refused in one sentence.
func TestRefused(t *testing.T) {
	const text = "BenchmarkX/a=1 1 5 ns/op\nBenchmarkX/a=2 1 5 ns/op\n"
	for name, c := range map[string]struct {
		old, new string
		o        Options
		says     string
	}{
		"nothing in common":      {text, measured("Y", "ns/op", 1), Options{}, "no benchmark is in both"},
		"another unit":           {text, measured("X", "B/op", 1), Options{}, "no benchmark is in both"},
		"unknown unit":           {text, text, Options{Units: []string{"ns/seg"}}, `no result has unit "ns/seg"; there are ns/op`},
		"unit of one":            {text, text + measured("X/a=1", "B/op", 1), Options{Units: []string{"B/op"}}, "has no result of unit B/op"},
		"filter lets none":       {text, text, Options{Filter: "/a:3"}, "that the filter lets through"},
		"no filter":              {text, text, Options{Filter: "/a:(1"}, "filter: "},
		"no projection":          {text, text, Options{Row: "/a@nothere"}, "row: "},
		"no table":               {text, text, Options{Table: "("}, "table: "},
		"benchmarks in one row":  {text, text, Options{Row: ".name"}, "one row would hold X/a=1 and X/a=2"},
		"alpha":                  {text, text, Options{Alpha: 2}, "alpha 2"},
		"confidence":             {text, text, Options{Confidence: math.NaN()}, "confidence NaN"},
		"contradictory metadata": {"Unit ns/op better=lower\n" + text, "Unit ns/op better=higher\n" + text, Options{}, "unit ns/op is better=lower in"},
		"both arms":              {text, "toolchain: baseline\n" + text + "toolchain: experiment\n" + text, Options{}, "holds both arms"},
	} {
		_, err := Diff(load(t, c.old), load(t, c.new), c.o)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
}

// TestGeomeans checks means of all rows and of schemes.
func TestGeomeans(t *testing.T) {
	arm := func(a, b, c float64) string {
		return measured("Input/scheme=smr/mix=a", "ns/seg", a) + measured("Input/scheme=smr/mix=b", "ns/seg", b) + measured("Input/scheme=global/mix=a", "ns/seg", c) + measured("Input/scheme=global/mix=b", "ns/seg", c)
	}
	c := diff(t, arm(100, 100, 100), arm(200, 50, 100), Options{})
	var got []string
	for _, g := range c.Geomeans {
		got = append(got, fmt.Sprintf("%s %s %d %.3f", g.Unit, g.Group, g.Rows, g.Ratio))
	}
	if want := "ns/seg  4 1.000, ns/seg scheme=global 2 1.000, ns/seg scheme=smr 2 1.000"; strings.Join(got, ", ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, ", "), want)
	}
	if c := diff(t, arm(100, 100, 100), arm(200, 200, 100), Options{}); math.Abs(c.Geomeans[0].Ratio-math.Sqrt2) > 1e-9 || math.Abs(c.Geomeans[2].Ratio-2) > 1e-9 {
		t.Errorf("geometric means %+v", c.Geomeans)
	}
	if c := diff(t, measured("A", "x", 0, 0), measured("A", "x", 1, 1), Options{}); len(c.Geomeans) != 0 {
		t.Errorf("a geometric mean of one row: %+v", c.Geomeans)
	}
}

// TestPlacement warns where the arms' CPUs lay otherwise.
func TestPlacement(t *testing.T) {
	at := func(classes ...int) (text string) {
		for _, c := range classes {
			text += fmt.Sprintf("BenchmarkX 1 5 ns/op %d pingpong-class\n", c)
		}
		return text
	}
	for name, c := range map[string]struct {
		old, new string
		warns    bool
	}{
		"alike":      {at(1, 1, 2), at(1, 1, 1), false},
		"otherwise":  {at(1, 1, 2), at(2, 1, 2), true},
		"moved":      {at(1, 1, 2), at(3, 3, 2), true},
		"not said":   {measured("X", "ns/op", 1), at(2), false},
		"none known": {at(9, -1), at(2), false},
	} {
		if got := diff(t, c.old, c.new, Options{}); (len(got.Warnings) > 0) != c.warns {
			t.Errorf("%s: warnings %q", name, got.Warnings)
		}
	}
}
