package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"pcbbench/harness"
	"pcbbench/harness/compare/file"
)

// exactConns is how many connections each mix has unless told otherwise: more of them miss more caches, which no count sees.
const exactConns = 1024

// exactCmd counts what one worker does to shared memory, and prints the table.
func exactCmd(ctx context.Context, args []string, std streams) error {
	m := harness.Matrix{Workers: []int{1}, Works: []int{0}, Force: true}
	o := harness.ExactOptions{Stderr: std.err}
	fs := newFlagSet("exact")
	listFlag(fs, &m.Schemes, "schemes", "schemes, comma separated, with options as in connp:groups=16 (default all)", asString)
	listFlag(fs, &m.Locks, "locks", "table locks, as in mcs or ticket:spin (default each scheme's own)", asString)
	listFlag(fs, &m.Dispatches, "dispatch", "dispatch models, with options as in netisr2:policy=source (default direct)", asString)
	listFlag(fs, &m.Mixes, "mixes", "mixes (default all that need no capture)", asString)
	listFlag(fs, &m.Conns, "conns", fmt.Sprintf("connections, 6 to 1000000 (default %d)", exactConns), atLeast1)
	listFlag(fs, &m.Batches, "batch", "most segments a batch (default 32)", atLeast1)
	fs.IntVar(&o.Laps, "laps", 2, "laps that are counted, after one that is not")
	fs.Uint64Var(&o.Seed, "seed", 1, "seed of the workload")
	fs.StringVar(&o.Dir, "results", "results", "results folder")
	if err := parse(fs, std, args); err != nil {
		return err
	}
	if o.Laps < 1 {
		return errUsage{errors.New("-laps must be at least 1")}
	}
	if err := resultsFolder(o.Dir); err != nil {
		return err
	}
	if m.Schemes == nil {
		m.Schemes = []string{"all"}
	}
	if m.Mixes == nil {
		m.Mixes = []string{"all"}
	}
	if m.Conns == nil {
		m.Conns = []int{exactConns}
	}
	o.Experiments = m.Experiments()
	if err := harness.ValidateExact(o.Experiments); err != nil {
		return errUsage{err}
	}
	path, err := harness.Exact(ctx, o)
	if path != "" {
		fmt.Fprintf(std.err, "results in %s\n", path)
	}
	if err != nil {
		return err
	}
	return reportExact(std.out, path)
}

// reportExact prints the counts by which schemes differ most.
func reportExact(out io.Writer, path string) error {
	f, err := file.Load(path)
	if err != nil {
		return err
	}
	for _, unit := range []string{"locks/seg", "rmw/seg"} {
		if err := exactTable(out, f, unit); err != nil {
			return err
		}
	}
	return proven(out, f)
}

// exactTable prints what f has of a unit, schemes as columns. A cell stays empty where a scheme has no such row: packets that are not for the table are one
// scheme's.
func exactTable(out io.Writer, f *file.File, unit string) error {
	var rows, cols []string
	cells := map[[2]string]string{}
	for _, r := range f.Results {
		_, parts := r.Name.Parts()
		row, col := place(parts)
		if !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
		if !slices.Contains(cols, col) {
			cols = append(cols, col)
		}
		if v, ok := r.Value(unit); ok {
			cells[[2]string{row, col}] = strconv.FormatFloat(v, 'f', 3, 64)
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\t%s\t\n", unit, strings.Join(cols, "\t"))
	for _, row := range rows {
		fmt.Fprint(w, row, "\t")
		for _, col := range cols {
			fmt.Fprint(w, cells[[2]string{row, col}], "\t")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// place is where a benchmark's name belongs in the table: the mix with whatever was asked for beside it, and the scheme.
func place(parts [][]byte) (row, col string) {
	usual := []string{"lock=default", "dispatch=direct", fmt.Sprintf("conns=%d", exactConns), "batch=32"}
	for _, part := range parts {
		text := strings.TrimPrefix(string(part), "/")
		switch key, val, _ := strings.Cut(text, "="); {
		case key == "scheme":
			col = val
		case key == "mix":
			row = strings.TrimSpace(val + " " + row)
		case !slices.Contains(usual, text):
			row = strings.TrimSpace(row + " " + text)
		}
	}
	return row, col
}
