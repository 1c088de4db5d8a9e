package compare

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/verdict"
)

// presented is a comparison of recorded-looking files in testdata/compare.
func presented(t *testing.T, names ...string) *Comparison {
	t.Helper()
	var files []*file.File
	for _, name := range names {
		f, err := file.Load(filepath.Join("testdata", "compare", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	o := Options{Units: []string{"ns/seg", "allocs/seg", "segs/s"}}
	var c *Comparison
	var err error
	if len(files) == 1 {
		c, err = DiffPaired(files[0], o)
	} else {
		c, err = Diff(files[0], files[1], o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGolden compares what is written with testdata/compare, which go test -update writes. The files have rows that are faster, slower, the same, exact, missing on either side;
// disturbed samples, half pairs and pairs of two classes.
func TestGolden(t *testing.T) {
	for name, c := range map[string]*Comparison{"two": presented(t, "old.txt", "new.txt"), "pairs": presented(t, "pairs.txt"), "warned": warned(t), "long": long(t)} {
		for _, format := range Formats {
			var got bytes.Buffer
			if err := Writer(format)(c, &got); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "compare", name+"."+format)
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || got.String() != string(want) {
				t.Errorf("%s as %s: %v; it is\n%s\nwant\n%s", name, format, err, &got, want)
			}
		}
	}
}

// warned is all that a reader must be warned of, with text that the formats must escape.
func warned(t *testing.T) *Comparison {
	t.Helper()
	const units = "Unit locks/seg better=lower assume=exact\n"
	old := "cpu: X\npkg: a|b\n" + units + measured("A/<b>=`1`", "locks/seg", 0, 1) + measured("B\"*", "locks/seg", 1) + "BenchmarkC 1 5 locks/seg 1 disturbed\n" + measured("D,", "ns/op", 5)
	new := "cpu: Y\nkernel: 6\ntorture: passed\npkg: a|b\n" + units + measured("A/<b>=`1`", "locks/seg", 1) + measured("B\"*", "locks/seg", 2) + "BenchmarkC 1 5 locks/seg 1 disturbed\n" + measured("D,", "ns/op", 4)
	c := diff(t, old, new, Options{})
	c.Old, c.New = "old_[1].txt", "new.txt" // without the test's folder
	return c
}

// long has more rows than are shown at once, one of which differs.
func long(t *testing.T) *Comparison {
	t.Helper()
	old, new := "", measured("Come", "ns/op", 1)
	for i := range longTable + 1 {
		name := "X/n=" + strings.Repeat("i", i)
		old += measured(name, "ns/op", append(about(100), about(101)...)...)
		new += measured(name, "ns/op", append(about(100+float64(i/longTable)*20), about(101+float64(i/longTable)*20)...)...)
	}
	c := diff(t, old, new, Options{})
	c.Old, c.New = "old.txt", "new.txt"
	return c
}

// TestFormats reads what programs read.
func TestFormats(t *testing.T) {
	for _, c := range []*Comparison{presented(t, "old.txt", "new.txt"), presented(t, "pairs.txt"), warned(t)} {
		var b bytes.Buffer
		if err := c.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Rows []struct {
				Name   string
				Effect struct{ Ratio, Low *float64 }
			}
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got.Rows) != len(c.Rows) {
			t.Fatalf("%v, %d rows of %d", err, len(got.Rows), len(c.Rows))
		}
		for i, r := range got.Rows {
			if e := c.Rows[i].Effect; r.Name != c.Rows[i].Name || r.Effect.Ratio != nil && *r.Effect.Ratio != e.Ratio || (r.Effect.Low != nil) != (e.Lo > 0 && !math.IsInf(e.Hi, 1)) {
				t.Errorf("%+v is written as %+v", c.Rows[i], r)
			}
		}
		b.Reset()
		if err := c.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		if lines, err := csv.NewReader(&b).ReadAll(); err != nil || len(lines) != len(c.Rows)+1 {
			t.Errorf("%d lines of %d rows, %v", len(lines), len(c.Rows), err)
		}
	}
}

func TestVerdictWords(t *testing.T) {
	for _, c := range []struct {
		unit   string
		better int
		ratio  float64
		p      float64
		want   string
	}{
		{"ns/seg", -1, 1.1, 0, "slower"}, {"ns/seg", -1, 0.9, 0, "faster"}, {"ns/seg", -1, 0.9, 0.01, "~"}, {"segs/s", 1, 1.1, 0, "faster"}, {"segs/s", 1, 0.9, 0, "slower"},
		{"fairness", 1, 1.1, 0, "better"}, {"fairness", 1, 0.9, 0, "worse"}, {"B/conn", -1, 1.1, 0, "worse"}, {"B/conn", -1, 0.9, 0, "better"},
		{"x", 0, 1.1, 0, "more"}, {"x", 0, 0.9, 0, "less"}, {"x", 0, 1, 0, "differs"}, {"x", 0, math.NaN(), 0, "differs"},
	} {
		r := Row{Unit: c.unit, Better: c.better, Effect: verdict.Effect{Ratio: c.ratio, N: 9, P: c.p}, PAdj: c.p}
		if got := (&Comparison{Alpha: 0.01}).Verdict(&r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
