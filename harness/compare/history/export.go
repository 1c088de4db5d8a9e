package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"pcbbench/harness/compare/file"
)

// A Format is what another tool reads.
type Format struct {
	Name, Doc string
	write     func(io.Writer, *collected) ([]string, error)
}

// Formats are all of them.
//
// Another reader of results is golang.org/x/perf/benchseries, which reads the files of pcbbench ab as they are. By DefaultBuilderOptions it needs, as
// configuration of every result, toolchain (baseline or experiment; results with another value or none are dropped without a word), experiment-commit,
// baseline-commit, experiment-commit-time (the point on the time axis) and runstamp (which run), the last two as 20060102T150405 or RFC 3339; an arm that is
// missing leaves the comparison out. Every other key that varies is a residue, about which it warns.
var Formats = []Format{
	{"gab-smaller", "customSmallerIsBetter of github-action-benchmark: what is better lower", func(w io.Writer, c *collected) ([]string, error) { return writeGAB(w, c, -1) }},
	{"gab-bigger", "customBiggerIsBetter of github-action-benchmark: what is better higher", func(w io.Writer, c *collected) ([]string, error) { return writeGAB(w, c, +1) }},
	{"bmf", "Bencher Metric Format", writeBMF},
	{"csv", "a row a run, a column a metric, for Apache Otava (Hunter); takes several files", writeWide},
}

// Export writes results files in one of Formats, medians of undisturbed samples. Several files, and files of several commits, only csv can tell apart; of a
// paired file the others take the experiment. The names of metrics that had to be left out are returned.
func Export(w io.Writer, format string, paths []string, o Options) (left []string, err error) {
	i := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == format })
	if i < 0 {
		return nil, fmt.Errorf("unknown format %q; known: %s", format, formatNames())
	}
	var files []*file.File
	for _, path := range paths {
		f, err := file.Load(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	c, err := collect(files, o)
	if err != nil {
		return nil, err
	}
	if err := c.allIn(paths); err != nil {
		return nil, err
	}
	c.sort()
	if len(c.setups) > 1 {
		return nil, fmt.Errorf("these results are of several setups, which do not compare (%s): export them one by one", strings.Join(c.setups[1].Differ, ", "))
	}
	var b bytes.Buffer // half of a JSON text is worse than none
	if left, err = Formats[i].write(&b, c); err != nil {
		return nil, err
	}
	_, err = b.WriteTo(w)
	return left, err
}

// allIn refuses files of which nothing is left.
func (c *collected) allIn(paths []string) error {
	seen := map[string]bool{}
	for _, s := range c.series {
		for _, p := range s.Points {
			seen[p.run.path] = true
		}
	}
	for _, path := range paths {
		if !seen[path] {
			return fmt.Errorf("%s: nothing to export: all is filtered out, or disturbed", path)
		}
	}
	return nil
}

func formatNames() string {
	var names []string
	for _, f := range Formats {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// metric is a series' name where there is no other place for the placement of the CPUs: nothing compares from one to another.
func (s *Series) metric() string {
	if s.Class == "" {
		return s.Name
	}
	return s.Name + "/pingpong-class=" + s.Class
}

// latest is a series' last commit, with the samples of all its runs; nil if none is undisturbed.
func (s *Series) latest() (p *Point) {
	for _, q := range s.Points {
		switch {
		case q.run.arm == "baseline":
		case p == nil:
			p = &Point{Commit: q.Commit, Date: q.Date, Dirty: q.Dirty, Samples: slices.Clone(q.Samples), Left: q.Left}
		default:
			p.Samples, p.Left, p.Dirty = append(p.Samples, q.Samples...), p.Left+q.Left, p.Dirty || q.Dirty
		}
	}
	return p
}

// oneCommit refuses what a single value cannot stand for.
func oneCommit(c *collected) error {
	commits := map[string]bool{}
	for _, r := range c.runs {
		if r.arm != "baseline" {
			commits[r.commit] = true
		}
	}
	if len(commits) != 1 {
		return fmt.Errorf("the results are of %d commits, of which this format can hold 1: give one file", len(commits))
	}
	return nil
}

// latests calls f for each series that has samples, with its median and the interval of that; the names of the others are returned.
func latests(c *collected, f func(*Series, *Point, benchmath.Summary) error) (left []string, err error) {
	if err := oneCommit(c); err != nil {
		return nil, err
	}
	for _, s := range c.series {
		p := s.latest()
		if p == nil {
			left = append(left, s.metric()+" "+s.Unit)
			continue
		}
		if err := f(s, p, benchmath.AssumeNothing.Summary(benchmath.NewSample(p.Samples, &benchmath.DefaultThresholds), confidence)); err != nil {
			return nil, err
		}
	}
	return left, nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
