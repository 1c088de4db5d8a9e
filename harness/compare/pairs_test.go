package compare

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pcbbench/harness/compare/verdict"
)

// A half is one sample of a pair.
type half struct {
	arm           string
	value         float64
	pair, restart int
	class, bad    int
}

// paired is a file of pairs of one benchmark.
func paired(header string, halves ...half) string {
	text := header
	for _, h := range halves {
		text += fmt.Sprintf("toolchain: %s\nBenchmarkX 1 %v ns/seg %d pair %d restart %d pingpong-class %d disturbed\n", h.arm, h.value, h.pair, h.restart, h.class, h.bad)
	}
	return text
}

const base, exper = "baseline", "experiment"

// TestPairs checks which pairs count, and that they are handed on in the order of their numbers, by restart.
func TestPairs(t *testing.T) {
	f := load(t, paired("",
		half{exper, 110, 2, 1, 1, 0}, half{base, 100, 2, 1, 1, 0}, // the order within a pair is any
		half{base, 100, 1, 1, 2, 0}, half{exper, 105, 1, 1, 2, 0},
		half{base, 100, 3, 2, 1, 0}, half{exper, 120, 3, 2, 2, 0}, // another class
		half{base, 100, 4, 2, 1, 1}, half{exper, 120, 4, 2, 1, 0}, // disturbed
		half{base, 100, 5, 2, 1, 0}, half{exper, 120, 5, 2, 1, 1},
		half{base, 100, 6, 3, 1, 0}, half{exper, 120, 6, 3, 1, 0},
		half{base, 100, 7, 3, 1, 0}, // alone
	))
	if !Paired(f) {
		t.Error("a file of pairs is not taken for one")
	}
	c, err := DiffPaired(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &c.Rows[0]
	if len(c.Rows) != 1 || !slices.Equal(r.Old, []float64{100, 100, 100}) || !slices.Equal(r.New, []float64{105, 110, 120}) || r.Left != 7 {
		t.Errorf("rows %+v", c.Rows)
	}
	want := verdict.Paired([][]float64{{math.Log(1.05), math.Log(1.1)}, {math.Log(1.2)}}, DefaultConfidence)
	if !reflect.DeepEqual(r.Effect, want) || !c.Paired || c.Tested != 1 {
		t.Errorf("effect %+v, want %+v", r.Effect, want)
	}
}

// TestPairsSay checks what the file says of itself.
func TestPairsSay(t *testing.T) {
	halves := []half{{base, 100, 1, 1, 1, 0}, {exper, 100, 1, 1, 1, 0}}
	text := paired("baseline-commit: 0123456789abcdef\nexperiment-commit: fedcba\n", halves...)
	for name, c := range map[string]struct {
		text  string
		o     Options
		alpha float64
		looks string
	}{
		"nothing":     {text, Options{}, DefaultAlpha, ""},
		"above":       {"alpha: 0.002\nlooks: 2 of 4\nalpha:\nlooks:\n" + text, Options{}, 0.002, "2 of 4"},
		"below":       {text + "alpha: 0.003\nlooks: 3 of 4\nalpha:\nlooks:\n", Options{}, 0.003, "3 of 4"},
		"overruled":   {text + "alpha: 0.003\nalpha:\n", Options{Alpha: 0.05}, 0.05, ""},
		"two of them": {"alpha: 0.002\nalpha:\n" + text + "alpha: 0.002\n", Options{}, 0.002, ""},
	} {
		got, err := DiffPaired(load(t, c.text), c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Alpha != c.alpha || got.Looks != c.looks || got.Old != "baseline 0123456789ab" || got.New != "experiment fedcba" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestPairsOfZeros: a pair of zeros does not differ, and to a zero there is no ratio.
func TestPairsOfZeros(t *testing.T) {
	for _, c := range []struct {
		old, new, ratio float64
		warns           bool
	}{{0, 0, 1, false}, {0, 1, math.NaN(), true}, {1, 0, math.NaN(), true}} {
		got, err := DiffPaired(load(t, paired("", half{base, c.old, 1, 1, 1, 0}, half{exper, c.new, 1, 1, 1, 0})), Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := &got.Rows[0]
		if r.Effect.Ratio != c.ratio && !math.IsNaN(r.Effect.Ratio+c.ratio) || got.Significant(r) || (len(got.Warnings) > 0) != c.warns {
			t.Errorf("%v to %v: %+v, %q", c.old, c.new, r, got.Warnings)
		}
	}
}

func TestPairsRefused(t *testing.T) {
	a, b := half{base, 100, 1, 1, 1, 0}, half{exper, 100, 1, 1, 1, 0}
	other := b
	other.restart = 2
	for name, c := range map[string]struct {
		text string
		says string // after the path
	}{
		"no arm":             {"BenchmarkY 1 5 ns/seg\n" + paired("", a, b), `:1: toolchain ""`},
		"another arm":        {paired("", a, half{"control", 100, 1, 1, 1, 0}), `:4: toolchain "control"`},
		"no pair":            {"toolchain: baseline\nBenchmarkX 1 5 ns/seg 1 restart\ntoolchain: experiment\nBenchmarkX 1 5 ns/seg 1 restart\n", ":2: benchmark X: no value of pair"},
		"no restart":         {"toolchain: baseline\nBenchmarkX 1 5 ns/seg 1 pair\ntoolchain: experiment\nBenchmarkX 1 5 ns/seg 1 pair\n", ":2: benchmark X: no value of restart"},
		"pair twice":         {paired("", a, b, a), ":6: benchmark X: baseline has pair 1 twice, in line 2 too"},
		"restarts differ":    {paired("", a, other), ":4: benchmark X: restart 2; the other sample of its pair, in line 2, has 1"},
		"one arm":            {paired("", a), "no benchmark is in both arms"},
		"alpha":              {paired("alpha: much\n", a, b), `: alpha "much" is no number`},
		"alpha out of range": {paired("alpha: 2\n", a, b), "alpha 2"},
		"two comparisons":    {paired("alpha: 0.001\n", a, b) + paired("alpha: 0.002\n", a, b), `: line 6: a run with alpha "0.002" follows one with "0.001"`},
	} {
		f := load(t, c.text)
		_, err := DiffPaired(f, Options{})
		want := c.says
		if strings.HasPrefix(want, ":") {
			want = f.Path + want
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %q", name, err, want)
		}
	}
}
