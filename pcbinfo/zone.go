package pcbinfo

import (
	"fmt"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
	"pcbbench/locks/witness"
)

const (
	magSize = 64 // inpcbs in a full magazine, and in a slab, unless Config.Magazine says otherwise
	poison  = 0xdeadc0dedeadc0de
)

// A magazine is a stack of free inpcbs, linked by twNext (Bonwick and Adams, USENIX ATC 2001).
type magazine struct {
	head *Inpcb
	n    int
}

func (m *magazine) push(inp *Inpcb) {
	inp.twNext = m.head
	m.head = inp
	m.n++
}

func (m *magazine) pop() *Inpcb {
	inp := m.head
	m.head = inp.twNext
	inp.twNext = nil
	m.n--
	return inp
}

// A zone is where inpcbs come from (uma(9) with UMA_ZONE_SMR): type-stable memory with caches a CPU, reused last in,
// first out, so that a use after free meets another connection soon. Blocks are poisoned when they become
// free, and the poison is looked at when they are taken again. Nothing goes back to the heap before the zone does.
type zone struct {
	dom  smr.Domain  // when freed blocks may be reused; nil: at once, or
	objs smr.Objects // when nobody protects them; nil: see dom
	cpus []zoneCPU
	size int // of a full magazine

	mu    locks.Mtx
	depot []magazine // full magazines; capacity for all there are, so that a push never allocates
	made  int        // inpcbs carved so far

	audits uint32 // marks used by audits
}

// A zoneCPU is one CPU's part: only that CPU touches it while others run.
type zoneCPU struct {
	loaded, prev  magazine  // loaded is used; prev is either full or empty
	pending       magazine  // retired, without a goal yet; or, where single blocks are protected, all that are retired
	waiting       []retired // retired, oldest first
	allocs, frees uint64
	retired, peak int    // blocks in pending and waiting, and the most there ever were
	reclaimed     uint64 // blocks that came back after their grace period
	id            int
	_             [lineSize]byte
}

// A retired magazine may be reused when every reader that was there at its goal is gone.
type retired struct {
	mag  magazine
	goal smr.Seq
}

func (z *zone) init(cpus, size int, dom smr.Domain) {
	z.size = size
	z.cpus = make([]zoneCPU, cpus)
	for i := range z.cpus {
		z.cpus[i].id = i
	}
	z.dom = dom
	witness.Name(&z.mu, "zone.mu")
}

// recycles reports whether blocks are reused; else the garbage collector has them.
func (z *zone) recycles() bool { return z.dom == nil || z.dom.Recycles() }

// alloc takes a block for cpu: zeroed but for its generation, with one reference, the table's.
func (z *zone) alloc(cpu int) *Inpcb {
	zc := &z.cpus[cpu]
	zc.allocs++
	if !z.recycles() {
		inp := new(Inpcb)
		witness.Name(&inp.lock, "inpcb")
		inp.refs.Store(1)
		return inp
	}
	if zc.loaded.n == 0 {
		z.refill(zc)
	}
	inp := zc.loaded.pop()
	inp.unpoison()
	if z.objs != nil {
		inp.obj.Link()
		if probe.Enabled {
			inp.becomeNew()
		}
	}
	return inp
}

// refill makes loaded not empty: from prev, from retired blocks whose time is over, from the depot, from a new slab.
func (z *zone) refill(zc *zoneCPU) {
	zc.loaded, zc.prev = zc.prev, zc.loaded
	if zc.loaded.n == 0 {
		z.reclaim(zc)
	}
	if zc.loaded.n > 0 {
		return
	}
	z.mu.Lock(nil)
	defer z.mu.Unlock(nil)
	if n := len(z.depot); n > 0 {
		zc.loaded = z.depot[n-1]
		z.depot = z.depot[:n-1]
		return
	}
	slab := make([]Inpcb, z.size)
	for i := range slab {
		slab[i].poison()
		witness.Name(&slab[i].lock, "inpcb")
		zc.loaded.push(&slab[i])
	}
	z.made += z.size
	if full := z.made / z.size; full > cap(z.depot) {
		z.depot = append(make([]magazine, 0, 2*full), z.depot...)
	}
}

// free gives back a block that nobody can reach any more.
func (z *zone) free(cpu int, inp *Inpcb) {
	zc := &z.cpus[cpu]
	zc.frees++
	if probe.Enabled {
		z.mustBeUnseen(inp)
	}
	if z.recycles() {
		z.put(zc, inp)
	}
}

func (z *zone) put(zc *zoneCPU, inp *Inpcb) {
	if inp.refs.Load() != 0 {
		panic(fmt.Sprintf("pcbinfo: free of an inpcb with %d references: %v", inp.refs.Load(), inp.inc))
	}
	if inp.tp.state == poisonState {
		panic("pcbinfo: double free of an inpcb")
	}
	inp.poison()
	if zc.loaded.n == z.size {
		if zc.prev.n == z.size {
			z.mu.Lock(nil)
			z.depot = append(z.depot, zc.prev)
			z.mu.Unlock(nil)
			zc.prev = magazine{}
		}
		zc.loaded, zc.prev = zc.prev, zc.loaded
	}
	zc.loaded.push(inp)
}

// retire gives back an unlinked block that readers may still stand on. A full magazine gets one goal for all its
// blocks, as uma(9) does with its buckets: one Advance for 64 frees.
func (z *zone) retire(cpu int, inp *Inpcb) {
	zc := &z.cpus[cpu]
	zc.frees++
	if !z.recycles() {
		return
	}
	zc.retired++
	zc.peak = max(zc.peak, zc.retired)
	zc.pending.push(inp)
	if z.objs != nil {
		if zc.pending.n >= z.batch() {
			z.sweep(zc)
		}
		return
	}
	if probe.Enabled {
		inp.goal = z.dom.Advance()
	}
	if zc.pending.n == z.size {
		zc.waiting = append(zc.waiting, retired{zc.pending, z.dom.Advance()})
		zc.pending = magazine{}
		z.reclaim(zc)
	}
}

// batch is how many retired blocks come together before a scan: as many as make it cheap or, with small magazines, one of these.
func (z *zone) batch() int {
	if z.size < magSize {
		return z.size
	}
	return z.objs.Batch()
}

// reclaim moves the blocks whose grace period is over to the free ones. It never waits. Its CPU is in no section, and may have been in none for long:
// it goes offline, or it might wait for nobody but itself.
func (z *zone) reclaim(zc *zoneCPU) {
	if z.objs != nil {
		if zc.pending.n >= z.batch() { // fewer are not worth a scan
			z.sweep(zc)
		}
		return
	}
	if z.dom != nil {
		z.dom.Offline(zc.id)
	}
	done := 0
	for done < len(zc.waiting) && z.dom.Poll(zc.waiting[done].goal) {
		m := zc.waiting[done].mag
		zc.retired -= m.n
		zc.reclaimed += uint64(m.n)
		for m.n > 0 {
			inp := m.pop()
			if probe.Enabled {
				z.mustBeOver(inp)
			}
			z.put(zc, inp)
		}
		done++
	}
	if done > 0 {
		zc.waiting = zc.waiting[:copy(zc.waiting, zc.waiting[done:])]
	}
}

// sweep moves the blocks that nobody protects to the free ones, for zones whose blocks are protected one by one.
func (z *zone) sweep(zc *zoneCPU) {
	z.objs.Scan(zc.id)
	var held magazine
	for zc.pending.n > 0 {
		inp := zc.pending.pop()
		if z.objs.Held(zc.id, &inp.obj) {
			held.push(inp)
			continue
		}
		if probe.Enabled {
			inp.becomeFree()
		}
		zc.retired--
		zc.reclaimed++
		z.put(zc, inp)
	}
	zc.pending = held
}

// drain waits until every retired block is free. The caller is the only one that still uses the zone.
func (z *zone) drain() {
	if z.objs != nil {
		for i := range z.cpus {
			z.sweep(&z.cpus[i])
		}
		return
	}
	if z.dom == nil || !z.dom.Recycles() {
		return
	}
	for i := range z.cpus {
		z.dom.Offline(i)
	}
	for i := range z.cpus {
		zc := &z.cpus[i]
		zc.waiting = append(zc.waiting, retired{zc.pending, z.dom.Advance()})
		zc.pending = magazine{}
		z.dom.Wait(zc.waiting[len(zc.waiting)-1].goal)
		z.reclaim(zc)
	}
}

// audit says what is wrong with the balance, with live inpcbs in the table and nothing else running: blocks taken and
// not given back.
func (z *zone) audit(live int) error {
	s := z.stats()
	if got := int(s.Allocs - s.Frees); got != live {
		return oracle.Violated(oracle.Conservation, "zone: %d inpcbs taken and %d given back leave %d, the table holds %d: leaked %d",
			s.Allocs, s.Frees, got, live, got-live)
	}
	return nil
}

// ZoneStats are a zone's counts; between blocks given back and blocks free again lie the retired ones.
type ZoneStats struct {
	Allocs, Frees uint64
	Retired       int    // waiting for a grace period now
	PeakRetired   int    // the sum of the CPUs' peaks
	Reclaimed     uint64 // came back after a grace period
}

func (z *zone) stats() (s ZoneStats) {
	for i := range z.cpus {
		zc := &z.cpus[i]
		s.Allocs += zc.allocs
		s.Frees += zc.frees
		s.Retired += zc.retired
		s.PeakRetired += zc.peak
		s.Reclaimed += zc.reclaimed
	}
	return s
}

// poisonState is no State: a machine that meets it was used after free.
const poisonState State = 0xde

func (inp *Inpcb) poison() {
	inp.inc = poisonInc
	inp.flags = inpFreed
	inp.tp = poisonTcpcb
}

var (
	poisonInc   = ConnInfo{Faddr: Addr{poison, poison}, Laddr: Addr{poison, poison}}
	poisonTcpcb = Tcpcb{state: poisonState, rcvd: poison}
)

// poisoned reports whether a free block is as poison left it.
func (inp *Inpcb) poisoned() bool {
	return inp.inc == poisonInc && inp.tp == poisonTcpcb && inp.flags == inpFreed && inp.refs.Load() == 0 && !inp.onTw && inp.users.n.Load() == 0
}

func (inp *Inpcb) unpoison() {
	if !inp.poisoned() {
		panic(fmt.Sprintf("pcbinfo: inpcb written after free: %v in %v, %d references", inp.inc, inp.tp.state, inp.refs.Load()))
	}
	inp.inc, inp.tp, inp.flags = ConnInfo{}, Tcpcb{}, 0
	inp.gen++
	witness.Rank(&inp.lock, 0)
	inp.refs.Store(1)
}
