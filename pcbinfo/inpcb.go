package pcbinfo

import (
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
)

// The flags of an inpcb. Both are set once, by whoever takes it out of the table.
const (
	inpDropped = 1 << iota // INP_DROPPED: unlinked, or about to be; a lookup that waited for the lock must look again
	inpFreed               // INP_FREED: the table's reference is gone as well
)

// An Inpcb is one connection's or listener's protocol control block (struct inpcb), the same for every scheme.
// It lives in the zone's type-stable memory: a stale pointer always points at an Inpcb, perhaps at another
// connection's. Which lock guards a field:
//
//	(c) constant from insertion to removal; written before the block is published and after its last reader
//	    (in hashlock and threelock a block is in the list before it is in the hash; until then it is written under (p), and walks wait)
//	(h) the lock over the hash: tcbinfo in global, refcount and rwlock, the group in connp, ebucket and wbucket in bucket, hashLock in the others
//	(g) in pcbgroup, the group that it is in, and all groups for what stands in the wildcard hash; to read, any group
//	(l) the lock over the list: tcbinfo in global, refcount, rwlock, hashlock and pcbgroup, the group in connp, listLock in smr and epoch; bucket has no list; in
//	    threelock listLock, by one who has tcbinfo shared, and for those who read it tcbinfo
//	(t) the lock over the TIME_WAIT queue: as (l), twLock in threelock, smr, epoch, syncmap, xsync and gvisor, the shard in shardmap, in bucket a
//	    CPU's
//	(p) the inpcb's own lock; the group's in connp
//	(a) atomic
//	    names in a map need neither (h) nor (l): the shard's lock guards the map in shardmap, demux in gvisor, its own in syncmap and xsync
//	in owned, the owner of the part stands for (h), (l), (t) and (p)
//	(z) the zone: only while the block is free
//
// The first line is what a lookup touches, the lock and the TCP machine come after it.
type Inpcb struct {
	hashNext atomic.Pointer[Inpcb] // (h) next in the bucket; kept after removal, for readers that stand here
	// (g) next in the bucket of its pcbgroup, or of the wildcard hash that the groups share
	groupNext atomic.Pointer[Inpcb]
	inc       ConnInfo // (c)
	hash      uint32   // (c) no lookup compares it: it may lie on the lock's line
	gen       uint32   // (z) which life of this memory this is

	lock  locks.RW
	refs  atomic.Int32  // (a) the table's and one for each pointer held outside a lock
	flags uint32        // (p)
	name  atomic.Uint64 // (h), read without: 0 outside of a chain; only with chain=nulls, see nulls.go
	obj   smr.Object    // (a) for reclamation that protects single blocks, see hop.go
	tp    Tcpcb         // (p)

	gencnt   uint64                 // (c) inp_gencnt: the table's generation at insertion
	listNext atomic.Pointer[Inpcb]  // (l) kept after removal, as hashNext
	listPrev *atomic.Pointer[Inpcb] // (l) what points here
	twNext   *Inpcb                 // (t), (z)
	twPrev   *Inpcb                 // (t), (z)
	twExpire uint32                 // (t) tick at which 2MSL ends
	onTw     bool                   // (t)
	twCPU    uint16                 // (t) bucket: on which CPU's queue
	segs     segmentQueue           // gvisor: its own lock
	users    users                  // (a) who is using it: only in torture builds, see guard.go
	stood    atomic.Int32           // (a) who stands on it under protection: only in torture builds
	mark     uint32                 // the audit that has met it last; at rest
	goal     smr.Seq                // (z) of its own retirement: only in torture builds; last, as the next block's first line begins 8 bytes early
}

func (inp *Inpcb) wlock()   { inp.lock.Lock(nil) }
func (inp *Inpcb) wunlock() { inp.lock.Unlock(nil) }
func (inp *Inpcb) rlock()   { inp.lock.RLock(nil) }
func (inp *Inpcb) runlock() { inp.lock.RUnlock(nil) }

// acquire, try and release are for callers that choose the mode.
func (inp *Inpcb) acquire(shared bool) {
	if shared {
		inp.rlock()
	} else {
		inp.wlock()
	}
}

func (inp *Inpcb) try(shared bool) bool {
	if shared {
		return inp.lock.TryRLock(nil)
	}
	return inp.lock.TryLock(nil)
}

func (inp *Inpcb) release(shared bool) {
	if shared {
		inp.runlock()
	} else {
		inp.wunlock()
	}
}

// mustLock locks an inpcb that nobody else knows, against the order, where a lock further in is held.
func (inp *Inpcb) mustLock() {
	if !inp.lock.TryLock(nil) {
		panic("pcbinfo: a new inpcb is locked already")
	}
}

func (inp *Inpcb) is(flags uint32) bool { return inp.flags&flags != 0 }

// ref takes a reference (in_pcbref). The caller has one already or holds a lock under which the table's cannot go.
func (inp *Inpcb) ref() {
	probe.RMW(&inp.refs)
	if inp.refs.Add(1) <= 1 {
		panic("pcbinfo: reference taken from zero")
	}
}

// refIfAlive takes a reference unless there is none left (refcount_acquire_if_not_zero), for readers that hold no lock.
func (inp *Inpcb) refIfAlive() bool {
	for {
		probe.Load(&inp.refs)
		n := inp.refs.Load()
		if n == 0 {
			return false
		}
		probe.RMW(&inp.refs)
		if inp.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// rele gives a reference back and reports whether it was the last (in_pcbrele): then the caller frees the block.
// Everything done under a reference is ordered before the free by the atomic decrements.
func (inp *Inpcb) rele() (last bool) {
	probe.RMW(&inp.refs)
	n := inp.refs.Add(-1)
	if n < 0 {
		panic("pcbinfo: reference count below zero")
	}
	return n == 0
}

// An Xinpcb is what a walk tells of one inpcb (struct xinpcb and xtcpcb), copied under its lock.
type Xinpcb struct {
	Inc         ConnInfo
	State       State
	Gencnt      uint64
	Irs, RcvNxt uint32
	Iss         uint32
	SndUna      uint32
	SndNxt      uint32
	Rcvd, Sent  uint64 // bytes delivered to the user, bytes the user sent
	Unsent      uint32 // bytes the peer's window keeps back
	Refs        int32
}

func (x *Xinpcb) copy(inp *Inpcb) {
	tp := &inp.tp
	*x = Xinpcb{Inc: inp.inc, State: tp.state, Gencnt: inp.gencnt, Irs: tp.irs, RcvNxt: tp.rcvNxt, Iss: tp.iss,
		SndUna: tp.sndUna, SndNxt: tp.sndNxt, Rcvd: tp.rcvd, Sent: tp.sent, Unsent: tp.sndBuf, Refs: inp.refs.Load()}
}
