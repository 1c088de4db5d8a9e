package smr

import (
	"fmt"
	"sync/atomic"

	"pcbbench/locks/probe"
)

// Slots is how many blocks a CPU protects at a time: the one that it stands on and the one that it goes to.
const Slots = 2

// Objects is reclamation that protects single blocks. A reader protects a block before it looks into it, and looks again whether the block was still
// linked then; a writer asks of each block that it unlinked whether anybody protects it. The memory must be type-stable: a block that is protected too
// late may be free already, or another one, and is only found not to be where the link was.
//
// A reader goes from a block to the next so, where from is the list's head or in a block that it protects:
//
//	p := from.Load()
//	Protect(cpu, slot, &p.Object)    the other slot than that of the block which from is in
//	from.Load() == p, and the block which from is in is not Gone; else p is not protected, and the walk begins anew
//
// A writer: o.Unlink(list), before the block leaves the list (or after, but before another writer may take out what it leads to); unlinks it; hands it to those that it has retired; and when these are Batch, or more, calls
// Scan and then Held for each. Held says no: it is free.
//
// Why that is enough. All of this is atomic; < is the total order of it. Let V be the look at from, G that at Gone, P the Protect before them. At G the block that
// from is in was not Gone, and a block is Gone before it is unlinked: so it was linked up to G. If V < G then at V it was linked and from led to p: p was linked at V. If G < V
// then from led to p at G already, or p was put there between G and V: it was linked at one of those moments. Either way p was linked at some moment after P, perhaps
// in another life than when it was loaded, which nobody can tell. So p is unlinked after P, if ever, and whoever asks whether it is protected asks after that and
// sees P, unless the protection is over by then. Without Gone a block that is unlinked itself still leads to p, whatever has become of p.
type Objects interface {
	// Enter begins a walk of cpu, or several, 0 ≤ cpu < cpus: from now on its slots may be used. One cpu's Enter, Protect and Exit belong to one worker at a time.
	Enter(cpu int)
	// Exit empties cpu's slots.
	Exit(cpu int)
	// Protect puts o into cpu's slot, 0 ≤ slot < Slots, in place of what it held.
	Protect(cpu, slot int, o *Object)
	// Batch is how many retired blocks should come together before a Scan for them: the fewest that make it cheap.
	Batch() int
	// Scan looks who is protected. It is a writer's, and so is Held: one worker a cpu, which need not be that cpu's reader.
	Scan(cpu int)
	// Held reports whether anybody protects o, which was unlinked before cpu's last Scan.
	Held(cpu int, o *Object) bool
	// Bound is how many blocks may be retired and not free when that many writers have each begun to Scan whenever Batch blocks had come together.
	Bound(writers int) int
	// Stats returns counts since the Objects were made; while others work, each is right for some moment of the call.
	Stats() Stats
}

// An Object is what a block has for Objects. It keeps its count through all the block's lives: a reader that comes too late counts itself
// in a block that is free, and out again.
type Object struct {
	gone  atomic.Uint32 // a bit for each list that the block is not in any more, or about to leave
	count atomic.Int32  // refcount: slots that hold it
}

// Link says that the block is new: it is in no list, and not gone from any.
func (o *Object) Link() { o.gone.Store(0) }

// Unlink says that the block is about to leave the lists whose bits are given. Whoever calls it holds what keeps the block's other writers out.
func (o *Object) Unlink(lists uint32) {
	probe.Store(&o.gone)
	o.gone.Store(o.gone.Load() | lists) // pairs with the Load in Gone
}

// Gone reports whether the block may not be in one of these lists any more, so that its link there may lead anywhere.
func (o *Object) Gone(lists uint32) bool {
	probe.Load(&o.gone)
	return o.gone.Load()&lists != 0
}

// A walker is whether a CPU may use its slots.
type walker struct{ inside bool }

func (w *walker) enter(cpu int) {
	if w.inside {
		panic(fmt.Sprintf("smr: Enter of cpu %d, which is in a walk", cpu))
	}
	w.inside = true
}

func (w *walker) exit(cpu int) {
	if !w.inside {
		panic(fmt.Sprintf("smr: Exit of cpu %d, which is in no walk", cpu))
	}
	w.inside = false
}

func (w *walker) protect(cpu int) {
	if !w.inside {
		panic(fmt.Sprintf("smr: Protect by cpu %d, which is in no walk", cpu))
	}
}

// A tally is what one CPU's writer counts.
type tally struct {
	scans, spared atomic.Uint64
}

func (t *tally) scan() { t.scans.Store(t.scans.Load() + 1) }

func (t *tally) spare() { t.spared.Store(t.spared.Load() + 1) }
