package harness

import (
	"fmt"
	"math/rand/v2"
	"reflect"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// perCPU is how many workers the layout is looked at with: a number that no other array has.
const perCPU = 13

// checkLayout: what different workers write does not lie on one line.
func checkLayout(rng *rand.Rand) error {
	if err := apart("harness.worker", reflect.ValueOf(newWorkers(perCPU))); err != nil {
		return err
	}
	if err := apart("locks.Node", reflect.ValueOf(make([]locks.Node, perCPU))); err != nil {
		return err
	}
	for _, k := range smr.Kinds {
		var made any
		if k.New != nil {
			made = k.New(perCPU)
		} else {
			made = k.NewObjects(perCPU)
		}
		if err := search("reclamation "+k.Name, reflect.ValueOf(made), map[uintptr]bool{}); err != nil {
			return err
		}
	}
	sp, err := pcbinfo.ParseSpec(pcbinfo.Schemes[rng.IntN(len(pcbinfo.Schemes))].Name)
	if err != nil {
		return err
	}
	in, err := sp.New(pcbinfo.Config{CPUs: perCPU})
	if err != nil {
		return err
	}
	var stats []*pcbinfo.Stats
	for i := range perCPU {
		stats = append(stats, in.CPU(i).Stats())
	}
	if err := apart(sp.String()+": Stats", reflect.ValueOf(stats)); err != nil {
		return err
	}
	if err := search("scheme "+sp.String(), reflect.ValueOf(in), map[uintptr]bool{}); err != nil {
		return err
	}
	w, err := workloads.Build(workloads.Params{Mix: "rpc", Conns: 100, Workers: 3})
	if err != nil {
		return err
	}
	null, err := pcbinfo.Schemes[0].New(pcbinfo.Config{CPUs: 3, FirstPort: 1, LastPort: 2})
	if err != nil {
		return err
	}
	ds := reflect.ValueOf(w.Start(null, workloads.Direct()).Drivers)
	if err := apart("workloads.Driver", ds); err != nil {
		return err
	}
	return polled("workloads.Driver", ds.Index(0).Elem())
}

// polled checks that the atomics of a struct, which others poll, are not on a line with what its owner writes.
func polled(what string, v reflect.Value) error {
	own := map[uintptr]bool{}
	for _, atomic := range []bool{false, true} {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Name == "_" || (f.Type.PkgPath() == "sync/atomic") != atomic {
				continue
			}
			for at := range fields(f.Type, v.Field(i).UnsafeAddr()) {
				if atomic && own[at] {
					return oracle.Violated(oracle.Layout, "%s: %s, which others poll, is on a line with what its owner writes", what, f.Name)
				}
				own[at] = true
			}
		}
	}
	return nil
}

// line is what caches move at a time: two lines of 64 bytes, which amd64 fetches in pairs, or one of Apple's.
const line = 128

// apart checks that no two elements of list have fields on the same line; blank fields are padding. An element that is a pointer stands for what it
// points at.
func apart(what string, list reflect.Value) error {
	owner := map[uintptr]int{}
	for i := range list.Len() {
		v := list.Index(i)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		for at := range fields(v.Type(), v.UnsafeAddr()) {
			if j, taken := owner[at]; taken && j != i {
				return oracle.Violated(oracle.Layout, "%s: those of CPU %d and CPU %d share the line at %#x", what, j, i, at*line)
			}
			owner[at] = i
		}
	}
	return nil
}

// fields are the lines of a t at that address.
func fields(t reflect.Type, at uintptr) map[uintptr]bool {
	lines := map[uintptr]bool{}
	var add func(t reflect.Type, at uintptr)
	add = func(t reflect.Type, at uintptr) {
		if t.Kind() == reflect.Struct && t.PkgPath() != "sync/atomic" {
			for i := range t.NumField() {
				if f := t.Field(i); f.Name != "_" {
					add(f.Type, at+f.Offset)
				}
			}
			return
		}
		if t.Size() == 0 {
			return
		}
		for l := at / line; l <= (at+t.Size()-1)/line; l++ {
			lines[l] = true
		}
	}
	add(t, at)
	return lines
}

// search looks for arrays with an element for each CPU, and perhaps one for the table itself, in all that v holds.
func search(what string, v reflect.Value, seen map[uintptr]bool) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return nil
		}
		seen[v.Pointer()] = true
		return search(what, v.Elem(), seen)
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return search(what, v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := search(what+"."+v.Type().Field(i).Name, v.Field(i), seen); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		if n := v.Len(); n != perCPU && n != perCPU+1 {
			return nil
		}
		if err := apartOwn(what, v); err != nil {
			return err
		}
		for i := range v.Len() {
			if err := search(fmt.Sprintf("%s[%d]", what, i), v.Index(i), seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// apartOwn is apart for elements that are written; those of pointers alone are not, once they are made.
func apartOwn(what string, v reflect.Value) error {
	e := v.Type().Elem()
	if e.Kind() == reflect.Pointer {
		e = e.Elem()
	}
	if e.Kind() != reflect.Struct || v.Len() == 0 || onlyPointers(e) {
		return nil
	}
	if v.Type().Elem().Kind() == reflect.Struct && !v.Index(0).CanAddr() {
		return nil
	}
	return apart(what, v)
}

func onlyPointers(t reflect.Type) bool {
	for i := range t.NumField() {
		switch t.Field(i).Type.Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Func:
		default:
			return false
		}
	}
	return true
}
