package file

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"
)

const disturbedUnit = "disturbed"

// own reports whether pcbbench made the run, of whose files more is known than of others'.
func (r *Run) own() bool { return r.Facts["cpus-allowed"] != "" }

// neutral are the units of pcbbench that no Unit line names, as neither direction of them is better. Its counters are not among them: see counter.
var neutral = []string{"offered-segs/s", "pingpong-ns", "pingpong-class", "mul-ns", "late", "rundelay-ns", "steal-ns", "foreign-ns", disturbedUnit, "pair", "restart"}

// counter reports whether a scheme's or a mix's counter may be called so: a count a segment, or a gauge.
func counter(unit string) bool {
	name, per, ratio := strings.Cut(unit, "/")
	return name != "" && !slices.Contains(strings.Split(name, "-"), "ns") && (!ratio || per == "seg")
}

// Written is a value with its unit as it stands in the file.
func Written(v benchfmt.Value) (value float64, unit string) {
	if v.OrigUnit != "" {
		return v.OrigValue, v.OrigUnit
	}
	return v.Value, v.Unit
}

// checkUnit holds a Unit line to what is known of such lines.
func (l *loader) checkUnit(u *benchfmt.UnitMetadata) error {
	known := map[string][]string{"better": {"higher", "lower"}, "assume": {"nothing", "exact"}}[u.Key]
	if known != nil && !slices.Contains(known, u.Value) {
		path, line := u.Pos()
		return fmt.Errorf("%s:%d: unit %s: %s=%s; want one of %s", path, line, u.OrigUnit, u.Key, u.Value, strings.Join(known, ", "))
	}
	return nil
}

// checkResult holds a result to what can have been measured.
func (l *loader) checkResult(r *Result, own bool) error {
	if r.Iters <= 0 {
		return l.bad(r, "%d iterations: nothing was measured", r.Iters)
	}
	var seen []string
	var time, rate float64
	for _, val := range r.Values {
		v, unit := Written(val)
		switch unit {
		case "ns/seg":
			time = v
		case "segs/s":
			rate = v
		}
		if slices.Contains(seen, unit) {
			return l.bad(r, "unit %s stands there twice", unit)
		}
		seen = append(seen, unit)
		if err := impossible(v, unit, own); err != "" {
			return l.bad(r, "%s", err)
		}
	}
	if time > 0 && rate > 0 && math.Abs(time*rate/1e9-1) > 1e-4 { // they are written with six digits
		return l.bad(r, "%v ns/seg are not %v segs/s: one of them was edited", time, rate)
	}
	return nil
}

func (l *loader) bad(r *Result, format string, args ...any) error {
	return fmt.Errorf("%s:%d: benchmark %s: %s", l.path, r.Line, r.Name, fmt.Sprintf(format, args...))
}

// impossible says why nobody has measured v, "" if that may be. Of others' units only times, rates and what testing reports are known not to be negative.
func impossible(v float64, unit string, own bool) (why string) {
	_, tidy := benchunit.Tidy(v, unit)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Sprintf("%v %s is no measurement", v, unit)
	case v < 0 && (own || strings.Contains(tidy, "sec") || strings.HasSuffix(tidy, "/s") || strings.HasSuffix(tidy, "/op")):
		return fmt.Sprintf("%v %s is negative", v, unit)
	case unit == disturbedUnit && v != 0 && v != 1:
		return fmt.Sprintf("%v %s; want 0 or 1", v, unit)
	}
	if _, err := strconv.ParseFloat(unit, 64); err == nil {
		return fmt.Sprintf("%v is followed by %s where its unit should stand", v, unit)
	}
	return ""
}

// series are the results of one benchmark: what the units of one tell of another.
type series struct {
	marked, unmarked *Result // one that says whether it was disturbed, and one that does not
	before           *Result // the last one
	fewest           int     // values of a result
}

// note takes notes of a result for check.
func (l *loader) note(r *Result) error {
	s := l.series[string(r.Name)]
	if s == nil {
		s = &series{fewest: math.MaxInt}
		l.series[string(r.Name)] = s
	}
	if s.before != nil {
		s.fewest = min(s.fewest, len(s.before.Values))
	}
	l.cutOff = s.before != nil && len(r.Values) < s.fewest && begins(s.before, r)
	s.before = r
	if _, ok := r.Value(disturbedUnit); ok {
		s.marked, l.cutOff = r, false // counters that a sample may or may not have come after it
	} else {
		s.unmarked = r
	}
	if s.marked != nil && s.unmarked != nil {
		return l.bad(s.unmarked, "no value of %s, which line %d has: the line is cut off or edited", disturbedUnit, s.marked.Line)
	}
	return nil
}

// begins reports whether long's units begin with short's.
func begins(long, short *Result) bool {
	for i, val := range short.Values {
		_, a := Written(long.Values[i])
		if _, b := Written(val); a != b {
			return false
		}
	}
	return true
}

// check is what only the whole file tells.
func (l *loader) check() error {
	if last := l.file.Results[len(l.file.Results)-1]; l.cutOff {
		return l.bad(last, "the file's last result has %d values, fewer than all others of it: the file is cut off", len(last.Values))
	}
	known := map[string]bool{}
	for _, r := range l.file.Results {
		if !r.Run.own() || r.Toolchain() != "" { // another revision may have other units
			continue
		}
		for _, val := range r.Values {
			_, unit := Written(val)
			if !known[unit] && !l.known(unit) {
				return l.bad(r, "unit %s is unknown: no Unit line names it, and it is no counter of pcbbench; was the line edited?", unit)
			}
			known[unit] = true
		}
	}
	return nil
}

// known reports whether pcbbench can have written unit.
func (l *loader) known(unit string) bool {
	return l.file.Units.Get(unit, "better") != nil || l.file.Units.Get(unit, "assume") != nil || slices.Contains(neutral, unit) || counter(unit)
}
