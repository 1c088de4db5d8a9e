package gate

import (
	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
)

// ClassUnit is the metric that says where the CPUs were that a sample was taken on.
const ClassUnit = "pingpong-class"

// Places are rows of ClassUnit, by name, for a comparison of old with new: with them Judge refuses to compare rows whose arms were mostly measured in
// different places. Files of pairs need none, as their pairs see to it themselves.
func Places(old, new *file.File) (rows []compare.Row) {
	index := map[string]int{}
	for _, f := range []*file.File{old, new} {
		for _, r := range f.Results {
			class, ok := r.Value(ClassUnit)
			if !ok || r.Disturbed {
				continue
			}
			i, ok := index[string(r.Name)]
			if !ok {
				i = len(rows)
				index[string(r.Name)] = i
				rows = append(rows, compare.Row{Name: string(r.Name), Unit: ClassUnit})
			}
			if f == old {
				rows[i].Old = append(rows[i].Old, class)
			} else {
				rows[i].New = append(rows[i].New, class)
			}
		}
	}
	return rows
}

// classes are the rows of ClassUnit by name.
type classes map[string]compare.Row

func classesOf(c *compare.Comparison) classes {
	m := classes{}
	for _, r := range c.Rows {
		if r.Unit == ClassUnit {
			m[r.Name] = r
		}
	}
	return m
}

// differ reports whether one class dominates the old arm of r's benchmark and another the new one.
func (m classes) differ(r *row) bool {
	before, after := dominating(m[r.Name].Old), dominating(m[r.Name].New)
	return before != 0 && after != 0 && before != after
}

// dominating is the class of more than half of the samples, 0 if there is none.
func dominating(samples []float64) float64 {
	n := map[float64]int{}
	for _, class := range samples {
		if n[class]++; 2*n[class] > len(samples) {
			return class
		}
	}
	return 0
}
