package history

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"

	"pcbbench/harness/compare/file"
)

// A run is one run of one binary: of a paired file, one arm of it.
type run struct {
	path   string
	line   int
	arm    string // "", baseline or experiment
	commit string
	date   time.Time
	dirty  bool
	setup  map[string]string
	rank   int // its commit's place in git's order, or 0
}

// collected is what files hold.
type collected struct {
	runs   []*run
	setups []*Setup
	series []*Series
}

// The placements of the first two workers' CPUs, as a sample's pingpong-class has them. Nothing compares from one to another, and a sample in which the
// CPUs moved compares with nothing.
const moved = 3

type runKey struct {
	run *file.Run
	arm string
}

// A seriesKey names a series before the setups are numbered.
type seriesKey struct{ name, unit, class, setup string }

// A collector puts the results of files together.
type collector struct {
	collected
	Options
	filter *benchproc.Filter
	byRun  map[runKey]*run
	index  map[seriesKey]*Series
	points map[*Series]map[*run]*Point
}

// collect makes series of files' results, not yet in order.
func collect(files []*file.File, o Options) (*collected, error) {
	filter, err := benchproc.NewFilter(cmp.Or(o.Filter, "*"))
	if err != nil {
		return nil, fmt.Errorf("filter %q: %s", o.Filter, firstLine(err))
	}
	c := &collector{Options: o, filter: filter, byRun: map[runKey]*run{}, index: map[seriesKey]*Series{}, points: map[*Series]map[*run]*Point{}}
	for _, f := range files {
		for _, r := range f.Results {
			if err := c.add(f, r); err != nil {
				return nil, err
			}
		}
	}
	if len(c.series) == 0 {
		return nil, fmt.Errorf("no result of %d files is left after filter %q and units %q", len(files), o.Filter, o.Units)
	}
	c.finish()
	return &c.collected, nil
}

// add takes in one result.
func (c *collector) add(f *file.File, r *file.Result) error {
	m, err := c.filter.Match(r.Result)
	if err != nil || !m.Any() {
		return err
	}
	of, err := c.run(f, r)
	if err != nil {
		return err
	}
	class, left := "", r.Disturbed
	if v, ok := r.Value("pingpong-class"); ok {
		class, left = strconv.FormatFloat(v, 'g', -1, 64), left || v == moved
	}
	for i, v := range r.Values {
		unit, value := v.Unit, v.Value
		if v.OrigUnit != "" {
			unit, value = v.OrigUnit, v.OrigValue
		}
		if !m.Test(i) || !c.wants(unit, f.Units.GetBetter(v.Unit)) {
			continue
		}
		c.value(f, r, of, seriesKey{string(r.Name.Full()), unit, class, setupKey(of.setup)}, v.Unit, value, left)
	}
	return nil
}

func (c *collector) wants(unit string, better int) bool {
	if len(c.Units) == 0 {
		return better != 0
	}
	return slices.Contains(c.Units, unit)
}

// value takes in one value of a result.
func (c *collector) value(f *file.File, r *file.Result, of *run, key seriesKey, tidied string, value float64, left bool) {
	s := c.index[key]
	if s == nil {
		s = &Series{Name: key.name, Unit: key.unit, Class: key.class, Better: f.Units.GetBetter(tidied), Exact: f.Units.GetAssumption(tidied) == benchmath.AssumeExact, first: r}
		c.index[key] = s
		c.points[s] = map[*run]*Point{}
		c.series = append(c.series, s)
	}
	p := c.points[s][of]
	if p == nil {
		p = &Point{File: filepath.Base(of.path), Line: of.line, Commit: of.commit, Date: of.date, Dirty: of.dirty, run: of}
		c.points[s][of] = p
	}
	if left {
		p.Left++
	} else {
		p.Samples = append(p.Samples, value)
	}
}

// A commit's name as git writes it; nothing else is handed to git.
var commitName = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// run is the run that r belongs to.
func (c *collector) run(f *file.File, r *file.Result) (*run, error) {
	arm := r.GetConfig(file.ToolchainKey)
	key := runKey{r.Run, arm}
	if known := c.byRun[key]; known != nil {
		return known, nil
	}
	facts := r.Run.Facts
	commit, date := "commit", cmp.Or(facts["date"], facts["runstamp"])
	switch arm {
	case "":
	case "baseline", "experiment":
		commit = arm + "-commit"
	default:
		return nil, fmt.Errorf("%s:%d: toolchain %q is neither baseline nor experiment", f.Path, r.Line, arm)
	}
	if !commitName.MatchString(facts[commit]) {
		return nil, fmt.Errorf("%s:%d: the run has no place in the history, as its fact %s is %q: measure with a binary that git's state was built into, or leave the file out",
			f.Path, r.Run.Line, commit, facts[commit])
	}
	when, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: the run has no place in the history, as its date %q is none like 2006-01-02T15:04:05Z", f.Path, r.Run.Line, date)
	}
	made := &run{path: f.Path, line: r.Run.Line, arm: arm, commit: facts[commit], date: when, dirty: dirty(facts, arm), setup: setupOf(facts)}
	c.byRun[key] = made
	c.runs = append(c.runs, made)
	return made, nil
}

// dirty says whether what was measured is not quite its commit. A revision that was checked out to be built is; for an arm, dirty tells of the driver only.
func dirty(facts map[string]string, arm string) bool {
	switch arm {
	case "baseline":
		return false
	case "experiment":
		return facts["experiment-dirty"] == "yes"
	}
	return facts["dirty"] != "no"
}

// firstLine is an error of benchproc's without the picture of where it is.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// finish makes points of what was gathered. A run whose samples of a series are all left out is no point of it, and is counted.
func (c *collector) finish() {
	for _, s := range c.series {
		for _, p := range c.points[s] {
			if len(p.Samples) == 0 {
				s.Lost++
				continue
			}
			p.Median = median(p.Samples)
			s.Points = append(s.Points, *p)
		}
	}
}

// sort orders runs and points by commit as far as the order is known, then by date, and numbers the setups in that order; series by setup and name.
func (c *collected) sort() {
	slices.SortFunc(c.runs, earlier)
	index := map[string]int{}
	for _, r := range c.runs {
		key := setupKey(r.setup)
		if _, ok := index[key]; ok {
			continue
		}
		index[key] = len(c.setups)
		s := &Setup{Facts: r.setup, Since: r.commit}
		if n := len(c.setups); n > 0 {
			s.Differ = differ(c.setups[n-1].Facts, r.setup)
		}
		c.setups = append(c.setups, s)
	}
	for _, s := range c.series {
		slices.SortFunc(s.Points, func(a, b Point) int { return earlier(a.run, b.run) })
		s.Setup = index[setupKey(setupOf(s.first.Run.Facts))]
	}
	slices.SortStableFunc(c.series, func(a, b *Series) int { // runs measure in random order
		return cmp.Or(cmp.Compare(a.Setup, b.Setup), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Class, b.Class))
	})
}

func earlier(a, b *run) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), a.date.Compare(b.date), cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line), cmp.Compare(a.arm, b.arm))
}

// median is that of samples, which it leaves as they are.
func median(samples []float64) float64 {
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(samples), &benchmath.DefaultThresholds), confidence).Center
}

// confidence is that of the intervals beside medians.
const confidence = 0.95
