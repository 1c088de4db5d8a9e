package harness

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

func TestWorkerCounts(t *testing.T) {
	for cpus, want := range map[int][]int{
		1: {1}, 2: {1, 2}, 3: {1, 2, 3}, 4: {1, 2, 4}, 6: {1, 2, 4, 6}, 64: {1, 2, 4, 8, 16, 32, 64},
	} {
		if got := WorkerCounts(cpus); !slices.Equal(got, want) {
			t.Errorf("%d CPUs: %v, want %v", cpus, got, want)
		}
	}
}

// TestDefaultMatrix checks the default matrix on 6 CPUs: main mixes × worker counts × realistic work and none × what fits.
func TestDefaultMatrix(t *testing.T) {
	var want []string
	for _, mix := range workloads.Mixes {
		for _, workers := range []int{1, 2, 4, 6} {
			for _, work := range []int{500, 0} {
				for _, s := range pcbinfo.Schemes {
					if mix.Main && s.Main && (s.Workers == 0 || workers <= s.Workers) && !s.Owned {
						want = append(want, fmt.Sprint(mix.Name, workers, work, s.Name))
					}
				}
			}
		}
	}
	var got []string
	es := Matrix{CPUs: 6}.Experiments()
	for _, e := range es {
		w := e.Workload
		got = append(got, fmt.Sprint(w.Mix, w.Workers, e.Work, e.Scheme))
		if e.Lock != "default" || e.Dispatch != "" || e.Pin != PinCPU || w.Affinity != workloads.RSS || w.Conns != 0 || w.Batch != 0 || e.Force {
			t.Errorf("not the defaults: %+v", e)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the default matrix is\n%v\nwant\n%v", got, want)
	}
	if err := Validate(es); err != nil {
		t.Errorf("the default matrix holds what is refused: %v", err)
	}
}

func schemesOf(es []Experiment) (names []string) {
	for _, e := range es {
		if !slices.Contains(names, e.Scheme) {
			names = append(names, e.Scheme)
		}
	}
	return names
}

// TestFittingSchemes checks who sits out unasked: schemes without a table lock where locks vary, also under Force.
func TestFittingSchemes(t *testing.T) {
	for _, force := range []bool{false, true} {
		m := Matrix{CPUs: 2, Workers: []int{2}, Schemes: []string{"all"}, Mixes: []string{"churn"}, Works: []int{0}, Locks: []string{"mcs"}, Force: force}
		es := m.Experiments()
		for _, s := range pcbinfo.Schemes {
			if got := slices.Contains(schemesOf(es), s.Name); got != (s.Lock != "") {
				t.Errorf("force=%v: scheme %s, table lock %q: in the matrix: %v", force, s.Name, s.Lock, got)
			}
		}
		if err := Validate(es); err != nil {
			t.Errorf("force=%v: %v", force, err)
		}
	}
	for dispatch, want := range map[string]bool{"": false, "hybrid": false, "connp-t:threads=2": true, "squeue": true} {
		m := Matrix{CPUs: 4, Workers: []int{1, 4}, Mixes: []string{"churn", "walk"}, Dispatches: []string{dispatch}, Roles: []string{"all", "split"}}
		es := m.Experiments()
		if got := slices.Contains(schemesOf(es), "owned"); got != want {
			t.Errorf("dispatch %q: scheme owned is in the matrix: %v", dispatch, got)
		}
		if err := Validate(es); err != nil {
			t.Errorf("dispatch %q: %v", dispatch, err)
		}
	}
	walked := Matrix{CPUs: 2, Workers: []int{1}, Mixes: []string{"walk"}, Works: []int{0}}.Experiments()
	if err := Validate(walked); err != nil || slices.Contains(schemesOf(walked), "unsync") || !slices.Contains(schemesOf(walked), "null") {
		t.Errorf("beside a walker fit %v: %v", schemesOf(walked), err)
	}
	forced := Matrix{CPUs: 2, Workers: []int{2}, Schemes: []string{"all"}, Force: true}.Experiments()
	if !slices.Equal(schemesOf(forced), pcbinfo.Names()) {
		t.Errorf("under Force 2 workers leave only %v", schemesOf(forced))
	}
}

// TestNamedSchemes checks that what was asked for by name is refused by name instead of being left out.
func TestNamedSchemes(t *testing.T) {
	for scheme, m := range map[string]Matrix{
		"unsync":  {Workers: []int{2}},
		"null":    {Workers: []int{1}, Locks: []string{"mcs"}},
		"nothere": {Workers: []int{1}},
	} {
		m.CPUs, m.Schemes = 2, []string{"global", scheme}
		es := m.Experiments()
		if !slices.Equal(schemesOf(es), m.Schemes) {
			t.Errorf("%s: in the matrix are %v", scheme, schemesOf(es))
		}
		if err := Validate(es); err == nil || !strings.Contains(err.Error(), scheme) {
			t.Errorf("%s: refused with %v", scheme, err)
		}
	}
}

func TestQuick(t *testing.T) {
	for cpus, workers := range map[int][]int{1: {1}, 2: {1, 2}, 64: {1, 64}} {
		m := Matrix{CPUs: cpus}
		m.Quick()
		if want := (Matrix{CPUs: cpus, Mixes: []string{"churn"}, Works: []int{DefaultWork}, Workers: workers}); !reflect.DeepEqual(m, want) {
			t.Errorf("%d CPUs: %+v, want %+v", cpus, m, want)
		}
	}
	m := Matrix{CPUs: 64, Mixes: []string{"bulk"}, Works: []int{7}, Workers: []int{3}}
	want := m
	if m.Quick(); !reflect.DeepEqual(m, want) {
		t.Errorf("Quick changes what was chosen to %+v", m)
	}
}

// TestThin checks that a thinner matrix keeps the fewest and the most workers, every second count between, all or nothing of a count,
// and that thinning ends.
func TestThin(t *testing.T) {
	es := Matrix{CPUs: 64}.Experiments()
	for _, want := range [][]int{{1, 4, 16, 64}, {1, 16, 64}, {1, 64}} {
		fewer, ok := thin(es, (*Experiment).workers)
		if got := counts(fewer); !ok || !slices.Equal(got, want) {
			t.Fatalf("%v thinned to %v, %v; want %v", counts(es), got, ok, want)
		}
		for _, n := range want {
			if had, has := ofCount(es, n), ofCount(fewer, n); !reflect.DeepEqual(had, has) {
				t.Errorf("of the kept count %d only %d of %d experiments are left", n, len(has), len(had))
			}
		}
		es = fewer
	}
	if left, ok := thin(es, (*Experiment).workers); ok || !reflect.DeepEqual(left, es) {
		t.Errorf("with two counts left thin goes on: %v %v", counts(left), ok)
	}
}

func counts(es []Experiment) (ns []int) {
	for _, e := range es {
		ns = append(ns, e.Workload.Workers)
	}
	slices.Sort(ns)
	return slices.Compact(ns)
}

func ofCount(es []Experiment, workers int) (of []Experiment) {
	for _, e := range es {
		if e.Workload.Workers == workers {
			of = append(of, e)
		}
	}
	return of
}
