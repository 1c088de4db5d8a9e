// Package oracle names the promises that checks hold code to, so that whoever counts broken ones knows which check saw it.
package oracle

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// The oracles, by what they hold the code to. A panic of the code under test is an oracle of its own: the package's name and
// "panic".
const (
	Exclusion    = "exclusion"    // an exclusive section is alone; a reader sees nothing change
	Fairness     = "fairness"     // who promises first come, first served, serves so
	Key          = "key"          // a lookup's answer is what was asked for, in the life that was asked for
	Found        = "found"        // what is open throughout is found
	Gone         = "gone"         // what is closed throughout is not delivered to
	Order        = "order"        // a connection's segments take effect in order, each once
	Walk         = "walk"         // a walk meets what is there throughout, once
	Answer       = "answer"       // the reference gives the same answer
	Linearizable = "linearizable" // there is an order of the operations that explains all answers
	Conservation = "conservation" // what went in has come out
	Structure    = "structure"    // chains, lists, queues and free lists agree at rest
	Reclaim      = "reclaim"      // memory is not reused under a reader
	Grace        = "grace"        // grace periods end, and give the memory back
	Progress     = "progress"     // workers get on
	Witness      = "witness"      // locks are taken in order
	Layout       = "layout"       // what different CPUs write lies on different lines
	Distribution = "distribution" // what is drawn or spread is drawn and spread as said
	Measure      = "measure"      // the harness says what happened
)

// A Violation is a broken promise.
type Violation struct {
	Oracle string
	Err    error
}

func (v *Violation) Error() string { return v.Oracle + ": " + v.Err.Error() }
func (v *Violation) Unwrap() error { return v.Err }

// Violated makes a Violation of the named oracle; format is fmt.Errorf's.
func Violated(oracle, format string, args ...any) error {
	return &Violation{oracle, fmt.Errorf(format, args...)}
}

// Of is the name of the oracle that err reports: of the first Violation in its tree, "error" if there is none, "" for nil.
func Of(err error) string {
	var v *Violation
	switch {
	case err == nil:
		return ""
	case errors.As(err, &v):
		return v.Oracle
	}
	return "error"
}

// Guard calls f and turns a panic into a Violation of the oracle "<package> panic", with the innermost functions. The package is what
// the panic's text begins with, as all of ours do; "runtime" for others.
func Guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = FromPanic(p)
		}
	}()
	return f()
}

// FromPanic is what Guard makes of a panic. Call it in the deferred function that recovered p, while the stack still stands.
func FromPanic(p any) error {
	if v, ok := p.(*Violation); ok {
		return &Violation{v.Oracle, fmt.Errorf("%w\n%s", v.Err, site())}
	}
	text := fmt.Sprint(p)
	pkg, _, ours := strings.Cut(text, ": ")
	if !ours || strings.ContainsAny(pkg, " \n") {
		pkg = "runtime"
	}
	return Violated(pkg+" panic", "%s\n%s", text, site())
}

// site names the innermost functions of a panic under way.
func site() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var sites []string
	after := false
	for f, more := frames.Next(); more && len(sites) < 6; f, more = frames.Next() {
		if after {
			sites = append(sites, fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line))
		}
		after = after || f.Function == "runtime.gopanic"
	}
	return "at " + strings.Join(sites, "\n   ")
}
