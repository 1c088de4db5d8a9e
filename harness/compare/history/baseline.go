package history

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pcbbench/harness/compare/file"
)

// baselineFile is the file in a machine's folder that names its baseline.
const baselineFile = "baseline.txt"

const baselineHead = "# The baselines of this machine; the last entry holds. Written by pcbbench baseline.\n"

// An Entry says that a results file was made the baseline.
type Entry struct {
	File     string // name in the machine's folder
	SHA256   string
	Date     time.Time
	Replaces string // name of the file that was the baseline before, or none
	Why      string
	Forced   string // what had to be overlooked for it, or nothing
}

// Baseline is the path of a machine's baseline, whose content is still what it was.
func Baseline(results, machine string) (path string, err error) {
	list := filepath.Join(results, machine, baselineFile)
	entries, err := Baselines(results, machine)
	if err != nil {
		return "", err
	}
	if len(entries) == 0 {
		return "", fmt.Errorf("%s: there is no baseline of this machine: pcbbench baseline -why '…' FILE makes one", list)
	}
	last := entries[len(entries)-1]
	path = filepath.Join(results, machine, last.File)
	sum, err := digest(path)
	if err != nil {
		return "", err
	}
	if sum != last.SHA256 {
		return "", fmt.Errorf("%s has changed since it became the baseline: its sha256 is %s, %s says %s; restore it or make another baseline", path, sum, list, last.SHA256)
	}
	return path, nil
}

// Baselines are all baselines that a machine has had, oldest first.
func Baselines(results, machine string) ([]Entry, error) {
	list := filepath.Join(results, machine, baselineFile)
	text, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseBaselines(list, string(text))
}

// A Promotion makes a results file the baseline of its machine.
type Promotion struct {
	Results, Machine string
	Path             string            // of the results file, in the machine's folder
	Why              string            // for whoever asks one day
	Force            bool              // overlook that the run was dirty or its code not tortured
	Here             map[string]string // facts that the results must agree with, if this is known to be the machine
	Now              time.Time
}

// Do checks the file, appends the entry and returns it.
func (p Promotion) Do() (e Entry, err error) {
	e = Entry{File: filepath.Base(p.Path), Date: p.Now.UTC().Truncate(time.Second), Replaces: "none", Why: strings.Join(strings.Fields(p.Why), " ")}
	if e.Why == "" {
		return e, errors.New("a baseline needs a reason: say -why")
	}
	if err := p.inFolder(); err != nil {
		return e, err
	}
	if e.Forced, err = p.faults(); err != nil {
		return e, err
	}
	if e.Forced != "" && !p.Force {
		return e, fmt.Errorf("%s is no good baseline: %s (-force takes it all the same)", p.Path, e.Forced)
	}
	if e.SHA256, err = digest(p.Path); err != nil {
		return e, err
	}
	before, err := Baselines(p.Results, p.Machine)
	if err != nil {
		return e, err
	}
	if n := len(before); n > 0 {
		e.Replaces = before[n-1].File
		if before[n-1].File == e.File && before[n-1].SHA256 == e.SHA256 {
			return e, fmt.Errorf("%s is the baseline already", p.Path)
		}
	}
	return e, e.append(filepath.Join(p.Results, p.Machine, baselineFile))
}

// inFolder refuses a file that does not lie in the machine's folder.
func (p Promotion) inFolder() error {
	folder := filepath.Join(p.Results, p.Machine)
	want, err := os.Stat(folder)
	if err != nil {
		return err
	}
	got, err := os.Stat(filepath.Dir(p.Path))
	if err != nil {
		return err
	}
	if !os.SameFile(want, got) || filepath.Base(p.Path) == baselineFile {
		return fmt.Errorf("%s is no results file in %s: the baseline of %s is a run of that machine's, in its folder", p.Path, folder, p.Machine)
	}
	return nil
}

// faults says what speaks against the file; what cannot be overlooked is the error.
func (p Promotion) faults() (said string, err error) {
	f, err := file.Load(p.Path)
	if err != nil {
		return "", err
	}
	var faults []string
	for _, r := range f.Runs {
		for key, want := range p.Here {
			if r.Facts[key] != want {
				return "", fmt.Errorf("%s:%d: the results are of another machine: %s is %q, and %q here", p.Path, r.Line, key, r.Facts[key], want)
			}
		}
		if r.Facts["dirty"] != "no" {
			faults = append(faults, "it was measured with code that is no commit's (dirty)")
		}
		if !strings.HasPrefix(r.Facts["torture"], "passed") {
			faults = append(faults, "its code has passed no torture")
		}
	}
	for _, r := range f.Results {
		if r.GetConfig(file.ToolchainKey) != "" {
			return "", fmt.Errorf("%s:%d: a comparison of two arms is no baseline: make bench makes one", p.Path, r.Line)
		}
	}
	slices.Sort(faults)
	return strings.Join(slices.Compact(faults), " and "), nil
}

func digest(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// append adds e at the end of the list, whole or not at all.
func (e Entry) append(list string) error {
	text, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte(baselineHead), nil
	}
	if err != nil {
		return err
	}
	next := list + ".new"
	if err := os.WriteFile(next, append(text, "\n"+e.text()...), 0o666); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return os.Rename(next, list)
}

func (e Entry) text() string {
	s := fmt.Sprintf("file: %s\nsha256: %s\ndate: %s\nreplaces: %s\nwhy: %s\n", e.File, e.SHA256, e.Date.Format(time.RFC3339), e.Replaces, e.Why)
	if e.Forced != "" {
		s += "forced: " + e.Forced + "\n"
	}
	return s
}

// parseBaselines reads what append wrote: entries of "key: value" lines between empty lines and comments.
func parseBaselines(path, text string) (entries []Entry, err error) {
	var e *Entry
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			e = nil
			continue
		}
		if e == nil {
			entries = append(entries, Entry{})
			e = &entries[len(entries)-1]
		}
		if err := e.set(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	for i, e := range entries {
		if e.File == "" || len(e.SHA256) != 2*sha256.Size || e.Date.IsZero() || e.Why == "" {
			return nil, fmt.Errorf("%s: entry %d is not whole: want file, sha256, date, replaces and why", path, i+1)
		}
	}
	return entries, nil
}

// set reads one line of an entry.
func (e *Entry) set(line string) (err error) {
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "file":
		if e.File = value; value != filepath.Base(value) {
			err = fmt.Errorf("file %q lies outside of this folder", value)
		}
	case "sha256":
		e.SHA256 = value
	case "date":
		e.Date, err = time.Parse(time.RFC3339, value)
	case "replaces":
		e.Replaces = value
	case "why":
		e.Why = value
	case "forced":
		e.Forced = value
	default:
		err = fmt.Errorf("%q is no line of a baseline: want file, sha256, date, replaces, why or forced, then a colon, a blank and the value", line)
	}
	return err
}
