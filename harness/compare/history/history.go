// Package history follows every benchmark over the commits whose results a machine's folder holds, and finds where it changed.
//
// A series is what can be compared: one benchmark by its full name, one unit, one placement of the CPUs (pingpong-class), on one setup, which is a
// machine, its limits, a Go version and an epoch. Where one of these changes, a new series starts by itself. Each run is one point: the samples of a run
// share its machine's mood, so that runs are what is independent.
package history

import (
	"context"
	"time"

	"pcbbench/harness/compare/file"
)

// Options choose what is read.
type Options struct {
	Filter string   // as benchproc reads it; "" keeps all
	Units  []string // as they stand in the files; none: all of which is known whether less or more is better
	Skip   []string // files to leave out, by name
}

// A History is a folder's series, by setup, name and placement.
type History struct {
	Folder  string    `json:"folder"`
	Files   int       `json:"files"`
	Runs    int       `json:"runs"`
	Skipped []string  `json:"skipped,omitempty"` // files left out as was asked for
	Order   string    `json:"order"`             // how runs were ordered, as text
	Setups  []*Setup  `json:"setups"`
	Series  []*Series `json:"series"`
}

// A Series is one benchmark's values of one unit over the runs.
type Series struct {
	Name    string   `json:"name"` // full
	Unit    string   `json:"unit"` // as it stands in the files
	Class   string   `json:"pingpong-class,omitempty"`
	Setup   int      `json:"setup"`  // index into History.Setups
	Better  int      `json:"better"` // -1 lower, 1 higher, 0 not said
	Exact   bool     `json:"exact"`  // every difference counts
	Points  []Point  `json:"points"` // in order
	Lost    int      `json:"lost"`   // runs that have no undisturbed sample of it
	Needs   int      `json:"needs"`  // it has too few runs for a test, and would need so many; 0: it was tested
	Changes []Change `json:"changes,omitempty"`
	Step    *Change  `json:"step,omitempty"` // the largest from one commit to the next, not tested; where Needs is not 0

	first *file.Result
}

// A Point is one run's samples.
type Point struct {
	File    string    `json:"file"`
	Line    int       `json:"line"` // where the run begins
	Commit  string    `json:"commit"`
	Date    time.Time `json:"date"`
	Dirty   bool      `json:"dirty"` // of code that is not quite that commit's
	Median  float64   `json:"median"`
	Samples []float64 `json:"samples"` // undisturbed, in the file's order
	Left    int       `json:"left"`    // samples left out: disturbed, or the CPUs moved meanwhile

	run *run
}

// A Change is a step from one commit to another one.
type Change struct {
	At      int      `json:"at"` // index of the first point after it
	Before  float64  `json:"before"`
	After   float64  `json:"after"`             // medians over runs, up to the neighbouring changes
	P       float64  `json:"p"`                 // adjusted; 0 of an exact metric
	Commits []string `json:"commits,omitempty"` // after the last good one up to the first bad one, newest first, where git knows them
}

// Read reads all results files of a machine's folder, and finds the changes. Whatever is wrong with one of them is an error, unless o.Skip names it.
func Read(ctx context.Context, folder string, o Options) (*History, error) {
	paths, err := resultsFiles(folder, o.Skip)
	if err != nil {
		return nil, err
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
	h := &History{Folder: folder, Files: len(files), Runs: len(c.runs), Skipped: o.Skip}
	repo := order(ctx, folder, c.runs)
	h.Order = repo.said
	c.sort()
	h.Setups, h.Series = c.setups, c.series
	findChanges(h.Series)
	return h, h.name(ctx, repo)
}

// name has git name the commits around each change.
func (h *History) name(ctx context.Context, r *repo) (err error) {
	for _, s := range h.Series {
		for i := range s.Changes {
			c := &s.Changes[i]
			if c.Commits, err = r.between(ctx, s.Points[c.At-1].Commit, s.Points[c.At].Commit); err != nil {
				return err
			}
		}
	}
	return nil
}
