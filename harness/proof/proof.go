// Package proof keeps the records of tortures passed, and finds the one that belongs to a binary's own code. What a benchmark prints is worth
// no more than the code that ran: a results file names the torture that the very same code passed.
package proof

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pcbbench"
)

// A Record is what a torture that was passed in full leaves behind: a text of "key: value" lines, an empty line, and the report.
type Record struct {
	Subjects []string // what was tortured, as "scheme smr" or "lock ticket:spin"
	Seed     uint64
	Duration time.Duration
	Flavour  string // of the probe points
	Report   string // for people
}

// folder under the results folder, where records are kept.
const folder = "torture"

// Write puts r into the results folder dir under the time and the code, and returns its path.
func (r *Record) Write(dir string, now time.Time) (string, error) {
	var b bytes.Buffer
	for _, kv := range [][2]string{
		{"torture", "passed"},
		{"code", pcbbench.Code()},
		{"date", now.UTC().Format(time.RFC3339)},
		{"duration", r.Duration.Round(time.Second).String()},
		{"seed", fmt.Sprint(r.Seed)},
		{"probes", r.Flavour},
		{"subjects", strings.Join(r.Subjects, ", ")},
	} {
		fmt.Fprintf(&b, "%s: %s\n", kv[0], kv[1])
	}
	fmt.Fprintf(&b, "\n%s", r.Report)
	return Keep(dir, folder, now, b.Bytes())
}

// Keep puts a report of some kind about this binary's code into the results folder dir, and returns its path.
func Keep(dir, kind string, now time.Time, text []byte) (string, error) {
	dir = filepath.Join(dir, kind)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	path := filepath.Join(dir, now.UTC().Format("20060102T150405")+"-"+pcbbench.Code()[:12]+".txt")
	err := os.WriteFile(path, text, 0o666)
	if err != nil {
		err = errors.Join(err, os.Remove(path)) // half a report is none
	}
	return path, err
}

// NotRun is what a results file says of code that nothing is known of.
const NotRun = "not run"

// Of says what a results file is to say about the torture of this binary's code, for results about subjects: the digest of the newest
// record in the results folder dir that names all of them, else NotRun and for which.
func Of(dir string, subjects []string) string { return OfCode(dir, pcbbench.Code(), subjects) }

// OfCode is Of, of a binary whose code has that digest, in hexadecimal.
func OfCode(dir, code string, subjects []string) string {
	paths, _ := filepath.Glob(filepath.Join(dir, folder, "*-"+code[:min(12, len(code))]+".txt")) // the pattern is a good one
	slices.Sort(paths)
	missing := subjects
	for _, path := range slices.Backward(paths) {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		keys := header(data)
		if keys["torture"] != "passed" || keys["code"] != code {
			continue
		}
		missing = without(subjects, strings.Split(keys["subjects"], ", "))
		if len(missing) == 0 {
			sum := sha256.Sum256(data)
			return fmt.Sprintf("passed, sha256 %s (%s, %s, seed %s)", hex.EncodeToString(sum[:]), filepath.Base(path), keys["duration"], keys["seed"])
		}
	}
	if len(missing) == len(subjects) {
		return NotRun
	}
	return NotRun + " for " + strings.Join(missing, ", ")
}

func header(data []byte) map[string]string {
	keys := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan() && s.Text() != ""; {
		key, val, _ := strings.Cut(s.Text(), ": ")
		keys[key] = val
	}
	return keys
}

// without is a less b.
func without(a, b []string) (left []string) {
	for _, s := range a {
		if !slices.Contains(b, s) && !slices.Contains(left, s) {
			left = append(left, s)
		}
	}
	return left
}
