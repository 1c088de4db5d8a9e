package history

import (
	"fmt"
	"io"
	"math"
	"strings"

	"golang.org/x/perf/benchmath"
)

// A bmfMetric is JsonNewMetric of Bencher.
type bmfMetric struct {
	Value float64  `json:"value"`
	Lower *float64 `json:"lower_value,omitempty"`
	Upper *float64 `json:"upper_value,omitempty"`
}

// bmfName is the longest name of a benchmark that Bencher takes, in bytes.
const bmfName = 1024

func writeBMF(w io.Writer, c *collected) ([]string, error) {
	results := map[string]map[string]bmfMetric{}
	left, err := latests(c, func(s *Series, p *Point, sum benchmath.Summary) error {
		name, measure := s.metric(), slug(s.Unit)
		if len(name) > bmfName {
			return fmt.Errorf("%s: Bencher takes no name longer than %d bytes", name, bmfName)
		}
		if results[name] == nil {
			results[name] = map[string]bmfMetric{}
		}
		if _, ok := results[name][measure]; ok {
			return fmt.Errorf("%s: two units become the same measure %s: choose with -unit", name, measure)
		}
		m := bmfMetric{Value: sum.Center}
		if !math.IsInf(sum.Lo, 0) && !math.IsInf(sum.Hi, 0) {
			m.Lower, m.Upper = &sum.Lo, &sum.Hi
		}
		results[name][measure] = m
		return nil
	})
	if err != nil {
		return nil, err
	}
	return left, writeJSON(w, results)
}

// slug is a unit as the name of a measure: small letters and digits with single dashes between, 64 at most.
func slug(unit string) string {
	words := strings.FieldsFunc(strings.ToLower(unit), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	s := strings.Join(words, "-")
	return strings.TrimRight(s[:min(64, len(s))], "-")
}
