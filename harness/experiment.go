package harness

import (
	"fmt"
	"strings"
	"unicode"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// An Experiment is one variant under one workload: what a benchmark name says.
type Experiment struct {
	Scheme   string // as pcbinfo.ParseSpec reads it
	Lock     string // as locks.ParseSpec reads it; "" or "default": the scheme's own
	Dispatch string // as netisr.ParseSpec reads it; default direct
	Roles    string // one of workloads.RoleSets; default all
	Workload workloads.Params
	Work     int    // protocol work a segment under the inpcb lock, in ns
	Pin      string // PinCPU (default) or PinNone
	Force    bool   // run more workers than the scheme is correct for
}

// The ways to place workers. Nothing compares across them: a pinned goroutine that parks takes its thread along.
const (
	PinCPU  = "cpu"  // a thread and a CPU of its own for each worker
	PinNone = "none" // goroutines, placed by the Go scheduler
)

// DefaultWork is the realistic setting of Work in nanoseconds. Header checks, options, timers and output of a TCP segment cost
// gVisor's netstack some 1.5 µs for the whole way in and FreeBSD on servers of 2006 about 3 µs with socket and application; a sixth of
// the latter is what is left under the lock with table and machine taken out. The order of magnitude is what matters: of a
// lock hold of a few hundred ns, not of none.
const DefaultWork = 500

const maxWork = 1_000_000

// A variant is an Experiment that has been checked, with its parts looked up.
type variant struct {
	Experiment
	spec pcbinfo.Spec
	lock locks.Spec
	way  workloads.Way
}

// resolve checks e; the error says what is known.
func (e Experiment) resolve() (v variant, err error) {
	if e.Lock == "" {
		e.Lock = "default"
	}
	if e.Dispatch == "" {
		e.Dispatch = netisr.Models[0].Name
	}
	if e.Roles == "" {
		e.Roles = workloads.RoleSets[0].Name
	}
	if e.Pin == "" {
		e.Pin = PinCPU
	}
	v.Experiment = e
	if v.spec, err = pcbinfo.ParseSpec(e.Scheme); err != nil {
		return v, err
	}
	if e.Lock != "default" {
		if v.lock, err = locks.ParseSpec(e.Lock); err != nil {
			return v, err
		}
		if v.spec.Lock == "" {
			return v, fmt.Errorf("scheme %s has no table lock, lock=%s means nothing to it", e.Scheme, e.Lock)
		}
	}
	if v.way.Model, err = netisr.ParseSpec(e.Dispatch); err != nil {
		return v, err
	}
	if v.way.Roles, err = workloads.FindRoles(e.Roles); err != nil {
		return v, err
	}
	if e.Pin != PinCPU && e.Pin != PinNone {
		return v, fmt.Errorf("unknown pin %q; known: %s, %s", e.Pin, PinCPU, PinNone)
	}
	if e.Work < 0 || e.Work > maxWork {
		return v, fmt.Errorf("work=%d: want 0 to %d ns", e.Work, maxWork)
	}
	if v.Workload, err = e.Workload.Check(); err != nil {
		return v, err
	}
	if e.Lock != "default" {
		if _, err := v.lock.New(v.users()); err != nil {
			return v, err
		}
	}
	if m := v.spec.Workers; m != 0 && v.users() > m && !e.Force {
		return v, fmt.Errorf("scheme %s is correct for %d worker only, not for %d with %d walkers: refused (-force runs it all the same)",
			e.Scheme, m, v.Workload.Workers, v.walkers())
	}
	return v, nil
}

// walkers is how many walkers run: none where there is no table to walk.
func (v *variant) walkers() int {
	if !v.spec.Table {
		return 0
	}
	return v.Workload.Walkers
}

// users is how many goroutines use the table at a time.
func (v *variant) users() int { return v.Workload.Workers + v.walkers() }

// subjects are what a torture must have passed before results of es mean anything, by its names.
func subjects(es []Experiment) (names []string) {
	for _, e := range es {
		v, err := e.resolve()
		if err != nil || !v.spec.Table {
			continue // Validate has told
		}
		scheme := v.Scheme
		if name, opts, _ := strings.Cut(scheme, ":"); strings.HasPrefix(opts, "groups=") {
			scheme = name // one number of groups stands for all
		}
		names = append(names, "scheme "+scheme, "dispatch "+v.Dispatch, "workload", "harness")
		if v.Lock != "default" {
			names = append(names, "lock "+v.lock.String())
		}
	}
	return names
}

// name is the benchmark's name. Keys that most experiments leave alone stand at the end, and only when set.
func (v *variant) name() string {
	w := &v.Workload
	var b strings.Builder
	fmt.Fprintf(&b, "Input/scheme=%s/lock=%s/dispatch=%s/mix=%s/conns=%d/batch=%d/workers=%d/affinity=%s/pin=%s/work=%d",
		v.Scheme, v.Lock, v.Dispatch, w.Mix, w.Conns, w.Batch, w.Workers, w.Affinity, v.Pin, v.Work)
	if v.Roles != workloads.RoleSets[0].Name {
		fmt.Fprintf(&b, "/roles=%s", v.Roles)
	}
	for _, k := range w.Uncommon() {
		fmt.Fprintf(&b, "/%s", strings.Map(inName, k))
	}
	return b.String()
}

// inName replaces what a capture's file name may hold and a benchmark's name may not: blanks end it, a slash ends the key, and digits
// after a last dash are taken for GOMAXPROCS.
func inName(r rune) rune {
	if r == ' ' || r == '/' || r == '-' || !unicode.IsPrint(r) {
		return '_'
	}
	return r
}
