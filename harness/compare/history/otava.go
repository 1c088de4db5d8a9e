package history

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"
)

// writeWide writes the runs by date, with the metrics that all of them have: Otava reads a number in every field and cannot do without one.
func writeWide(w io.Writer, c *collected) (left []string, err error) {
	runs := slices.Clone(c.runs)
	slices.SortStableFunc(runs, func(a, b *run) int { return a.date.Compare(b.date) })
	header := []string{"time", "commit"}
	var columns []map[*run]string
	for _, s := range c.series {
		column := map[*run]string{}
		for _, p := range s.Points {
			column[p.run] = strconv.FormatFloat(p.Median, 'g', -1, 64)
		}
		if name := s.metric() + " " + s.Unit; len(column) < len(runs) {
			left = append(left, name)
		} else {
			header, columns = append(header, name), append(columns, column)
		}
	}
	if len(columns) == 0 {
		return nil, errors.New("no metric has an undisturbed sample in every run: choose runs that have one in common")
	}
	out := csv.NewWriter(w)
	out.Write(header)
	for _, r := range runs {
		row := []string{r.date.UTC().Format(time.RFC3339), r.commit}
		for _, column := range columns {
			row = append(row, column[r])
		}
		out.Write(row)
	}
	out.Flush()
	return left, out.Error()
}
