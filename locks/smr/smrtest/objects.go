package smrtest

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// bounds says of each kind that protects objects how many blocks a writer may keep retired, again, so that the torture does not believe what the code under torture says.
var bounds = map[string]func(cpus int) int{
	"hazard":   func(cpus int) int { return 4 * cpus },
	"refcount": func(cpus int) int { return 2*cpus + 1 },
}

const (
	chains = 2  // so that a block is reused in another than a walker knows it from (hazard H13)
	churn  = 6  // blocks that come and go, at most, in each
	last   = -1 // the key of the block that stays, at the end of each
	all    = 1  // the only list that a block is in
)

// A block is in a chain, retired, or free. What is not atomic is ordinary, so that the race detector sees whether the end of protection, Held and reuse are ordered.
type block struct {
	next  atomic.Pointer[block]
	obj   smr.Object
	chain int
	key   int
	plain uint64        // life, or poison
	life  atomic.Uint64 // how often it was linked
	age   atomic.Int32  // 0 linked, 1 unlinked, 2 free
}

// A chain's writers hold its lock.
type chain struct {
	head atomic.Pointer[block]
	mu   sync.Mutex
	n    int
	_    [locks.LinePad]byte
}

// An objectTorturer is what walkers and writers share.
type objectTorturer struct {
	crew.Crew
	c      Config
	d      smr.Objects
	bound  int // of a writer
	chains [chains]chain
	live   atomic.Int64 // writers that are not done
}

// tortureObjects holds a kind to the promises of smr.Objects: first one call at a time, then with walkers and writers at once, and at rest in the end.
func tortureObjects(kind smr.Kind, c Config, r *Report) error {
	bound, known := bounds[kind.Name]
	if !known {
		panic("smrtest: kind " + kind.Name + " is not in the list")
	}
	if err := aloneObjects(kind, c); err != nil {
		return err
	}
	cpus := c.Readers + c.Writers
	t := &objectTorturer{c: c, d: kind.NewObjects(cpus), bound: bound(cpus), Crew: crew.Crew{Patience: c.Patience}}
	if got := t.d.Bound(c.Writers); got != c.Writers*t.bound {
		return oracle.Violated(oracle.Conservation, "%d writers and %d cpus have a bound of %d, want %d", c.Writers, cpus, got, c.Writers*t.bound)
	}
	for i := range t.chains {
		b := &block{chain: i, key: last, plain: 1}
		b.life.Store(1)
		t.chains[i].head.Store(b)
	}
	return t.torture(r)
}

func (t *objectTorturer) torture(r *Report) error {
	team := make([]worker, t.c.Readers+t.c.Writers)
	base := &torturer{c: t.c}
	for i := range team {
		team[i] = base.worker(i)
	}
	t.live.Store(int64(t.c.Writers))
	for i := range t.c.Readers {
		t.Go((&walkerOf{worker: &team[i], t: t, cpu: i}).run)
	}
	writers := make([]blockWriter, t.c.Writers)
	for i := range writers {
		writers[i] = blockWriter{worker: &team[t.c.Readers+i], t: t, cpu: t.c.Readers + i}
		t.Go(writers[i].run)
	}
	if err := t.Join(); err != nil {
		return err
	}
	for i := range team {
		r.Add(team[i].report)
	}
	return t.rest(writers)
}

// rest: nobody walks any more, so whatever is retired is free, and every count adds up.
func (t *objectTorturer) rest(writers []blockWriter) error {
	var scans, spared uint64
	for i := range writers {
		w := &writers[i]
		if err := w.sweep(); err != nil {
			return err
		}
		if n := len(w.retired); n > 0 {
			return oracle.Violated(oracle.Grace, "nobody walks, and %d blocks of writer %d are held: %+v", n, i, t.d.Stats())
		}
		scans, spared = scans+w.scans, spared+w.spared
	}
	if s := t.d.Stats(); s.Scans != scans || s.Spared != spared || s.Readers != 0 {
		return oracle.Violated(oracle.Conservation, "after %d scans that spared %d: %+v", scans, spared, s)
	}
	return nil
}

// A walkerOf goes along chains until the writers are done.
type walkerOf struct {
	*worker
	t   *objectTorturer
	cpu int
}

func (w *walkerOf) run() error {
	for n := 0; n < 1000+2*w.c.Writers*w.c.Updates && w.t.live.Load() > 0 && !w.t.Failed(); n++ {
		w.beat()
		w.t.d.Enter(w.cpu)
		err := w.walk(w.rng.IntN(chains))
		w.t.d.Exit(w.cpu)
		if err != nil {
			return err
		}
		if w.rng.IntN(16) == 0 {
			w.dwell(16)
		}
	}
	return nil
}

// walk finds the block that stays, which is behind all others, beginning anew as often as one that it stood on is gone.
func (w *walkerOf) walk(i int) error {
	for cuts := 0; !w.t.Failed(); cuts++ {
		found, err := w.try(i)
		if found || err != nil {
			return err
		}
		runtime.Gosched() // a writer may have lost his CPU halfway
	}
	return nil
}

func (w *walkerOf) try(i int) (found bool, err error) {
	link, slot := &w.t.chains[i].head, 0
	var at *block
	for {
		b := link.Load()
		if b == nil {
			return false, oracle.Violated(oracle.Structure, "cpu %d comes to the end of chain %d and has not met the block that stays there", w.cpu, i)
		}
		w.dwell(1)
		w.t.d.Protect(w.cpu, slot, &b.obj)
		still := link.Load() == b
		if at != nil && at.obj.Gone(all) {
			return false, nil
		}
		if !still {
			continue
		}
		if err := w.look(b, i); err != nil || b.key == last {
			return true, err
		}
		at, link, slot = b, &b.next, 1-slot
	}
}

// look stays a while on a block that is protected: it is one of the chain, and remains what it is.
func (w *walkerOf) look(b *block, i int) error {
	life := b.life.Load()
	if b.chain != i {
		return oracle.Violated(oracle.Reclaim, "cpu %d came from chain %d to a block of chain %d, life %d", w.cpu, i, b.chain, life)
	}
	if w.rng.IntN(128) == 0 {
		w.dwell(64) // stalls
	} else {
		w.dwell(2)
	}
	age := b.age.Load()
	w.report.Age[age]++
	if age > 1 || b.life.Load() != life || b.plain != life {
		return oracle.Violated(oracle.Reclaim, "cpu %d stands on a block of age %d in life %d (%d), found in life %d: it was reused under protection",
			w.cpu, age, b.life.Load(), int64(b.plain), life)
	}
	return nil
}

// A blockWriter inserts blocks and takes others out, and reuses those that it has taken out itself, last in first out, so as soon as may be.
type blockWriter struct {
	*worker
	t             *objectTorturer
	cpu           int
	retired       []unlinked
	free          []*block
	scans, spared uint64 // by its own count
}

// An unlinked block waits until nobody holds it.
type unlinked struct {
	b     *block
	since time.Time
}

func (w *blockWriter) run() error {
	defer w.t.live.Add(-1)
	for i := 0; i < w.c.Updates && !w.t.Failed(); i++ {
		w.beat()
		w.insert(&w.t.chains[w.rng.IntN(chains)])
		if b := w.remove(&w.t.chains[w.rng.IntN(chains)]); b != nil {
			if err := w.retire(b); err != nil {
				return err
			}
		}
		if w.rng.IntN(2) == 0 {
			w.dwell(4)
		}
	}
	return nil
}

// insert puts a block somewhere before the last, unless the chain is long already.
func (w *blockWriter) insert(c *chain) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == churn {
		return
	}
	b := new(block)
	if n := len(w.free) - 1; n >= 0 {
		b, w.free = w.free[n], w.free[:n]
	}
	at := &c.head
	for range w.rng.IntN(c.n + 1) {
		at = &at.Load().next
	}
	b.chain, b.key = w.number(c), w.rng.IntN(churn)
	b.plain = b.life.Add(1)
	b.age.Store(0)
	b.obj.Link()
	b.next.Store(at.Load())
	at.Store(b)
	c.n++
}

func (w *blockWriter) number(c *chain) int {
	for i := range w.t.chains {
		if c == &w.t.chains[i] {
			return i
		}
	}
	panic("smrtest: no chain of this torture")
}

// remove takes a block out, if there is one that may go.
func (w *blockWriter) remove(c *chain) *block {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 {
		return nil
	}
	at := &c.head
	for range w.rng.IntN(c.n) {
		at = &at.Load().next
	}
	b := at.Load()
	b.obj.Unlink(all)
	w.dwell(1)
	at.Store(b.next.Load())
	c.n--
	return b
}

func (w *blockWriter) retire(b *block) error {
	b.age.Store(1)
	w.retired = append(w.retired, unlinked{b, time.Now()})
	if n := len(w.retired); n > w.t.bound {
		return oracle.Violated(oracle.Conservation, "%d blocks are retired and not free, more than %d", n, w.t.bound)
	}
	w.report.Backlog = max(w.report.Backlog, len(w.retired))
	if len(w.retired) < w.t.d.Batch() {
		return nil
	}
	return w.sweep()
}

// sweep frees what nobody holds.
func (w *blockWriter) sweep() error {
	w.scans++
	w.t.d.Scan(w.cpu)
	held := w.retired[:0]
	for _, u := range w.retired {
		if w.t.d.Held(w.cpu, &u.b.obj) {
			w.spared++
			held = append(held, u)
			continue
		}
		_ = w.report.Grace.RecordValue(min(int64(time.Since(u.since)), int64(time.Minute)))
		if u.b.age.Swap(2) != 1 {
			return oracle.Violated(oracle.Reclaim, "a block is free twice")
		}
		u.b.plain = poison
		w.free = append(w.free, u.b)
	}
	w.retired = held
	return nil
}
