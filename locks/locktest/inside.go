package locktest

import (
	"bytes"
	"math/bits"
	"reflect"
	"slices"
	"sync/atomic"
	"unsafe"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// What a lock promises of its memory is checked from outside, by the names of its fields, so that no lock has code for it.

// inner is the struct of a lock without what it is wrapped into.
func inner(l any) reflect.Value {
	for {
		w, ok := l.(interface{ Witnessed() any })
		if !ok {
			return reflect.Indirect(reflect.ValueOf(l))
		}
		l = w.Witnessed()
	}
}

// field is where a lock's field lies, nil if it has none of that name and type.
func field[T any](l any, name string) *T {
	v := inner(l)
	if !v.CanAddr() {
		return nil
	}
	f := v.FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[T]() {
		return nil
	}
	return (*T)(f.Addr().UnsafePointer())
}

// memory is a lock's own memory.
func memory(l any) []byte {
	v := inner(l)
	if !v.CanAddr() {
		return nil
	}
	return unsafe.Slice((*byte)(v.Addr().UnsafePointer()), v.Type().Size())
}

// queue returns a function that answers something else whenever somebody has joined the queue of the lock.
func queue(l any) func() uint64 {
	if next := field[atomic.Uint32](l, "next"); next != nil {
		return func() uint64 { return uint64(next.Load()) }
	}
	tail := (*unsafe.Pointer)(inner(l).FieldByName("tail").Addr().UnsafePointer()) // an atomic.Pointer to whatever queues
	return func() uint64 { return uint64(uintptr(atomic.LoadPointer(tail))) }
}

// grants are the places at which a lock calls its numbers in turn, nil for others.
func grants(l any) (places []*atomic.Uint32) {
	v := inner(l)
	if v.Kind() != reflect.Struct || !v.FieldByName("grants").IsValid() {
		return nil
	}
	for i := range v.FieldByName("grants").Len() {
		places = append(places, (*atomic.Uint32)(v.FieldByName("grants").Index(i).FieldByName("called").Addr().UnsafePointer()))
	}
	return places
}

// word returns a function that reads the word of a lock that has one, nil for others.
func word(l any) func() uint64 {
	if w := field[uint32](l, "word"); w != nil {
		return func() uint64 { return uint64(atomic.LoadUint32(w)) }
	}
	if w := field[uint64](l, "word"); w != nil {
		return func() uint64 { return atomic.LoadUint64(w) }
	}
	return nil
}

// skipTo sets the numbers of locks that draw some to n, as if all up to there had been drawn and called.
func (s *stage) skipTo(n int32) {
	for i := range s.rooms {
		next, owner := field[atomic.Uint32](s.rooms[i].l, "next"), field[atomic.Uint32](s.rooms[i].l, "owner")
		if next != nil && owner != nil {
			next.Store(uint32(n))
			owner.Store(uint32(n))
		}
		places := grants(s.rooms[i].l)
		for back := range len(places) { // n is called, and so were as many before it as there are other places
			called := uint32(n) - uint32(back)
			next.Store(uint32(n))
			places[called%uint32(len(places))].Store(called)
		}
	}
}

// A million of each is what an rw lock has room for.
const million = 1_000_000

// million: the counts in an rw lock's word are large enough. It is not taken so often, but made to look so: by what one reader adds to
// its word. The two readers that make the million full see to it that they are counted.
func (s *stage) million() error {
	word := field[uint64](s.l(), "word")
	if word == nil || !s.p.shared {
		return nil
	}
	l, n := s.l(), nodes(3)
	l.RLock(n[0])
	one := atomic.LoadUint64(word)
	l.RUnlock(n[0])
	const others = million - 2
	atomic.StoreUint64(word, others*one)
	must(true, l.TryRLock(n[0]), "TryRLock of the last reader but one")
	l.RLock(n[1])
	must(false, l.TryLock(n[2]), "TryLock past a million readers")
	must(false, l.TryUpgrade(n[1]), "TryUpgrade of one in a million readers")
	l.RUnlock(n[1])
	l.RUnlock(n[0])
	if left := atomic.SwapUint64(word, 0); left != others*one {
		return oracle.Violated(oracle.Structure, "word %#x after the last two of a million readers have left, want %#x", left, others*one)
	}
	return s.millionWait(word, one)
}

// millionWait has a writer and a reader wait, to see what they add to the word: a million of one must be less than one of the next.
func (s *stage) millionWait(word *uint64, reader uint64) error {
	team := s.crew()
	l, n := s.l(), nodes(3)
	counts := []uint64{reader}
	l.Lock(n[0])
	for i, wait := range []func(){
		func() { l.Lock(n[1]); l.Unlock(n[1]) },
		func() { l.RLock(n[2]); l.RUnlock(n[2]) },
	} {
		before := atomic.LoadUint64(word)
		team.Go(func() error { wait(); return nil })
		if !team.Until(func() bool { return atomic.LoadUint64(word) != before }) {
			return oracle.Violated(oracle.Progress, "waiter %d does not register", i)
		}
		counts = append(counts, atomic.LoadUint64(word)-before)
	}
	l.Unlock(n[0])
	slices.Sort(counts)
	for i, one := range counts {
		if over, more := bits.Mul64(million, one); over != 0 || i+1 < len(counts) && more >= counts[i+1] {
			return oracle.Violated(oracle.Structure, "no room for a million in a word of counts %#x", counts)
		}
	}
	return team.Join()
}

// atRest: when nobody holds the lock or waits for it, nothing of anybody is left in it.
func (s *stage) atRest() error {
	for i := range s.rooms {
		l := s.rooms[i].l
		if now := memory(l); s.p.clean && !bytes.Equal(now, s.clean[i]) {
			return oracle.Violated(oracle.Structure, "at rest the lock holds %x; when new it held %x", now, s.clean[i])
		}
		next, owner := field[atomic.Uint32](l, "next"), field[atomic.Uint32](l, "owner")
		if next != nil && owner != nil && next.Load() != owner.Load() {
			return oracle.Violated(oracle.Structure, "at rest the next number is %d, and the one called %d", next.Load(), owner.Load())
		}
		if places := grants(l); places != nil {
			if called := places[next.Load()%uint32(len(places))].Load(); called != next.Load() {
				return oracle.Violated(oracle.Structure, "at rest the next number is %d, and the last one called at its place %d", next.Load(), called)
			}
		}
	}
	return nil
}

// idle: a node that is not in use leads nowhere and has no wake-up left over.
func idle(n *locks.Node) error {
	v := inner(n)
	for _, name := range [...]string{"next", "state", "sema", "held", "prev", "newer", "older", "far", "last", "slot", "grant", "pred"} {
		f := v.FieldByName(name)
		if !f.IsValid() {
			return oracle.Violated(oracle.Layout, "a node has no %s", name)
		}
		if !f.IsZero() {
			return oracle.Violated(oracle.Structure, "a node that is not in use has %s %v", name, f)
		}
	}
	return nil
}
