package machine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"
)

func TestOrder(t *testing.T) {
	for _, test := range []struct {
		name    string
		sys     fstest.MapFS
		allowed []int
		want    []int
	}{
		{"socket by socket, then second threads, then again", smtServer(), []int{0, 1, 2, 3, 4, 5, 6, 7}, []int{0, 1, 2, 3, 4, 5, 6, 7, 0, 1}},
		{"cpuset of one socket", smtServer(), []int{2, 3, 6, 7}, []int{2, 3, 6, 7, 2}},
		{"cpuset with second threads only", smtServer(), []int{1, 4, 5, 6}, []int{1, 4, 6, 5}},
		{"fast cores first", hybrid(), []int{0, 1, 2, 3, 4, 5}, []int{2, 4, 0, 1, 3, 5}},
		{"guest", guest(), []int{0, 1}, []int{0, 1, 0, 1}},
		{"unsorted mask", guest(), []int{1, 0}, []int{0, 1}},
		{"nothing allowed", guest(), nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustRead(t, test.sys, test.allowed...).Order(max(1, len(test.want))); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	if got := mustRead(t, guest(), 0, 1).Order(0); got != nil {
		t.Errorf("Order(0) = %v", got)
	}
}

// Numbers need not follow the boundaries: node before cache before number.
func TestOrderKeepsToNodeAndCache(t *testing.T) {
	top := Topology{Allowed: []int{0, 1, 2, 3, 4, 5}}
	for id, place := range [][2]int{{1, 5}, {0, 9}, {0, 4}, {1, 5}, {0, 9}, {0, 4}} {
		top.CPUs = append(top.CPUs, CPU{ID: id, Node: place[0], LLC: place[1], Siblings: []int{id}})
	}
	if got, want := top.Order(6), []int{2, 5, 1, 4, 0, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// On random machines under random cpusets.
func TestOrderProperties(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		top := randomTopology(rng)
		n := rng.IntN(3*len(top.Allowed)) + 1
		order := top.Order(n)
		if err := checkOrder(top, order, n); err != nil {
			t.Fatalf("%v\nallowed %v order %v\nCPUs %+v", err, top.Allowed, order, top.CPUs)
		}
	}
}

func checkOrder(top Topology, order []int, n int) error {
	if len(order) != n || !slices.Equal(order, top.Order(n + 1)[:n]) {
		return fmt.Errorf("Order(%d) is not a prefix of Order(%d)", n, n+1)
	}
	cores := map[int]bool{}
	for _, id := range top.Allowed {
		cores[top.cpu(id).Siblings[0]] = true
	}
	used, usedCores, usedPackages := map[int]bool{}, map[int]bool{}, map[int]bool{}
	for i, id := range order {
		if !slices.Contains(top.Allowed, id) {
			return fmt.Errorf("CPU %d is not allowed", id)
		}
		if i >= len(top.Allowed) {
			if id != order[i-len(top.Allowed)] {
				return fmt.Errorf("worker %d does not wrap around", i)
			}
			continue
		}
		if used[id] {
			return fmt.Errorf("CPU %d twice while others are free", id)
		}
		used[id] = true
		core, pkg := top.cpu(id).Siblings[0], top.cpu(id).Package
		if usedCores[core] && len(usedCores) < len(cores) {
			return fmt.Errorf("CPU %d shares a core while others are free", id)
		}
		if i > 0 && i < len(cores) && usedPackages[pkg] && pkg != top.cpu(order[i-1]).Package {
			return fmt.Errorf("CPU %d goes back to package %d", id, pkg)
		}
		usedCores[core], usedPackages[pkg] = true, true
	}
	return nil
}

func randomTopology(rng *rand.Rand) Topology {
	packages, cores, threads := 1+rng.IntN(3), 1+rng.IntN(5), 1+rng.IntN(4)
	ids := rng.Perm(packages * cores * threads)
	var top Topology
	for core := range packages * cores {
		siblings := slices.Sorted(slices.Values(ids[core*threads : (core+1)*threads]))
		for _, id := range siblings {
			pkg := core / cores
			top.CPUs = append(top.CPUs, CPU{ID: id, Package: pkg, Node: pkg, LLC: core / 2, Capacity: 512 + 512*(core%2), Siblings: siblings})
			if rng.IntN(3) > 0 {
				top.Allowed = append(top.Allowed, id)
			}
		}
	}
	slices.SortFunc(top.CPUs, func(a, b CPU) int { return a.ID - b.ID })
	if top.Allowed == nil {
		top.Allowed = []int{ids[0]}
	}
	slices.Sort(top.Allowed)
	return top
}
