package pcbinfo

import (
	"testing"
	"unsafe"
)

// TestLayout checks what the comments on padding promise, on 64-bit machines.
func TestLayout(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("laid out for 64 bits")
	}
	const line = 64
	var inp Inpcb
	var tb table
	for _, c := range []struct {
		what      string
		got, want uintptr
	}{
		{"size of an inpcb: a whole number of line pairs, for slabs", unsafe.Sizeof(inp), 2 * lineSize},
		{"offset of the inpcb's lock: lookups need the first line only", unsafe.Offsetof(inp.lock), line},
		{"size of a segment", unsafe.Sizeof(Segment{}), line},
		{"size of a syncache bucket", unsafe.Sizeof(syncacheBucket{}), lineSize},
		{"size of a shard", unsafe.Sizeof(shard{}), 2 * lineSize},
		{"size of a table", unsafe.Sizeof(tb), 2 * lineSize},
		{"offset of what a table's writers write", unsafe.Offsetof(tb.list), lineSize},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
	if gap := unsafe.Offsetof(tb.list) - unsafe.Offsetof(tb.mask) - unsafe.Sizeof(tb.mask); gap < line {
		t.Errorf("%d bytes between what lookups read and what writers write: a line may hold both", gap)
	}
	// On the heap an inpcb need not begin where a line does.
	p := newZone(t, 1, "").alloc(0)
	at := func(field unsafe.Pointer) uintptr { return uintptr(field) / line }
	if first := at(unsafe.Pointer(p)); at(unsafe.Pointer(&p.inc.Lport)) != first || at(unsafe.Pointer(&p.groupNext)) != first || at(unsafe.Pointer(&p.lock)) == first {
		t.Errorf("an inpcb at %p: key and next are not on one line, or the lock is on it too", p)
	}
}
