package history

import (
	"errors"
	"fmt"
	"io"
	"math"

	"golang.org/x/perf/benchmath"
)

// A gabEntry is BenchmarkResult of github-action-benchmark.
type gabEntry struct {
	Name  string  `json:"name"` // with the unit: the action finds the value before by name alone
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	Range string  `json:"range,omitempty"` // half of the interval in the value's unit: the action reads a number after ±
	Extra string  `json:"extra"`
}

// writeGAB writes what is better in the given direction: the action takes all that a file holds to be so.
func writeGAB(w io.Writer, c *collected, better int) ([]string, error) {
	entries := []gabEntry{}
	left, err := latests(c, func(s *Series, p *Point, sum benchmath.Summary) error {
		if s.Better != better {
			return nil
		}
		e := gabEntry{Name: s.metric() + " " + s.Unit, Unit: s.Unit, Value: sum.Center}
		if half := max(sum.Hi-sum.Center, sum.Center-sum.Lo); !math.IsInf(half, 0) {
			e.Range = "± " + number(half)
		}
		e.Extra = fmt.Sprintf("commit %s\n%s\n%d left out as disturbed", p.at(), plural(len(p.Samples), "sample"), p.Left)
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("no metric is better in that direction, and the action refuses an empty list")
	}
	return left, writeJSON(w, entries)
}
