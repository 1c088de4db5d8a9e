package pcbinfo

import (
	"sync/atomic"
	"unsafe"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

const (
	chainBytes = 16           // of a chain
	inpcbBytes = 2 * lineSize // of an Inpcb
	widest     = 3            // one chain in 1<<widest is used where each has a pair of lines for itself
	wideBytes  = 1 << 20      // and that is so up to here
)

// A chain is the head of a hash bucket and the lock of those who write it (struct inpbucket).
type chain struct {
	head atomic.Pointer[Inpcb]
	lock locks.Mtx
}

// buckets are the two hashes of a table in which writers lock no more than the bucket concerned. There is no list, no count and no TIME_WAIT
// queue, as each of them would be written by all who write any bucket.
//
// In a small table a chain has a pair of lines for itself, so that who writes one takes no line from those who use another. A large one has 16
// bytes a chain: there they cost memory, and are so many that two CPUs seldom want the same eight at once. The listeners' chains are few, and
// always wide.
type buckets struct {
	chains []chain // the connections', by hash, then the listeners', by port
	seed   uint64
	mask   uint32
	spread uint8 // one of 1<<spread connections' chains is used
	marked bool  // chains end in markers, see nulls.go; else in nil
	wild   int   // index of the listeners' first chain
	// A pointer to one of so many bytes from lo on is no inpcb's: it ends a chain. Go's collector moves nothing.
	lo, bytes uintptr
	seqs      []atomic.Uint32 // by listeners' chain: odd while it is being changed, and another after every change
	users     []users         // by chain; only in torture builds, see guard.go
	_         [lineSize]byte
	gen       atomic.Uint64 // walks begun, which is every inpcb's gencnt: written by walks only
	_         [lineSize]byte
}

// init sizes the exact hash as table's does.
func (bs *buckets) init(cfg *Config) {
	n := 1
	for n < cfg.Buckets || cfg.Buckets == 0 && n < min(cfg.Conns, maxBucket) {
		n <<= 1
	}
	for bs.spread < widest && n*chainBytes<<(bs.spread+1) <= wideBytes {
		bs.spread++
	}
	bs.seed, bs.mask, bs.wild, bs.marked = cfg.Seed, uint32(n-1), n<<bs.spread, cfg.nulls
	total := bs.wild + wildHash<<widest
	bs.chains = make([]chain, total+inpcbBytes/chainBytes) // what a marker points at is there in full, as if it were an inpcb
	bs.seqs = make([]atomic.Uint32, wildHash)
	bs.bytes = 1 // nil is 1 byte from 0 on
	if bs.marked {
		bs.lo, bs.bytes = uintptr(unsafe.Pointer(&bs.chains[0])), uintptr(total)*chainBytes
	}
	if probe.Enabled {
		bs.users = make([]users, total)
	}
	for i := 0; i < total; i = bs.next(i) {
		ch := &bs.chains[i]
		ch.head.Store(bs.end(i))
		witness.Name(&ch.lock, bs.class(i))
	}
}

func (bs *buckets) class(i int) string {
	if i < bs.wild {
		return "ebucket"
	}
	return "wbucket"
}

// exactAt, wildAt and at say which chain: of connections, of a port's listeners, where inp belongs.
func (bs *buckets) exactAt(hash uint32) int   { return int(hash&bs.mask) << bs.spread }
func (bs *buckets) wildAt(lport uint16) int   { return bs.wild + int(lport%wildHash)<<widest }
func (bs *buckets) hash(inc *ConnInfo) uint32 { return inc.hash(bs.seed) }

func (bs *buckets) at(inp *Inpcb) int {
	if inp.inc.Fport != 0 {
		return bs.exactAt(inp.hash)
	}
	return bs.wildAt(inp.inc.Lport)
}

// next is the chain after chain i, as far as the length of chains less the rest that is none.
func (bs *buckets) next(i int) int {
	if i < bs.wild {
		return i + 1<<bs.spread
	}
	return i + 1<<widest
}

// all is how many chains there are, with those in between that are not used.
func (bs *buckets) all() int { return bs.wild + wildHash<<widest }

// ends reports whether p is a chain's end rather than an inpcb.
func (bs *buckets) ends(p *Inpcb) bool { return uintptr(unsafe.Pointer(p))-bs.lo < bs.bytes }

// end is what chain i ends in.
func (bs *buckets) end(i int) *Inpcb {
	if !bs.marked {
		return nil
	}
	return (*Inpcb)(unsafe.Pointer(&bs.chains[i]))
}

// scan finds who has exactly that name in chain i, whose lock the caller has, or in a read section: a connection, or a listener where the foreign end is
// zero. Its Loads pair with the Stores in insert and remove.
func (bs *buckets) scan(i int, name *ConnInfo) *Inpcb {
	ch := &bs.chains[i]
	probe.Load(&ch.head)
	inp := ch.head.Load()
	for !bs.ends(inp) {
		if inp.inc.match(name) {
			return inp
		}
		probe.Load(inp)
		inp = inp.hashNext.Load()
	}
	return nil
}

// scanWild finds the listener that takes inc's segments; one bound to the address stands before one bound to any.
func (bs *buckets) scanWild(i int, inc *ConnInfo) *Inpcb {
	ch := &bs.chains[i]
	probe.Load(&ch.head)
	inp := ch.head.Load()
	for !bs.ends(inp) {
		if inp.takes(inc) {
			return inp
		}
		probe.Load(inp)
		inp = inp.hashNext.Load()
	}
	return nil
}

// takes reports whether inp is a listener that takes inc's segments.
func (inp *Inpcb) takes(inc *ConnInfo) bool {
	return inp.inc.Lport == inc.Lport && inp.inc.Fport == 0 && (inp.inc.Laddr == inc.Laddr || inp.inc.Laddr.IsAny())
}

// place is the link after which inp goes into chain i: connections first, listeners bound to any address last.
func (bs *buckets) place(i int, inp *Inpcb) *atomic.Pointer[Inpcb] {
	at := &bs.chains[i].head
	if inp.inc.Fport == 0 && inp.inc.Laddr.IsAny() {
		for p := at.Load(); !bs.ends(p); p = at.Load() {
			at = &p.hashNext
		}
	}
	return at
}

// insert links inp, whose key is set, under its chain's lock. Its own next is set first: the second Store publishes the block to the
// Loads in scan.
func (bs *buckets) insert(inp *Inpcb) {
	i := bs.at(inp)
	if probe.Enabled {
		bs.users[i].begin("a bucket", true)
		defer bs.users[i].end("a bucket", true)
		bs.mustBeNew(i, inp)
	}
	probe.Load(&bs.gen)
	inp.gencnt = bs.gen.Load()
	at := bs.place(i, inp)
	inp.hashNext.Store(at.Load())
	bs.name(inp)
	bs.turn(i)
	probe.Store(at)
	at.Store(inp)
	bs.turn(i)
}

// remove unlinks inp under its chain's lock and leaves its next alone.
func (bs *buckets) remove(inp *Inpcb) {
	i := bs.at(inp)
	if probe.Enabled {
		bs.users[i].begin("a bucket", true)
		defer bs.users[i].end("a bucket", true)
	}
	at := &bs.chains[i].head
	for p := at.Load(); p != inp; p = at.Load() {
		if bs.ends(p) {
			panic("pcbinfo: remove of an inpcb that is not in its bucket: " + inp.inc.String())
		}
		at = &p.hashNext
	}
	bs.unname(inp)
	bs.turn(i)
	probe.Store(at)
	at.Store(inp.hashNext.Load())
	bs.turn(i)
}

// turn begins or ends a change of a chain of listeners, by who has its lock. It pairs with the Loads in lookup.
func (bs *buckets) turn(i int) {
	if i >= bs.wild {
		seq := bs.seq(i)
		probe.RMW(seq)
		seq.Add(1)
	}
}

func (bs *buckets) seq(i int) *atomic.Uint32 { return &bs.seqs[(i-bs.wild)>>widest] }
