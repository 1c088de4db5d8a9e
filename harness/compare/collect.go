package compare

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"

	"pcbbench/harness/compare/file"
	"pcbbench/harness/compare/verdict"
)

// A collector sorts samples into cells.
type collector struct {
	filter              *benchproc.Filter
	row, table, residue *benchproc.Projection
	units               []string
	meta                benchfmt.UnitMetadataMap
	cells               map[cellKey]*cell
	seen                [2]bool // arms that have a sample
}

type cellKey struct {
	table, row benchproc.Key
	unit       string
}

// A cell is one row before anything is computed.
type cell struct {
	cellKey
	arms  [2]arm
	exact bool
}

type arm struct {
	samples []sample
	residue benchproc.Key // what names of all samples have in common that is in no projection
}

type sample struct {
	value float64
	*file.Result
}

func newCollector(o Options, files ...*file.File) (c *collector, err error) {
	c = &collector{cells: map[cellKey]*cell{}}
	if c.filter, err = benchproc.NewFilter(cmp.Or(o.Filter, "*")); err != nil {
		return nil, fmt.Errorf("filter: %s", oneLine(err))
	}
	var p benchproc.ProjectionParser
	if c.table, err = p.Parse(cmp.Or(o.Table, "pkg"), c.filter); err != nil {
		return nil, fmt.Errorf("table: %s", oneLine(err))
	}
	if c.row, err = p.Parse(cmp.Or(o.Row, DefaultRow), c.filter); err != nil {
		return nil, fmt.Errorf("row: %s", oneLine(err))
	}
	if _, err := p.Parse(".config", nil); err != nil { // differences of facts are told as such
		return nil, err
	}
	c.residue = p.Residue()
	if c.meta, err = mergeUnits(files); err != nil {
		return nil, err
	}
	c.units, err = chooseUnits(o.Units, files)
	return c, err
}

// oneLine is what err says in its first line: below it stands the query, with a mark.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// mergeUnits is what the files' Unit lines say together.
func mergeUnits(files []*file.File) (benchfmt.UnitMetadataMap, error) {
	all := benchfmt.UnitMetadataMap{}
	for _, f := range files {
		for _, key := range slices.SortedFunc(maps.Keys(f.Units), func(a, b benchfmt.UnitMetadataKey) int {
			return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Key, b.Key))
		}) {
			u := f.Units[key]
			if have := all[key]; have != nil && have.Value != u.Value {
				a, _ := have.Pos()
				return nil, fmt.Errorf("unit %s is %s=%s in %s and %s=%s in %s: they do not compare", u.OrigUnit, key.Key, have.Value, a, key.Key, u.Value, f.Path)
			}
			all[key] = u
		}
	}
	return all, nil
}

// markers are values that say what a result is, and measure nothing.
var markers = []string{"disturbed", classUnit, pairUnit, restartUnit}

// chooseUnits are those wanted, or the default ones; each is in some result.
func chooseUnits(want []string, files []*file.File) ([]string, error) {
	var there []string
	for _, f := range files {
		for _, r := range f.Results {
			for _, v := range r.Values {
				if _, unit := file.Written(v); !slices.Contains(there, unit) {
					there = append(there, unit)
				}
			}
		}
	}
	for _, unit := range want {
		if !slices.Contains(there, unit) {
			return nil, fmt.Errorf("no result has unit %q; there are %s", unit, strings.Join(there, ", "))
		}
	}
	if len(want) > 0 {
		return want, nil
	}
	if usual := slices.DeleteFunc(slices.Clone(DefaultUnits), func(u string) bool { return !slices.Contains(there, u) }); len(usual) > 0 {
		return usual, nil
	}
	return slices.DeleteFunc(there, func(u string) bool { return slices.Contains(markers, u) }), nil
}

// add sorts a result's values into an arm of their cells.
func (c *collector) add(arm int, r *file.Result) error {
	match, err := c.filter.Match(r.Result)
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if !match.Any() {
		return nil
	}
	table, row, residue := c.table.Project(r.Result), c.row.Project(r.Result), c.residue.Project(r.Result)
	for i, v := range r.Values {
		value, unit := file.Written(v)
		if !match.Test(i) || !slices.Contains(c.units, unit) {
			continue
		}
		key := cellKey{table, row, unit}
		if c.cells[key] == nil {
			c.cells[key] = &cell{cellKey: key, exact: c.meta.GetAssumption(unit) == benchmath.AssumeExact}
		}
		a := &c.cells[key].arms[arm]
		if len(a.samples) > 0 && a.residue != residue {
			return fmt.Errorf("one row would hold %s and %s: have the row's projection name what tells them apart", a.samples[0].Name, r.Name)
		}
		a.residue = residue
		a.samples = append(a.samples, sample{value, r})
		c.seen[arm] = true
	}
	return nil
}

// sorted are the cells by table, unit and row.
func (c *collector) sorted() []*cell {
	tables, rows := map[benchproc.Key]int{}, map[benchproc.Key]int{}
	for key := range c.cells {
		tables[key.table], rows[key.row] = 0, 0
	}
	number := func(m map[benchproc.Key]int) {
		keys := slices.Collect(maps.Keys(m))
		benchproc.SortKeys(keys)
		for i, k := range keys {
			m[k] = i
		}
	}
	number(tables)
	number(rows)
	return slices.SortedFunc(maps.Values(c.cells), func(a, b *cell) int {
		return cmp.Or(cmp.Compare(tables[a.table], tables[b.table]), cmp.Compare(slices.Index(c.units, a.unit), slices.Index(c.units, b.unit)),
			cmp.Compare(rows[a.row], rows[b.row]))
	})
}

// keyText spells a key: "mix=rpc workers=2", and names as they are.
func keyText(k benchproc.Key) string {
	var words []string
	for _, field := range k.Projection().FlattenedFields() {
		switch val := k.Get(field); {
		case val == "":
		case strings.HasPrefix(field.Name, "."):
			words = append(words, val)
		default:
			words = append(words, strings.TrimPrefix(field.Name, "/")+"="+val)
		}
	}
	return strings.Join(words, " ")
}

// missing says which arm has no sample.
func (c *cell) missing() string {
	switch {
	case len(c.arms[0].samples) == 0:
		return "old"
	case len(c.arms[1].samples) == 0:
		return "new"
	}
	return ""
}

// unpaired compares the undisturbed samples of both arms.
func (c *cell) unpaired(confidence float64) (Row, error) {
	r := Row{Missing: c.missing()}
	r.Old, r.New = c.arms[0].undisturbed(), c.arms[1].undisturbed()
	r.Left = len(c.arms[0].samples) + len(c.arms[1].samples) - len(r.Old) - len(r.New)
	if !c.exactly(&r) {
		r.Effect = verdict.Unpaired(r.Old, r.New, confidence)
	}
	return r, nil
}

func (a *arm) undisturbed() (values []float64) {
	for _, s := range a.samples {
		if !s.Disturbed {
			values = append(values, s.value)
		}
	}
	return values
}

// exactly compares r's samples if they are exact. An arm in which they vary all the same tells nothing.
func (c *cell) exactly(r *Row) bool {
	if !c.exact {
		return false
	}
	r.Exact = true
	r.Effect = verdict.Effect{Ratio: math.NaN(), Hi: math.Inf(1), P: 1, N: min(len(r.Old), len(r.New))}
	if r.Effect.N == 0 || r.varies() {
		return true
	}
	ratio := 1.0
	if old, new := r.Old[0], r.New[0]; old != new {
		ratio, r.Effect.P = new/old, 0
	}
	r.Effect.Ratio, r.Effect.Lo, r.Effect.Hi = ratio, ratio, ratio
	return true
}

// varies reports whether samples of one arm are not the same.
func (r *Row) varies() bool { return !constant(r.Old) || !constant(r.New) }

func constant(v []float64) bool { return len(v) == 0 || slices.Min(v) == slices.Max(v) }
