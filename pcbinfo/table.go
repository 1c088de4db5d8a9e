package pcbinfo

import (
	"sync/atomic"

	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

const (
	lineSize  = 128 // two lines, where the hardware fetches them in pairs
	wildHash  = 128 // buckets of the wildcard hash
	maxBucket = 1 << 24
)

// A bucket is the head of a chain.
type bucket struct{ head atomic.Pointer[Inpcb] }

// A table is the two hashes, the list and the TIME_WAIT queue of one inpcbinfo, without a lock: whoever calls
// holds what the scheme says guards it. Links are published by atomic stores, so that a scheme may let
// readers in beside one writer; a removed block keeps its links, so that a reader standing on it walks on.
type table struct {
	hashbase []bucket // exact four-tuples
	wildbase []bucket // listeners, by local port; in a chain bound addresses come before the unspecified one
	seed     uint64
	mask     uint32
	_        [lineSize - 60]byte // lookups read what is above and must not lose the line to what is below

	list   atomic.Pointer[Inpcb] // ipi_listhead: every inpcb, newest first
	count  int                   // ipi_count
	gencnt uint64                // ipi_gencnt: grows with every insertion and removal
	tw     twQueue
	// Only in torture builds, see guard.go:
	hashUsers, listUsers users
	lockless             bool // lookups go on beside a writer
	marks                bool // lookups protect block by block: what is unlinked says so before, see hop.go
	_                    [lineSize - 64]byte
}

// init sizes the exact hash for conns connections at one a bucket; buckets overrides that if not zero.
func (tb *table) init(conns, buckets int, seed uint64) {
	if buckets == 0 {
		buckets = conns
	}
	n := 1
	for n < buckets && n < maxBucket {
		n <<= 1
	}
	tb.hashbase = make([]bucket, n)
	tb.wildbase = make([]bucket, wildHash)
	tb.mask = uint32(n - 1)
	tb.seed = seed
}

func (tb *table) hash(inc *ConnInfo) uint32 { return inc.hash(tb.seed) }

// lookup finds the inpcb for a segment: the connection, else the listener that fits best (in_pcblookup_hash_locked).
func (tb *table) lookup(inc *ConnInfo) *Inpcb {
	if inp := tb.lookupExact(inc, tb.hash(inc)); inp != nil {
		return inp
	}
	return tb.lookupWild(inc.Laddr, inc.Lport)
}

// lookupExact's Loads pair with the Stores in insertHash and removeHash: a block seen in a chain is whole.
func (tb *table) lookupExact(inc *ConnInfo, hash uint32) *Inpcb {
	if probe.Enabled && !tb.lockless {
		tb.hashUsers.begin("the hash", false)
		defer tb.hashUsers.end("the hash", false)
	}
	b := &tb.hashbase[hash&tb.mask]
	probe.Load(b)
	inp := b.head.Load()
	for inp != nil && !inp.inc.match(inc) {
		probe.Load(inp)
		inp = inp.hashNext.Load()
	}
	return inp
}

// lookupWild finds the listener for a local end; one bound to the address stands before one bound to any.
func (tb *table) lookupWild(laddr Addr, lport uint16) *Inpcb {
	if probe.Enabled && !tb.lockless {
		tb.hashUsers.begin("the hash", false)
		defer tb.hashUsers.end("the hash", false)
	}
	b := &tb.wildbase[lport%wildHash]
	probe.Load(b)
	inp := b.head.Load()
	for inp != nil && (inp.inc.Lport != lport || inp.inc.Laddr != laddr && !inp.inc.Laddr.IsAny()) {
		probe.Load(inp)
		inp = inp.hashNext.Load()
	}
	return inp
}

// lookupListener finds the listener bound to exactly this address and port.
func (tb *table) lookupListener(laddr Addr, lport uint16) *Inpcb {
	if probe.Enabled && !tb.lockless {
		tb.hashUsers.begin("the hash", false)
		defer tb.hashUsers.end("the hash", false)
	}
	inp := tb.wildbase[lport%wildHash].head.Load()
	for inp != nil && (inp.inc.Lport != lport || inp.inc.Laddr != laddr) {
		inp = inp.hashNext.Load()
	}
	return inp
}

// lookupUser finds what a user's ConnInfo names: a listener if it has no foreign end.
func (tb *table) lookupUser(inc *ConnInfo) *Inpcb {
	if inc.Fport == 0 {
		return tb.lookupListener(inc.Laddr, inc.Lport)
	}
	return tb.lookupExact(inc, tb.hash(inc))
}

// chain is where inp belongs, and the link after which it goes there.
func (tb *table) chain(inp *Inpcb) *atomic.Pointer[Inpcb] {
	if inp.inc.Fport != 0 {
		return &tb.hashbase[inp.hash&tb.mask].head
	}
	at := &tb.wildbase[inp.inc.Lport%wildHash].head
	if inp.inc.Laddr.IsAny() {
		for p := at.Load(); p != nil; p = at.Load() {
			at = &p.hashNext
		}
	}
	return at
}

// insertHash links inp, whose key and state are set, into its chain (in_pcbinshash). Its own next is set first: the
// second Store publishes the block to the Loads in lookupExact and lookupWild.
func (tb *table) insertHash(inp *Inpcb) {
	if probe.Enabled {
		tb.hashUsers.begin("the hash", true)
		defer tb.hashUsers.end("the hash", true)
	}
	if probe.Enabled {
		tb.mustBeNew(inp)
	}
	at := tb.chain(inp)
	inp.hashNext.Store(at.Load())
	probe.Store(at)
	at.Store(inp)
}

// removeHash unlinks inp and leaves its next alone.
func (tb *table) removeHash(inp *Inpcb) {
	if probe.Enabled {
		tb.hashUsers.begin("the hash", true)
		defer tb.hashUsers.end("the hash", true)
	}
	at := &tb.hashbase[inp.hash&tb.mask].head
	if inp.inc.Fport == 0 {
		at = &tb.wildbase[inp.inc.Lport%wildHash].head
	}
	for p := at.Load(); p != inp; p = at.Load() {
		if p == nil {
			panic("pcbinfo: removeHash of an inpcb that is not in the hash: " + inp.inc.String())
		}
		at = &p.hashNext
	}
	if tb.marks {
		inp.obj.Unlink(inHash)
	}
	probe.Store(at)
	at.Store(inp.hashNext.Load())
}

// insertList makes inp the newest of the list and gives it the table's generation.
func (tb *table) insertList(inp *Inpcb) {
	if probe.Enabled {
		tb.listUsers.begin("the list", true)
		defer tb.listUsers.end("the list", true)
	}
	tb.gencnt++
	tb.count++
	inp.gencnt = tb.gencnt
	witness.Rank(&inp.lock, -int(tb.gencnt)) // walkers lock from the newest to the oldest
	next := tb.list.Load()
	inp.listNext.Store(next)
	inp.listPrev = &tb.list
	if next != nil {
		next.listPrev = &inp.listNext
	}
	probe.Store(&tb.list)
	tb.list.Store(inp)
}

func (tb *table) removeList(inp *Inpcb) {
	if probe.Enabled {
		tb.listUsers.begin("the list", true)
		defer tb.listUsers.end("the list", true)
	}
	tb.gencnt++
	tb.count--
	next := inp.listNext.Load()
	if next != nil {
		next.listPrev = inp.listPrev
	}
	if tb.marks {
		inp.obj.Unlink(inList)
	}
	probe.Store(inp.listPrev)
	inp.listPrev.Store(next)
}

// insert and remove are both halves at once, for schemes where one lock guards them.
func (tb *table) insert(inp *Inpcb) {
	tb.insertHash(inp)
	tb.insertList(inp)
}

func (tb *table) remove(inp *Inpcb) {
	inp.flags |= inpDropped | inpFreed
	tb.tw.remove(inp)
	tb.removeHash(inp)
	tb.removeList(inp)
}

// A twQueue is the TIME_WAIT queue, oldest first. All entries wait equally long, so it is in order of expiry.
type twQueue struct {
	head, tail *Inpcb
	users      users // only in torture builds, see guard.go
}

// restart puts inp at the end, with a whole 2MSL to go from now.
func (q *twQueue) restart(inp *Inpcb, now, msl uint32) {
	q.remove(inp)
	inp.twExpire = now + 2*msl
	if probe.Enabled {
		q.users.begin("the TIME-WAIT queue", true)
		defer q.users.end("the TIME-WAIT queue", true)
	}
	inp.onTw = true
	inp.twPrev, inp.twNext = q.tail, nil
	if q.tail == nil {
		q.head = inp
	} else {
		q.tail.twNext = inp
	}
	q.tail = inp
}

func (q *twQueue) remove(inp *Inpcb) {
	if !inp.onTw {
		return
	}
	if probe.Enabled {
		q.users.begin("the TIME-WAIT queue", true)
		defer q.users.end("the TIME-WAIT queue", true)
	}
	if inp.twPrev == nil {
		q.head = inp.twNext
	} else {
		inp.twPrev.twNext = inp.twNext
	}
	if inp.twNext == nil {
		q.tail = inp.twPrev
	} else {
		inp.twNext.twPrev = inp.twPrev
	}
	inp.onTw = false
}

// expired returns the oldest entry if its time is over at tick now, else nil.
func (q *twQueue) expired(now uint32) *Inpcb {
	if q.head != nil && atOrBefore(q.head.twExpire, now) {
		return q.head
	}
	return nil
}
