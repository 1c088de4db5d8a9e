package locks

import (
	"testing"
	"unsafe"
)

// TestCLHCells: a cell has a line of its own wherever it is allocated, and cells wander instead of being made: a node used with many locks in turn makes one
// for itself, and one in place of what each lock keeps.
func TestCLHCells(t *testing.T) {
	for range 100 {
		if c := new(clhCell); uintptr(unsafe.Pointer(c))%LinePad != 0 || unsafe.Sizeof(*c) != LinePad {
			t.Fatalf("a cell of %d bytes at %p", unsafe.Sizeof(*c), c)
		}
	}
	const many = 8
	nodes, seen := make([]Node, many), map[*clhCell]bool{}
	var of [many]*clh
	for i := range of {
		of[i] = newCLH(SpinYield).(*clh)
	}
	for round := range 100 {
		for i := range nodes {
			n, l := &nodes[i], of[(i+round)%many]
			l.Lock(n)
			seen[n.cell] = true
			l.Unlock(n)
		}
	}
	if len(seen) != 2*many {
		t.Errorf("%d nodes and %d locks have used %d cells", many, many, len(seen))
	}
}
