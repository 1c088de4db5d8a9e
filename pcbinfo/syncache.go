package pcbinfo

import (
	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

const (
	syncacheBuckets = 512 // at least: TCP_SYNCACHE_HASHSIZE
	syncacheLimit   = 30  // TCP_SYNCACHE_BUCKETLIMIT: a full bucket drops its oldest entry
)

// A syncache holds the connections between SYN and handshake ACK (tcp_syncache.c), so that a flood of SYNs costs
// no inpcb. Entries leave by completion, by RST, or pushed out by newer ones; there is no retransmission
// of SYN|ACKs, as nothing leaves the process. Memory is taken once.
type syncache struct {
	buckets []syncacheBucket
	shared  bool // buckets are locked; not where a coarser lock guards the whole cache
}

// A syncacheBucket has a lock of its own, a leaf of the lock order.
type syncacheBucket struct {
	lock    locks.Mtx
	clock   uint32 // grows with each entry, to tell the oldest
	users   users  // only in torture builds, see guard.go
	n       int
	entries []syncacheEntry
	_       [lineSize - 48]byte
}

type syncacheEntry struct {
	inc           ConnInfo
	irs, iss, win uint32
	born          uint32
}

// syncacheSize is the number of buckets that cfg asks for: FreeBSD's, or an entry for every second connection where that is more,
// so that the half-open ones of an ordinary load are not pushed out. Config.Halfs overrides both.
func syncacheSize(cfg *Config) int {
	if cfg.Halfs > 0 {
		return (cfg.Halfs + syncacheLimit - 1) / syncacheLimit
	}
	return max(syncacheBuckets, cfg.Conns/(2*syncacheLimit))
}

func (sc *syncache) init(buckets int, shared bool) {
	n := 1
	for n < buckets {
		n <<= 1
	}
	sc.buckets = make([]syncacheBucket, n)
	sc.shared = shared
	entries := make([]syncacheEntry, n*syncacheLimit)
	for i := range sc.buckets {
		sc.buckets[i].entries = entries[i*syncacheLimit : (i+1)*syncacheLimit]
		witness.Name(&sc.buckets[i].lock, "syncache bucket")
	}
}

func (sc *syncache) bucket(inc *ConnInfo) *syncacheBucket {
	return &sc.buckets[inc.hash(isnSecret^1)&uint32(len(sc.buckets)-1)]
}

func (sc *syncache) enter(inc *ConnInfo) *syncacheBucket {
	b := sc.bucket(inc)
	if sc.shared {
		b.lock.Lock(nil)
	}
	return b
}

func (sc *syncache) leave(b *syncacheBucket) {
	if sc.shared {
		b.lock.Unlock(nil)
	}
}

// add is syncache_add: a SYN for a listener. A SYN that differs from the one before takes its place, as the peer has
// given that one up.
func (sc *syncache) add(seg *Segment) (dup, evicted bool) {
	b := sc.enter(&seg.Inc)
	defer sc.leave(b)
	e := b.find(&seg.Inc)
	switch {
	case e != nil:
		dup = e.irs == seg.Seq
	case b.n == syncacheLimit:
		e, evicted = b.oldest(), true
	default:
		e = &b.entries[b.n]
		b.n++
	}
	b.clock++
	*e = syncacheEntry{inc: seg.Inc, irs: seg.Seq, iss: ISN(&seg.Inc, seg.Seq), win: seg.Win, born: b.clock}
	return dup, evicted
}

// expand is syncache_expand: it takes out the entry that the handshake ACK completes, so that of two such ACKs one finds it. The ACK may
// come with text beyond a hole, if the one before it was lost.
func (sc *syncache) expand(seg *Segment) (e syncacheEntry, ok bool) {
	b := sc.enter(&seg.Inc)
	defer sc.leave(b)
	p := b.find(&seg.Inc)
	if p == nil || seg.Ack != p.iss+1 || seg.Seq-(p.irs+1) >= rcvWnd {
		return e, false
	}
	e = *p
	b.drop(p)
	return e, true
}

// reset is syncache_chkrst.
func (sc *syncache) reset(seg *Segment) bool {
	b := sc.enter(&seg.Inc)
	defer sc.leave(b)
	p := b.find(&seg.Inc)
	if p == nil || seg.Seq != p.irs+1 {
		return false
	}
	b.drop(p)
	return true
}

// abort takes inc's entry out on the user's behalf.
func (sc *syncache) abort(inc *ConnInfo) bool {
	b := sc.enter(inc)
	defer sc.leave(b)
	p := b.find(inc)
	if p != nil {
		b.drop(p)
	}
	return p != nil
}

func (sc *syncache) len() (n int) {
	for i := range sc.buckets {
		n += sc.buckets[i].n
	}
	return n
}

func (b *syncacheBucket) find(inc *ConnInfo) *syncacheEntry {
	if probe.Enabled {
		b.users.begin("syncache bucket", true)
		defer b.users.end("syncache bucket", true)
	}
	for i := range b.entries[:b.n] {
		if b.entries[i].inc.match(inc) {
			return &b.entries[i]
		}
	}
	return nil
}

func (b *syncacheBucket) oldest() *syncacheEntry {
	old := &b.entries[0]
	for i := range b.entries[1:b.n] {
		if e := &b.entries[i+1]; before(e.born, old.born) {
			old = e
		}
	}
	return old
}

func (b *syncacheBucket) drop(e *syncacheEntry) {
	b.n--
	*e = b.entries[b.n]
}
