//go:build mutants

package mutants

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how often to run what.
type Config struct {
	Root     string        // of the module
	Runs     int           // tortures of each mutant
	Race     int           // runs under the race detector alone
	Conform  int           // runs of the conformance check alone
	Budget   time.Duration // of one run under deterministic schedules; 0: none
	Control  int           // tortures of the code as it is, which must find nothing
	Limit    time.Duration // of one torture
	Stuck    time.Duration // the torture's watchdog
	Jobs     int           // mutants at a time, at least 1
	Only     []string      // names by prefix; none: all
	Seed     uint64
	Progress io.Writer
}

// A Row is what was seen of one mutant.
type Row struct {
	*Mutant
	Runs, Caught          int
	Median                time.Duration // of those that caught it
	Oracle                string        // the most frequent
	Race, Races           int           // caught, of
	Conformed, Conformers int           // caught, of
	Scheduled             string        // how deterministic schedules ended: time to the failure, "-" for none
}

// Apply is the file's text with the bug in it.
func (m *Mutant) Apply(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(text), m.Old); n != 1 {
		return nil, fmt.Errorf("mutant %s: its old text stands %d times in %s, want once", m.Name, n, m.File)
	}
	return []byte(strings.Replace(string(text), m.Old, m.New, 1)), nil
}

// Chosen are the mutants of List whose names begin with one of only.
func Chosen(only []string) (chosen []*Mutant) {
	for i := range List {
		m := &List[i]
		if len(only) == 0 || slices.ContainsFunc(only, func(o string) bool { return strings.HasPrefix(m.Name, o) }) {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// Run plants and tortures, a few mutants at a time, and returns a row for each, in the order of the list. Alarms counts the tortures of the code
// as it is that found something. What is done when ctx ends, or a mutant cannot be built, is returned all the same.
func Run(ctx context.Context, c Config) (rows []Row, alarms int, err error) {
	r, err := newRunner(c)
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(r.dir)
	if alarms, err = r.control(ctx); err != nil {
		return nil, alarms, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	chosen := Chosen(c.Only)
	all := make([]*Row, len(chosen))
	var next, done atomic.Int32
	var wg sync.WaitGroup
	for range c.Jobs {
		wg.Go(func() {
			r, err := newRunner(c)
			if err != nil {
				cancel(err)
				return
			}
			defer os.RemoveAll(r.dir)
			for i := int(next.Add(1)) - 1; i < len(chosen) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				row, err := r.mutant(ctx, chosen[i])
				if err != nil {
					cancel(err)
					return
				}
				all[i] = &row
				fmt.Fprintf(c.Progress, "mutants: %d of %d, %s: caught %d of %d\n", done.Add(1), len(chosen), row.Name, row.Caught, row.Runs)
			}
		})
	}
	wg.Wait()
	for _, row := range all {
		if row != nil {
			rows = append(rows, *row)
		}
	}
	return rows, alarms, context.Cause(ctx)
}

func newRunner(c Config) (*runner, error) {
	dir, err := os.MkdirTemp("", "mutants")
	return &runner{Config: c, dir: dir}, err
}

// A runner has a folder of its own for what it builds.
type runner struct {
	Config
	dir string
}

// control tortures the code as it is, scheme after scheme.
func (r *runner) control(ctx context.Context) (alarms int, err error) {
	if r.Control == 0 {
		return 0, nil
	}
	bin, err := r.build(ctx, nil, "-tags", "torture,witness")
	if err != nil {
		return 0, err
	}
	for i := range r.Control {
		only := controls[i%len(controls)]
		caught := r.torture(ctx, bin, only, i, "-rounds", "1")
		if ctx.Err() != nil {
			return alarms, ctx.Err()
		}
		if caught.oracle != "" {
			alarms++
			fmt.Fprintf(r.Progress, "mutants: FALSE ALARM of %s: %s\n%s\n", only, caught.oracle, caught.text)
		}
	}
	fmt.Fprintf(r.Progress, "mutants: %d control runs, %d false alarms\n", r.Control, alarms)
	return alarms, nil
}

// build builds the command with m laid over it (nil: as it is).
func (r *runner) build(ctx context.Context, m *Mutant, flags ...string) (string, error) {
	bin := filepath.Join(r.dir, "pcbbench")
	args := append([]string{"build", "-pgo=off", "-o", bin}, flags...)
	if m != nil {
		overlay, err := r.overlay(m)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./harness/cmd/pcbbench")...)
	cmd.Dir = r.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		name := "the code as it is"
		if m != nil {
			name = m.Name
		}
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return bin, nil
}

// overlay writes the file with the bug in it, and go build's description of where it goes.
func (r *runner) overlay(m *Mutant) (string, error) {
	text, err := m.Apply(r.Root)
	if err != nil {
		return "", err
	}
	file, path := filepath.Join(r.dir, "mutant.go"), filepath.Join(r.dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o666); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(filepath.Join(r.Root, m.File))
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": {abs: file}})
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, data, 0o666)
}

func (r *runner) mutant(ctx context.Context, m *Mutant) (row Row, err error) {
	row = Row{Mutant: m, Runs: r.Runs, Races: r.Race}
	bin, err := r.build(ctx, m, "-tags", "torture,witness")
	if err != nil {
		return row, err
	}
	var times []time.Duration
	seen := map[string]int{}
	for i := range r.Runs {
		if c := r.torture(ctx, bin, m.Subject, i, "-duration", r.Limit.String()); c.oracle != "" {
			row.Caught++
			times = append(times, c.after)
			seen[c.oracle]++
		}
		if ctx.Err() != nil {
			return row, ctx.Err()
		}
	}
	row.Median, row.Oracle = median(times), mostFrequent(seen)
	if strings.HasPrefix(m.Subject, "scheme") {
		row.Conformers = r.Conform
		for i := range r.Conform {
			if c := r.torture(ctx, bin, conformance(m.Subject), i, "-rounds", "5"); c.oracle != "" {
				row.Conformed++
			}
		}
	}
	if row.Scheduled, err = r.schedules(ctx, m); err != nil || r.Race == 0 {
		return row, err
	}
	if bin, err = r.build(ctx, m, "-race"); err != nil {
		return row, err
	}
	for i := range r.Race {
		if c := r.torture(ctx, bin, m.Subject, i, "-duration", "1.5s"); c.race {
			row.Race++
		}
	}
	return row, ctx.Err()
}

// schedules explores a mutant's subject, if it can be simulated.
func (r *runner) schedules(ctx context.Context, m *Mutant) (string, error) {
	subject := simulated(m.Subject)
	if subject == "" || r.Budget == 0 {
		return "", nil
	}
	bin, err := r.build(ctx, m, "-tags", "sim")
	if err != nil {
		return "", err
	}
	timed, cancel := context.WithTimeout(ctx, 5*r.Budget)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(timed, bin, "schedules", "-subjects", subject, "-budget", r.Budget.String(), "-first")
	err = cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	switch exitCode(cmd, err) {
	case 0:
		return "-", nil
	case exitUsage: // some subjects cannot be simulated
		return "", nil
	}
	return time.Since(start).Round(100 * time.Millisecond).String(), nil
}

// exitUsage is the command's exit code for what it refuses.
const exitUsage = 2

// exitCode is how cmd ended; -1 if it did not end by itself.
func exitCode(cmd *exec.Cmd, err error) int {
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return -1
	}
	return cmd.ProcessState.ExitCode()
}

// simulated is what torture's subject is called among the simulated ones, "" if it is none of them.
func simulated(subject string) string {
	kind, name, _ := strings.Cut(subject, " ")
	switch kind {
	case "scheme":
		return "tables/" + name
	case "lock":
		return "locks/" + name
	case "reclamation":
		return "smr/" + name
	case "dispatch":
		return "dispatch/" + name
	}
	return ""
}

// conformance narrows a subject to its check by one worker.
func conformance(subject string) string {
	if subject == "scheme" {
		return "scheme global/conform,scheme refcount/conform,scheme connp/conform,scheme smr/conform"
	}
	name, _, _ := strings.Cut(subject, "/")
	return name + "/conform"
}

// A catch is how one run ended.
type catch struct {
	oracle string // "": nothing was found
	after  time.Duration
	race   bool // the race detector said so
	text   string
}

var failed = regexp.MustCompile(`(?m)^FAILED after (\S+): oracle (.*)$`)

// exitRace is what GORACE makes of a data race.
const exitRace = 66

// torture runs one, in a process of its own.
func (r *runner) torture(ctx context.Context, bin, only string, run int, more ...string) (c catch) {
	limit := 5*r.Limit + 5*r.Stuck // far beyond its own
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	args := append([]string{"torture", "-only", only, "-stuck", r.Stuck.String(), "-seed", strconv.FormatUint(r.Seed+uint64(run)*1_000_003, 10), "-progress", "1h"}, more...)
	cmd := exec.CommandContext(timed, bin, args...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("GORACE=halt_on_error=1 exitcode=%d", exitRace))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	c.after, c.text = time.Since(start), out.String()
	m := failed.FindStringSubmatch(c.text)
	switch {
	case err == nil || ctx.Err() != nil:
	case timed.Err() != nil:
		c.oracle = "hang"
	case cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == exitRace:
		c.oracle, c.race = "race", true
	case m != nil:
		c.oracle = m[2]
		if d, err := time.ParseDuration(m[1]); err == nil {
			c.after = d
		}
	case errors.As(err, new(*exec.ExitError)):
		c.oracle = "crash"
	default:
		c.oracle = err.Error()
	}
	return c
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

func mostFrequent(seen map[string]int) (name string) {
	for _, k := range slices.SortedFunc(maps.Keys(seen), func(a, b string) int { return cmp.Or(cmp.Compare(seen[b], seen[a]), cmp.Compare(a, b)) }) {
		return k
	}
	return "-"
}
