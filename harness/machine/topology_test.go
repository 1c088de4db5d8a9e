package machine

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func mustRead(t *testing.T, sys fstest.MapFS, allowed ...int) Topology {
	t.Helper()
	topology, err := ReadTopology(sys, allowed)
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

func TestReadTopology(t *testing.T) {
	top := mustRead(t, smtServer(), 0, 1, 2, 3, 4, 5, 6, 7)
	if got := top.Cores(); got != 4 {
		t.Errorf("%d cores, want 4: two threads of a core count once", got)
	}
	if !slices.Equal(top.Isolated, []int{7}) {
		t.Errorf("isolated %v", top.Isolated)
	}
	want := CPU{ID: 6, Package: 1, Die: 0, Cluster: -1, Core: 0, Node: 1, LLC: 2, Capacity: -1, Siblings: []int{2, 6}}
	if got := top.cpu(6); !reflect.DeepEqual(got, want) {
		t.Errorf("CPU 6 is %+v, want %+v", got, want)
	}
	if len(top.Nodes) != 3 || top.Nodes[2].CPUs != nil {
		t.Errorf("nodes %+v, want three, the last without CPUs", top.Nodes)
	}
	instances := map[string]int{}
	for _, c := range top.Caches {
		instances[c.Type+sizeText(c.Size)]++
		if c.Line != 64 {
			t.Errorf("line of %+v", c)
		}
	}
	for cache, n := range map[string]int{"Data48KiB": 4, "Instruction32KiB": 4, "Unified2MiB": 4, "Unified32MiB": 2} {
		if instances[cache] != n {
			t.Errorf("%d instances of %s, want %d", instances[cache], cache, n)
		}
	}
}

// A container may hide /sys: the affinity mask alone must do.
func TestReadTopologyWithoutFiles(t *testing.T) {
	top := mustRead(t, fstest.MapFS{}, 3, 5)
	if top.Cores() != 0 || top.Online != nil {
		t.Errorf("%d cores, online %v from no files", top.Cores(), top.Online)
	}
	for _, c := range top.CPUs {
		if c.Package != -1 || c.Node != -1 || c.LLC != -1 {
			t.Errorf("made up: %+v", c)
		}
	}
	if got := top.Order(3); !slices.Equal(got, []int{3, 5, 3}) {
		t.Errorf("order %v", got)
	}
}

func TestReadTopologyGoesOnAfterMalformedFiles(t *testing.T) {
	sys := smtServer()
	sys["cpu/cpu1/topology/physical_package_id"] = file("zero\n")
	sys["cpu/cpu2/topology/thread_siblings_list"] = file("2,\n")
	sys["cpu/cpu3/topology/thread_siblings_list"] = file("1\n")
	sys["cpu/cpu0/cache/index0/size"] = file("K\n")
	sys["node/node0/cpulist"] = file("0-1;4-5\n")
	top, err := ReadTopology(sys, []int{0, 1, 2, 3})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{
		"cpu/cpu1/topology/physical_package_id: byte 0",
		"cpu/cpu2/topology/thread_siblings_list: byte 2",
		"cpu/cpu3/topology/thread_siblings_list: CPU 3 is missing",
		"cpu/cpu0/cache/index0/size: byte 0",
		"node/node0/cpulist: byte 0",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
	if top.cpu(1).Package != -1 || top.cpu(2).Siblings != nil || top.cpu(3).Siblings != nil || top.cpu(0).Node != -1 {
		t.Errorf("malformed facts are not unknown: %+v", top.CPUs)
	}
	if top.cpu(2).Node != 1 || len(top.Order(4)) != 4 {
		t.Error("the rest was not read")
	}
}

func TestHostTopologyIsUsable(t *testing.T) {
	top, err := HostTopology()
	if err != nil {
		t.Log(err)
	}
	if got := top.Order(1); len(got) != 1 || !slices.Contains(top.Allowed, got[0]) {
		t.Errorf("Order(1) = %v of allowed %v", got, top.Allowed)
	}
}
