package machine

import (
	"cmp"
	"slices"
)

// Order returns the CPUs to pin n workers to, worker i to the i-th. Every
// prefix of it is a placement in its own right, so a sweep over n only adds
// CPUs:
//
//  1. distinct cores before second hardware threads: no two workers share a
//     core while an allowed core is free;
//  2. among these, one package after the other, within it one NUMA node after
//     the other, within that one last-level cache after the other, so that a
//     small n crosses no boundary that it need not cross;
//  3. among equals the faster cores of a hybrid machine, then the lower number.
//
// Only allowed CPUs appear. When n exceeds them the order repeats: those
// workers share CPUs, which pure spin locks do not survive. It is nil when
// n < 1 or no CPU is allowed.
func (t Topology) Order(n int) []int {
	if n < 1 || len(t.Allowed) == 0 {
		return nil
	}
	cpus := make([]CPU, len(t.Allowed))
	for i, id := range t.Allowed {
		cpus[i] = t.cpu(id)
	}
	slices.SortFunc(cpus, func(a, b CPU) int {
		return cmp.Or(
			cmp.Compare(t.threadRank(a), t.threadRank(b)),
			cmp.Compare(a.Package, b.Package),
			cmp.Compare(a.Node, b.Node),
			cmp.Compare(a.LLC, b.LLC),
			-cmp.Compare(a.Capacity, b.Capacity),
			cmp.Compare(a.ID, b.ID),
		)
	})
	order := make([]int, n)
	for i := range order {
		order[i] = cpus[i%len(cpus)].ID
	}
	return order
}

// threadRank is how many allowed threads of c's core come before c: a cpuset
// may hold only a core's second thread, which is then its first.
func (t Topology) threadRank(c CPU) int {
	rank := 0
	for _, sibling := range c.Siblings {
		if sibling < c.ID && slices.Contains(t.Allowed, sibling) {
			rank++
		}
	}
	return rank
}
