package locks

import (
	"testing"
	"unsafe"
)

// TestSizes: the locks that are embedded in every connection have no padding. What Bytes says of each kind, and where locks lie, is
// TestLayout's.
func TestSizes(t *testing.T) {
	if m, rw := unsafe.Sizeof(Mtx{}), unsafe.Sizeof(RW{}); m != 8 || rw != 16 {
		t.Errorf("Mtx of %d bytes, RW of %d", m, rw)
	}
}

// TestPlaceKeepsPointers: what a placed value points to lives as long as it does.
func TestPlaceKeepsPointers(t *testing.T) {
	p := Place[*[4096]int]()
	*p = new([4096]int)
	(*p)[17] = 42
	for range 10 {
		churn = make([]byte, 1<<20)
	}
	if (*p)[17] != 42 {
		t.Error("collected")
	}
}

var churn []byte

// TestApart: words that different workers write are LinePad apart, and a Node is so from its surroundings.
func TestApart(t *testing.T) {
	var l ticket
	if d := unsafe.Offsetof(l.owner) - unsafe.Offsetof(l.next); d < LinePad {
		t.Errorf("ticket words %d bytes apart", d)
	}
	var n Node
	if d := unsafe.Offsetof(n.hemlockNode) - unsafe.Offsetof(n.clhNode) - unsafe.Sizeof(n.clhNode); d < LinePad {
		t.Errorf("Node with %d bytes between its worker's own words and what another writes while it polls", d)
	}
	before, after := unsafe.Offsetof(n.queueNode), unsafe.Sizeof(n)-unsafe.Offsetof(n.queueNode)-unsafe.Sizeof(n.queueNode)
	if before < LinePad || after < LinePad-8 {
		t.Errorf("Node with %d bytes of padding before and %d after", before, after)
	}
}

func TestLineSize(t *testing.T) {
	if n := LineSize(); n < 32 || n > LinePad {
		t.Errorf("this machine moves lines of %d bytes; LinePad is %d", n, LinePad)
	}
}
