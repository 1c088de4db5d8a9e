package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Geomean is the geometric mean of the ratios of a group of rows: a picture of the whole, and no verdict.
type Geomean struct {
	Table, Unit string
	Group       string // "scheme=smr"; "" is all of table and unit
	Rows        int    // that have a ratio; there are two at least
	Ratio       float64
}

// geomeans fills them in: of each table and unit and, where it has several schemes, of each of these.
func (c *Comparison) geomeans() {
	for i, r := range c.Rows {
		if i > 0 && r.Table == c.Rows[i-1].Table && r.Unit == c.Rows[i-1].Unit {
			continue
		}
		whole := c.geomean(r.Table, r.Unit, "")
		c.addGeomean(whole)
		for _, scheme := range c.schemes(r.Table, r.Unit) {
			if g := c.geomean(r.Table, r.Unit, scheme); g.Rows < whole.Rows {
				c.addGeomean(g)
			}
		}
	}
}

func (c *Comparison) addGeomean(g Geomean) {
	if g.Rows > 1 {
		c.Geomeans = append(c.Geomeans, g)
	}
}

// schemes are the schemes of a table's rows, in their order.
func (c *Comparison) schemes(table, unit string) (list []string) {
	for _, r := range c.Rows {
		if s := scheme(r.Name); r.Table == table && r.Unit == unit && s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// scheme is the word of a name that says which.
func scheme(name string) string {
	for _, word := range strings.Fields(name) {
		if strings.HasPrefix(word, "scheme=") {
			return word
		}
	}
	return ""
}

func (c *Comparison) geomean(table, unit, group string) Geomean {
	g := Geomean{Table: table, Unit: unit, Group: group}
	var logs float64
	for _, r := range c.Rows {
		ratio := r.Effect.Ratio
		if r.Table != table || r.Unit != unit || r.Missing != "" || group != "" && scheme(r.Name) != group || !(ratio > 0) || math.IsInf(ratio, 1) {
			continue
		}
		g.Rows++
		logs += math.Log(ratio)
	}
	g.Ratio = math.Exp(logs / float64(g.Rows))
	return g
}

// warnOfPlacement says if the arms were measured on CPUs that lay otherwise: such samples do not compare, and pairs see to it themselves.
func (c *Comparison) warnOfPlacement(col *collector) {
	if c.Paired {
		return
	}
	old, new := col.placement(0), col.placement(1)
	if old != new && old != "" && new != "" {
		c.Warnings = append(c.Warnings, fmt.Sprintf("Most samples of %s were taken on CPUs that lay %s, most of %s on such that lay %s: contended times do not compare.", c.Old, old, c.New, new))
	}
}

// placement is where most of an arm's samples say that the CPUs lay, "" if none says.
func (col *collector) placement(arm int) string {
	names := []string{"", "near", "far", "where they moved"}
	count := make([]int, len(names))
	for _, cell := range col.cells {
		for _, s := range cell.arms[arm].samples {
			if class, ok := s.Value(classUnit); ok && !s.Disturbed && class > 0 && int(class) < len(names) {
				count[int(class)]++
			}
		}
	}
	return names[slices.Index(count, slices.Max(count))]
}
