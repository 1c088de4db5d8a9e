// Package compare reads results. It knows benchmark text and nothing of the code that wrote it.
package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchmath"

	"pcbbench/harness/compare/file"
)

// A Table is the time a segment of every variant of a results file, by setting and scheme.
type Table struct {
	Settings []Setting
	values   map[string][]string // name key: its values in order of appearance
}

// A Setting is everything in a name but the scheme.
type Setting struct {
	keys    map[string]string
	Samples map[string][]float64 // ns/seg by scheme
}

// timeUnit is the metric that decides who wins, as benchfmt tidies it.
const timeUnit = "sec/seg"

// NewTable makes f's. It has no row if no result of f has a time a segment.
func NewTable(f *file.File) *Table {
	t := &Table{values: map[string][]string{}}
	index := map[string]int{}
	for _, r := range f.Results {
		t.add(r, index)
	}
	return t
}

func (t *Table) add(rec *file.Result, index map[string]int) {
	v, ok := rec.Value(timeUnit)
	if !ok {
		return
	}
	keys, scheme, setting := map[string]string{}, "", ""
	_, parts := rec.Name.Parts()
	for _, part := range parts {
		key, val, _ := strings.Cut(strings.TrimPrefix(string(part), "/"), "=")
		if key == "scheme" {
			scheme = val
			continue
		}
		if !slices.Contains(t.values[key], val) {
			t.values[key] = append(t.values[key], val)
		}
		keys[key] = val
		setting += string(part)
	}
	i, ok := index[setting]
	if !ok {
		i = len(t.Settings)
		index[setting] = i
		t.Settings = append(t.Settings, Setting{keys: keys, Samples: map[string][]float64{}})
	}
	t.Settings[i].Samples[scheme] = append(t.Settings[i].Samples[scheme], v)
}

// settingKeys are what may tell one setting of a mix from another, the workers aside.
var settingKeys = []string{"work", "lock", "dispatch", "conns", "batch", "affinity", "pin", "roles", "arrivals", "load", "rate"}

// BenchstatArgs are benchstat's arguments for a table a worker count, with a column for each scheme, in the given order and then by name,
// and a row for each setting, named by what differs between settings.
func (t *Table) BenchstatArgs(order []string) []string {
	var here []string
	for _, r := range t.Settings {
		for s := range r.Samples {
			if !slices.Contains(here, s) {
				here = append(here, s)
			}
		}
	}
	slices.SortFunc(here, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(order, a), rank(order, b)), cmp.Compare(a, b))
	})
	for i := range here {
		here[i] = strconv.Quote(here[i])
	}
	rows := "/mix"
	for _, key := range settingKeys {
		if t.varies(key) {
			rows += " /" + key
			if _, err := strconv.Atoi(t.values[key][0]); err == nil {
				rows += "@num"
			}
		}
	}
	return []string{"-filter", ".unit:(ns/seg OR p99-ns OR lat-p99-ns)", "-table", ".config /workers@num", "-col", "/scheme@(" + strings.Join(here, " ") + ")", "-row", rows}
}

// rank is where a scheme stands in order, its options aside.
func rank(order []string, scheme string) int {
	name, _, _ := strings.Cut(scheme, ":")
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

// varies reports whether settings differ in key, connections that follow from the mix aside. One that some do not name, as the roles where one
// thread does all, differs too.
func (t *Table) varies(key string) bool {
	if key == "conns" && t.follows(key, "mix") {
		return false
	}
	return slices.ContainsFunc(t.Settings, func(r Setting) bool { return r.keys[key] != t.Settings[0].keys[key] })
}

// follows reports whether key's value is the same wherever of's is.
func (t *Table) follows(key, of string) bool {
	seen := map[string]string{}
	for _, r := range t.Settings {
		if v, ok := seen[r.keys[of]]; ok && v != r.keys[key] {
			return false
		}
		seen[r.keys[of]] = r.keys[key]
	}
	return true
}

// Sentences says which scheme won where: one sentence for the fewest workers, one for the most. Controls do not compete. A setting is won by
// the scheme with the lowest median together with those that the Mann-Whitney U test does not tell from it (p < 0.05).
func (t *Table) Sentences(controls []string) string {
	counts := slices.Clone(t.values["workers"])
	slices.SortFunc(counts, func(a, b string) int { return cmp.Compare(atoi(a), atoi(b)) })
	if len(counts) == 0 {
		return "No result names its number of workers."
	}
	first := t.sentence(counts[0], controls)
	if len(counts) == 1 {
		return first
	}
	return first + "\n" + t.sentence(counts[len(counts)-1], controls)
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// A victory is one scheme's, or several's together, in some settings.
type victory struct {
	who      string
	settings []string
	leads    []float64 // over the next, as a share
}

func (t *Table) sentence(workers string, controls []string) string {
	var wins []*victory
	open, rows := 0, 0
	for _, r := range t.Settings {
		if r.keys["workers"] != workers {
			continue
		}
		winners, next := r.winners(controls)
		if len(winners) == 0 {
			continue
		}
		rows++
		if next == "" {
			open++
			continue
		}
		who := strings.Join(slices.Sorted(slices.Values(winners)), " or ")
		i := slices.IndexFunc(wins, func(v *victory) bool { return v.who == who })
		if i < 0 {
			i = len(wins)
			wins = append(wins, &victory{who: who})
		}
		wins[i].settings = append(wins[i].settings, t.short(r))
		wins[i].leads = append(wins[i].leads, median(r.Samples[next])/median(r.Samples[winners[0]])-1)
	}
	slices.SortStableFunc(wins, func(a, b *victory) int { return cmp.Compare(len(b.settings), len(a.settings)) })
	return phrase(workers, rows, open, wins)
}

func phrase(workers string, rows, open int, wins []*victory) string {
	noun := "workers"
	if workers == "1" {
		noun = "worker"
	}
	if rows == 0 {
		return fmt.Sprintf("With %s %s no two schemes can be compared.", workers, noun)
	}
	var parts []string
	for _, v := range wins {
		parts = append(parts, fmt.Sprintf("%s won %d of %d settings (%s) by %.0f%% in the median over the next", v.who, len(v.settings), rows,
			strings.Join(v.settings, ", "), 100*median(v.leads)))
	}
	if open > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d had no clear winner", open, rows))
	}
	return fmt.Sprintf("With %s %s %s.", workers, noun, strings.Join(parts, ", and "))
}

// short names a setting by mix and work, and by what else differs between settings.
func (t *Table) short(r Setting) string {
	name := r.keys["mix"]
	for _, key := range settingKeys {
		if v := r.keys[key]; v != "" && (key == "work" || t.varies(key)) {
			name += " " + key + "=" + v
		}
	}
	return name
}

// winners are the scheme with the lowest median, first, and those not told from it; next is the best of the rest, "" if there is none.
// Where fewer than two schemes compete nobody wins.
func (r *Setting) winners(controls []string) (winners []string, next string) {
	var names []string
	for s, v := range r.Samples {
		if !slices.Contains(controls, s) && len(v) > 0 {
			names = append(names, s)
		}
	}
	if len(names) < 2 {
		return nil, ""
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(median(r.Samples[a]), median(r.Samples[b])), cmp.Compare(a, b))
	})
	for _, s := range names {
		switch {
		case !differ(r.Samples[names[0]], r.Samples[s]):
			winners = append(winners, s)
		case next == "":
			next = s
		}
	}
	return winners, next
}

func differ(a, b []float64) bool {
	th := benchmath.DefaultThresholds
	c := benchmath.AssumeNothing.Compare(benchmath.NewSample(slices.Clone(a), &th), benchmath.NewSample(slices.Clone(b), &th))
	return c.P < c.Alpha
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

// Torture is what a results file says of the torture of the code that made it: of each of its runs, as files may be joined. A file that does not
// say is an answer too.
func Torture(f *file.File) (said []string) { return tortured(f.Runs) }

// What a file says of the torture, and what it says where there was none.
const (
	tortureFact = "torture"
	notTortured = "not run"
)

func tortured(runs []*file.Run) (said []string) {
	for _, r := range runs {
		if val := cmp.Or(r.Facts[tortureFact], notTortured); !slices.Contains(said, val) {
			said = append(said, val)
		}
	}
	return said
}
