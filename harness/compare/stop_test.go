package compare

import (
	"math"
	"testing"
	"time"

	"pcbbench/harness/compare/verdict"
)

func TestRule(t *testing.T) {
	u := Rule{Unit: "ns/seg", Resolution: 0.01}
	inf := math.Inf(1)
	for _, c := range []struct {
		name  string
		row   Row
		open  bool
		needs time.Duration // after a minute
	}{
		{"told apart", Row{Unit: "ns/seg", PAdj: 0.001, Effect: verdict.Effect{Ratio: 1.02, Lo: 1.01, Hi: 1.03}}, false, time.Minute},
		{"the same", Row{Unit: "ns/seg", PAdj: 0.5, Effect: verdict.Effect{Ratio: 1, Lo: 0.995, Hi: 1.005}}, false, time.Minute},
		{"twice too wide", Row{Unit: "ns/seg", PAdj: 0.5, Effect: verdict.Effect{Ratio: 1, Lo: math.Exp(-0.02), Hi: math.Exp(0.02)}}, true, 4 * time.Minute},
		{"far off, and wider", Row{Unit: "ns/seg", PAdj: 0.02, Effect: verdict.Effect{Ratio: math.Exp(0.05), Lo: math.Exp(-0.05), Hi: math.Exp(0.15)}}, true, 4 * time.Minute},
		{"too high for its width", Row{Unit: "ns/seg", PAdj: 0.5, Effect: verdict.Effect{Ratio: 1.006, Lo: 1.001, Hi: 1.011}}, true, 0},
		{"too low for its width", Row{Unit: "ns/seg", PAdj: 0.5, Effect: verdict.Effect{Ratio: 0.994, Lo: 0.989, Hi: 0.999}}, true, 0},
		{"no interval", Row{Unit: "ns/seg", PAdj: 1, Effect: verdict.Effect{Ratio: 1, Lo: 0, Hi: inf}}, true, -1},
		{"another unit", Row{Unit: "p99-ns", PAdj: 1, Effect: verdict.Effect{Ratio: 1, Hi: inf}}, false, -1},
		{"in one arm only", Row{Unit: "ns/seg", Missing: "new", PAdj: 1, Effect: verdict.Effect{Ratio: math.NaN(), Hi: inf}}, false, -1},
		{"a count", Row{Unit: "ns/seg", Exact: true, PAdj: 1, Effect: verdict.Effect{Ratio: 1, Hi: inf}}, false, -1},
	} {
		open := u.Open(&Comparison{Alpha: 0.01, Rows: []Row{c.row}})
		if (len(open) == 1) != c.open {
			t.Errorf("%s: open %v, want %v", c.name, open, c.open)
		}
		switch needs := u.Needs(c.row, time.Minute); {
		case c.needs > 0 && (needs-c.needs).Abs() > c.needs/30:
			t.Errorf("%s: needs %v, want %v", c.name, needs, c.needs)
		case c.needs < 0 && needs != 0:
			t.Errorf("%s: needs %v without an interval", c.name, needs)
		}
	}
}
