package compare

import (
	"encoding/json"
	"io"
	"math"
)

// WriteJSON writes c as one object, whose members stay as they are; later versions may have more of them. Numbers that are not known are null.
//
//	old, new            what the arms are called
//	paired              whether they took turns, as in a file of pcbbench ab
//	alpha, confidence   of all rows together, and of intervals
//	tested              rows that Holm's correction counts
//	looks               which look at growing data this is, as "3 of 4", or ""
//	differ              facts that differ: key, old, new, level (refused, warned, said)
//	warnings            sentences
//	rows                table, name, unit; better (-1 lower, 1 higher, 0 not said); exact; missing ("", old, new); left, the values left out; verdict;
//	                    old and new: n, median; effect: ratio, low, high, p, p_adjusted, n, restarts
//	geomeans            table, unit, group ("" for all), rows, ratio
func (c *Comparison) WriteJSON(w io.Writer) error {
	out := jsonComparison{Old: c.Old, New: c.New, Paired: c.Paired, Alpha: c.Alpha, Confidence: c.Confidence, Tested: c.Tested, Looks: c.Looks,
		Differ: []jsonDifference{}, Warnings: append([]string{}, c.Warnings...), Geomeans: []jsonGeomean{}}
	for _, d := range c.Differ {
		out.Differ = append(out.Differ, jsonDifference(d))
	}
	for i := range c.Rows {
		out.Rows = append(out.Rows, c.jsonRow(&c.Rows[i]))
	}
	for _, g := range c.Geomeans {
		out.Geomeans = append(out.Geomeans, jsonGeomean(g))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

type jsonComparison struct {
	Old        string           `json:"old"`
	New        string           `json:"new"`
	Paired     bool             `json:"paired"`
	Alpha      float64          `json:"alpha"`
	Confidence float64          `json:"confidence"`
	Tested     int              `json:"tested"`
	Looks      string           `json:"looks"`
	Differ     []jsonDifference `json:"differ"`
	Warnings   []string         `json:"warnings"`
	Rows       []jsonRow        `json:"rows"`
	Geomeans   []jsonGeomean    `json:"geomeans"`
}

type jsonDifference struct {
	Key   string `json:"key"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Level Level  `json:"level"`
}

type jsonGeomean struct {
	Table string  `json:"table"`
	Unit  string  `json:"unit"`
	Group string  `json:"group"`
	Rows  int     `json:"rows"`
	Ratio float64 `json:"ratio"`
}

type jsonRow struct {
	Table   string     `json:"table"`
	Name    string     `json:"name"`
	Unit    string     `json:"unit"`
	Better  int        `json:"better"`
	Exact   bool       `json:"exact"`
	Missing string     `json:"missing"`
	Left    int        `json:"left"`
	Verdict string     `json:"verdict"`
	Old     jsonArm    `json:"old"`
	New     jsonArm    `json:"new"`
	Effect  jsonEffect `json:"effect"`
}

type jsonArm struct {
	N      int      `json:"n"`
	Median *float64 `json:"median"`
}

type jsonEffect struct {
	Ratio     *float64 `json:"ratio"`
	Low       *float64 `json:"low"`
	High      *float64 `json:"high"`
	P         *float64 `json:"p"`
	PAdjusted *float64 `json:"p_adjusted"`
	N         int      `json:"n"`
	Restarts  int      `json:"restarts"`
}

func (c *Comparison) jsonRow(r *Row) jsonRow {
	n := r.numbers()
	return jsonRow{r.Table, r.Name, r.Unit, r.Better, r.Exact, r.Missing, r.Left, c.Verdict(r), jsonArm{len(r.Old), finite(n.old)}, jsonArm{len(r.New), finite(n.new)},
		jsonEffect{finite(n.ratio), finite(n.low), finite(n.high), finite(n.p), finite(n.pAdj), r.Effect.N, r.Effect.Groups}}
}

// finite is nil for what JSON has no number for.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
