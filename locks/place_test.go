package locks

import (
	"reflect"
	"testing"
	"unsafe"

	"pcbbench/locks/probe"
)

// padding returns how many bytes of a type are fields named _.
func padding(t reflect.Type) (n uintptr) {
	if t.Kind() != reflect.Struct {
		return 0
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Name == "_" {
			n += f.Type.Size()
		} else {
			n += padding(f.Type)
		}
	}
	return n
}

// TestSizes: Bytes is what a lock takes without padding, and the locks that are embedded in every connection
// have none.
func TestSizes(t *testing.T) {
	for _, k := range Kinds {
		typ := reflect.TypeOf(k.make(k.Policies[0])).Elem()
		if size := typ.Size() - padding(typ); size != uintptr(k.Bytes) {
			t.Errorf("%s: %d bytes, but Bytes says %d", k.Name, size, k.Bytes)
		}
	}
	if m, rw := unsafe.Sizeof(Mtx{}), unsafe.Sizeof(RW{}); m != 8 || rw != 16 {
		t.Errorf("Mtx of %d bytes, RW of %d", m, rw)
	}
}

// TestPlace: every lock begins a line of its own, and not always at the same place of a page.
func TestPlace(t *testing.T) {
	if probe.Simulating {
		t.Skip("simulations put locks anywhere")
	}
	for _, k := range Kinds {
		offsets := make(map[uintptr]bool)
		for range 64 {
			p := reflect.ValueOf(k.make(k.Policies[0])).Pointer()
			if p%LinePad != 0 {
				t.Fatalf("%s at %#x", k.Name, p)
			}
			offsets[p%4096] = true
		}
		if len(offsets) == 1 {
			t.Errorf("%s: 64 locks, all at the same place of a page", k.Name)
		}
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
	before, after := unsafe.Offsetof(n.mcsNode), unsafe.Sizeof(n)-unsafe.Offsetof(n.mcsNode)-unsafe.Sizeof(n.mcsNode)
	if before < LinePad || after < LinePad-8 {
		t.Errorf("Node with %d bytes of padding before and %d after", before, after)
	}
}

func TestLineSize(t *testing.T) {
	if n := LineSize(); n < 32 || n > LinePad {
		t.Errorf("this machine moves lines of %d bytes; LinePad is %d", n, LinePad)
	}
}
