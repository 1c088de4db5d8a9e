package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pcbbench/harness/compare/file"
)

// A Difference is a fact that is not the same for all runs of both arms.
type Difference struct {
	Key      string
	Old, New string // values; several are joined by " | ", and where a run does not say there is Unsaid
	Level    Level
}

// A Level is how bad a difference is.
type Level string

// Levels.
const (
	Refused Level = "refused" // what was measured does not compare
	Warned  Level = "warned"  // somebody should look at it
	Said    Level = "said"    // as it may be
)

// Unsaid stands for the value of a fact that a run does not tell.
const Unsaid = "not said"

// stable are the facts of machine, toolchain and operation: results that differ in one do not compare.
var stable = []string{"epoch", "goos", "goarch", "cpu", "cpu-model", "cores", "threads", "cpus-allowed", "cpu-quota", "numa-nodes", "cache-l1d", "cache-l2", "cache-l3",
	"cacheline", "hypervisor", "kernel", "governor", "clock", "go", "goamd64", "gomaxprocs",
	"profiled"}

// firstEpoch is the epoch of files that do not say: they are older than the first change of what an operation is.
const firstEpoch = "1"

// unprofiled is what files that do not say have been: a profiler takes time of its own.
const unprofiled = "no"

// differences are the facts that differ between old and new, or within one of them.
func differences(old, new []*file.Run) (ds []Difference) {
	for _, key := range stable {
		a, b := values(old, key), values(new, key)
		if slices.Equal(a, b) && len(a) == 1 {
			continue
		}
		d := Difference{Key: key, Old: strings.Join(a, " | "), New: strings.Join(b, " | "), Level: Refused}
		if one(append(a, b...)) {
			d.Level = Warned
		}
		ds = append(ds, d)
	}
	return append(ds, tortures(old, new)...)
}

// values are a fact's in all runs, each once.
func values(runs []*file.Run, key string) (list []string) {
	unsaid := Unsaid
	switch key {
	case "epoch":
		unsaid = firstEpoch
	case "profiled":
		unsaid = unprofiled
	}
	for _, r := range runs {
		if val := cmp.Or(r.Facts[key], unsaid); !slices.Contains(list, val) {
			list = append(list, val)
		}
	}
	slices.Sort(list)
	return list
}

// one reports whether all who say something say the same.
func one(vals []string) bool {
	vals = slices.DeleteFunc(vals, func(v string) bool { return v == Unsaid })
	return len(vals) == 0 || slices.Max(vals) == slices.Min(vals)
}

// tortures compares what is known of the code behind the arms. Two versions have two records, but both should have one.
func tortures(old, new []*file.Run) []Difference {
	a, b := tortured(old), tortured(new)
	if slices.Equal(a, b) {
		return nil
	}
	d := Difference{Key: tortureFact, Old: strings.Join(a, " | "), New: strings.Join(b, " | "), Level: Said}
	if slices.ContainsFunc(append(a, b...), func(s string) bool { return strings.HasPrefix(s, notTortured) }) {
		d.Level = Warned
	}
	return []Difference{d}
}

// Refusal says in one sentence why the arms do not compare; nil if they do.
func (c *Comparison) Refusal() error {
	var what []string
	for _, d := range c.Differ {
		if d.Level == Refused {
			what = append(what, d.String())
		}
	}
	if len(what) == 0 {
		return nil
	}
	return fmt.Errorf("%s and %s do not compare: %s", c.Old, c.New, strings.Join(what, "; "))
}

// String is a difference as part of a sentence.
func (d Difference) String() string {
	if d.Old == d.New {
		return fmt.Sprintf("%s is %q", d.Key, d.Old)
	}
	return fmt.Sprintf("%s was %q and is %q", d.Key, d.Old, d.New)
}
