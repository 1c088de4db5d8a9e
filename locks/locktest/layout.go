package locktest

import (
	"reflect"
	"sync/atomic"
	"unsafe"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
)

// Layout holds the locks of spec to what they say of their memory: how much they take, that they begin zero, at a line of their own
// and not always the same one, and that what different CPUs write lies locks.LinePad apart.
func Layout(spec locks.Spec) error {
	const page = 4096
	seen := make(map[uintptr]bool)
	for range 16 {
		l, err := spec.New(1)
		if err != nil {
			return oracle.Violated(oracle.Answer, "%w", err)
		}
		at := uintptr(inner(l).Addr().UnsafePointer())
		if at%locks.LinePad != 0 && !probe.Simulating {
			return oracle.Violated(oracle.Layout, "a lock at %#x", at)
		}
		seen[at%page] = true
		if err := shape(spec, l); err != nil {
			return err
		}
	}
	if probe.Simulating { // locks are then made by the million, and lie anywhere
		return neighbours()
	}
	if len(seen) == 1 {
		return oracle.Violated(oracle.Layout, "16 locks, all at the same place of a page")
	}
	for _, err := range []error{place[[1]byte](), place[[24]byte](), place[[locks.LinePad]byte](), place[[1000]byte]()} {
		if err != nil {
			return err
		}
	}
	return neighbours()
}

// shape is about the fields of one new lock.
func shape(spec locks.Spec, l locks.Lock) error {
	v := inner(l)
	if size := v.Type().Size() - padding(v.Type()); size != uintptr(spec.Kind().Bytes) {
		return oracle.Violated(oracle.Layout, "%d bytes, but Bytes says %d", size, spec.Kind().Bytes)
	}
	for i := range v.NumField() {
		switch f := v.Type().Field(i); {
		case f.Name == "policy":
			if p := locks.Policy(v.Field(i).Uint()); p != spec.Policy() {
				return oracle.Violated(oracle.Answer, "waiters %v, want %v", p, spec.Policy())
			}
		case f.Name == "array": // constant, and the same in all locks
		case f.Name != "_" && !begins(v.Field(i)):
			return oracle.Violated(oracle.Structure, "field %s of a new lock is not zero", f.Name)
		}
	}
	next, owner := field[atomic.Uint32](l, "next"), field[atomic.Uint32](l, "owner")
	if next != nil && owner != nil && uintptr(unsafe.Pointer(owner))-uintptr(unsafe.Pointer(next)) < locks.LinePad {
		return oracle.Violated(oracle.Layout, "next at %p and owner at %p", next, owner)
	}
	last := uintptr(unsafe.Pointer(next))
	for _, place := range grants(l) {
		at := uintptr(unsafe.Pointer(place))
		if at-last < locks.LinePad {
			return oracle.Violated(oracle.Layout, "a place to call numbers at %#x, and before it a word at %#x", at, last)
		}
		last = at
	}
	return nil
}

// begins reports whether a field is as it has to begin: zero, but for the policy of a lock within the lock.
func begins(v reflect.Value) bool {
	if v.Kind() != reflect.Struct {
		return v.IsZero()
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Name != "policy" && !begins(v.Field(i)) {
			return false
		}
	}
	return true
}

// padding is how many bytes of a type are fields named _.
func padding(t reflect.Type) (n uintptr) {
	switch t.Kind() {
	case reflect.Array:
		return uintptr(t.Len()) * padding(t.Elem())
	case reflect.Struct:
	default:
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

// place: what locks.Place returns is zero and begins a line.
func place[T comparable]() error {
	var zero T
	if t := locks.Place[T](); *t != zero || uintptr(unsafe.Pointer(t))%locks.LinePad != 0 {
		return oracle.Violated(oracle.Layout, "a placed %T at %p is not zero, or does not begin a line", zero, t)
	}
	return nil
}

// neighbours: wherever a Node lies, its lines are its own. So in an array, no two share one.
func neighbours() error {
	t := reflect.TypeFor[locks.Node]()
	for i := range t.NumField() {
		f := t.Field(i)
		after := t.Size() - f.Offset - f.Type.Size()
		if f.Name != "_" && (f.Offset < locks.LinePad-1 || after < locks.LinePad-1) {
			return oracle.Violated(oracle.Layout, "%s of a Node has %d bytes before it and %d after", f.Name, f.Offset, after)
		}
	}
	return nil
}
