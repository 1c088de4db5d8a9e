package compare

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
)

// WriteCSV writes a line for each row of c after one with the names of its columns. Values are in the row's unit; what is not known is empty.
// Geometric means, warnings and notes are not there: see WriteJSON.
func (c *Comparison) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	lines := [][]string{{"table", "row", "unit", "old", "old_n", "new", "new_n", "ratio", "ratio_low", "ratio_high", "p", "p_adjusted", "restarts", "left_out", "exact", "missing", "verdict"}}
	for i := range c.Rows {
		r := &c.Rows[i]
		n := r.numbers()
		lines = append(lines, []string{r.Table, r.Name, r.Unit, number(n.old), fmt.Sprint(len(r.Old)), number(n.new), fmt.Sprint(len(r.New)), number(n.ratio), number(n.low),
			number(n.high), number(n.p), number(n.pAdj), fmt.Sprint(r.Effect.Groups), fmt.Sprint(r.Left), fmt.Sprint(r.Exact), r.Missing, c.Verdict(r)})
	}
	return out.WriteAll(lines)
}

// numbers are what programs get to know of a row; NaN is not known.
type numbers struct{ old, new, ratio, low, high, p, pAdj float64 }

func (r *Row) numbers() numbers {
	e, unknown := r.Effect, math.NaN()
	n := numbers{centre(r.Old), centre(r.New), e.Ratio, e.Lo, e.Hi, e.P, r.PAdj}
	if !r.bounded() {
		n.low, n.high = unknown, unknown
	}
	if e.N == 0 {
		n.p, n.pAdj = unknown, unknown
	}
	return n
}

// centre is a median, NaN of nothing.
func centre(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return median(v)
}

func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
