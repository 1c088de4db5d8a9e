package harness

import (
	"cmp"
	"fmt"
	"strconv"
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
	Work     int     // protocol work a segment under the inpcb lock, in ns
	Pin      string  // PinCPU (default) or PinNone
	Arrivals string  // as workloads.ParseArrivals reads it: an open loop; "": a closed one
	Rate     float64 // segments a second that an open loop offers, over all workers; or
	Load     float64 // the same in percent of the closed loop's maximum, which the process measures first
	Force    bool    // run more workers than the scheme is correct for
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
	spec     pcbinfo.Spec
	lock     locks.Spec
	way      workloads.Way
	arrivals workloads.Arrivals
	peak     *peak // that Load is a share of
}

// resolve checks e; the error says what is known.
func (e Experiment) resolve() (v variant, err error) {
	e = e.withDefaults()
	v.Experiment = e
	if v.spec, err = pcbinfo.ParseSpec(e.Scheme); err != nil {
		return v, err
	}
	if e.Lock != "default" {
		if v.lock, err = locks.ParseSpec(e.Lock); err == nil {
			err = v.lock.Unfit()
		}
		if err != nil {
			return v, err
		}
		if v.spec.Lock == "" {
			return v, fmt.Errorf("scheme %s has no table lock, lock=%s means nothing to it", e.Scheme, e.Lock)
		}
	}
	if v.way, err = e.way(); err != nil {
		return v, err
	}
	if e.Pin != PinCPU && e.Pin != PinNone {
		return v, fmt.Errorf("unknown pin %q; known: %s, %s", e.Pin, PinCPU, PinNone)
	}
	if err := e.checkOpen(); err != nil {
		return v, err
	}
	if e.Arrivals != "" {
		if v.arrivals, err = workloads.ParseArrivals(e.Arrivals); err != nil {
			return v, err
		}
	}
	if e.Work < 0 || e.Work > maxWork {
		return v, fmt.Errorf("work=%d: want 0 to %d ns", e.Work, maxWork)
	}
	if v.Workload, err = e.Workload.Check(); err != nil {
		return v, err
	}
	if e.Arrivals != "" && v.Workload.Affinity == workloads.Spray {
		return v, fmt.Errorf("arrivals=%s with affinity=%s: workers would wait for each other's order, not for arrivals", e.Arrivals, workloads.Spray)
	}
	if e.Lock != "default" {
		if _, err := v.lock.New(v.users()); err != nil {
			return v, err
		}
	}
	if m := v.spec.Workers; m != 0 && v.users() > m && !(v.spec.Owned && v.way.Model.Owns) && !e.Force {
		return v, fmt.Errorf("scheme %s is correct for %d worker only%s, not for %d with %d walkers: refused (-force runs it all the same)",
			e.Scheme, m, v.unless(), v.Workload.Workers, v.walkers())
	}
	return v, nil
}

// withDefaults names what e leaves open.
func (e Experiment) withDefaults() Experiment {
	e.Lock = cmp.Or(e.Lock, "default")
	e.Dispatch = cmp.Or(e.Dispatch, netisr.Models[0].Name)
	e.Roles = cmp.Or(e.Roles, workloads.RoleSets[0].Name)
	e.Pin = cmp.Or(e.Pin, PinCPU)
	return e
}

// way reads Dispatch and Roles.
func (e *Experiment) way() (y workloads.Way, err error) {
	if y.Model, err = netisr.ParseSpec(e.Dispatch); err != nil {
		return y, err
	}
	y.Roles, err = workloads.FindRoles(e.Roles)
	return y, err
}

// walkers is how many walkers run: none where there is no table to walk.
func (v *variant) walkers() int {
	if !v.spec.Table {
		return 0
	}
	return v.Workload.Walkers
}

// users is how many goroutines use the table at a time.
func (v *variant) users() int { return usersOf(v.way, v.Workload.Workers) + v.walkers() }

// usersOf is how many threads use a table that so many workers reach by y.
func usersOf(y workloads.Way, workers int) int {
	switch {
	case y.Model.Owns:
		return y.Model.Streams(workers)
	case y.Roles.Netisr || y.Roles.Users:
		return y.Handles(workers)
	}
	return workers
}

// unless says behind which dispatch models the scheme is correct for more workers.
func (v *variant) unless() string {
	var owning []string
	for _, m := range netisr.Models {
		if m.Owns {
			owning = append(owning, "dispatch="+m.Name)
		}
	}
	if !v.spec.Owned {
		return ""
	}
	return " unless by " + strings.Join(owning, " or ")
}

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
		names = append(names, "scheme "+scheme, "dispatch "+v.way.Model.Name, "workload", "harness")
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
	number := func(key string, x float64) {
		if x != 0 {
			b.WriteString("/" + key + "=" + strconv.FormatFloat(x, 'f', -1, 64))
		}
	}
	if v.open() {
		b.WriteString("/arrivals=" + v.Arrivals)
	}
	number("rate", v.Rate)
	number("load", v.Load)
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
