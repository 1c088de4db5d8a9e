package inet

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"sync/atomic"

	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
)

// fib.go: a routing table that is read for every packet and written now and then.
// Source: longest prefix match in a trie without one-way branches (Sklower, USENIX 1991; FreeBSD net/radix.c); lookups without a lock, of next hops that
// are replaced and never changed, as FreeBSD's fib4_lookup since 13 (netinet/in_fib.c, route/nhop.c). Up to FreeBSD 10 they shared a rwlock.
// Idea: the trie is built beforehand and stays; a route that changes is one pointer, and one that is withdrawn is nil, so that what covers it counts.
// Cost: a cache miss a level, some log2 of the number of routes; a change costs every CPU one more.
// Holds: a lookup gives what the longest matching prefix had at some instant of it, or a shorter one's where that was withdrawn.

// A Nexthop is where a route leads (struct nhop_object). It is not written once it is in a Fib.
type Nexthop struct {
	Ifindex int // the output interface
	Gateway pcbinfo.Addr
}

// A Fib maps destinations to next hops, in a trie for each family.
type Fib struct {
	nodes  []fibNode // the first two are the roots
	routes int
}

// The roots.
const (
	rootV4 = iota
	rootV6
)

// NewFib makes an empty one.
func NewFib() *Fib {
	return &Fib{nodes: []fibNode{rootV4: {key: mapped, len: 96}, rootV6: {}}}
}

// A fibNode stands for a prefix. Whatever lies below it begins with it and has one bit more at least.
type fibNode struct {
	key   bits128
	len   int32
	child [2]int32 // by the bit after the prefix; 0: none, as roots are nobody's
	hop   atomic.Pointer[Nexthop]
}

// bits128 is an address, IPv4 ones as IPv6 maps them (RFC 4291 2.5.5.2).
type bits128 struct{ hi, lo uint64 }

// mapped is what IPv4 addresses begin with.
var mapped = bits128{lo: 0xffff << 32}

// root is that of the trie for b's family.
func (b bits128) root() int32 {
	if b.hi == mapped.hi && b.lo>>32 == mapped.lo>>32 {
		return rootV4
	}
	return rootV6
}

func bitsOf(a netip.Addr) bits128 {
	b := a.As16()
	return bits128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// bit is the i-th, the first being 0.
func (b bits128) bit(i int32) uint64 {
	if i < 64 {
		return b.hi >> (63 - i) & 1
	}
	return b.lo >> (127 - i) & 1
}

// common is how many bits b and o begin with together.
func (b bits128) common(o bits128) int32 {
	if x := b.hi ^ o.hi; x != 0 {
		return int32(bits.LeadingZeros64(x))
	}
	return int32(64 + bits.LeadingZeros64(b.lo^o.lo))
}

func prefixOf(p netip.Prefix) (key bits128, n int32) {
	n = int32(p.Bits())
	if p.Addr().Is4() {
		n += 96
	}
	return bitsOf(p.Masked().Addr()), n
}

// Add enters a route. Nobody may look anything up meanwhile, and p must not be in f. A nil hop is a route that is withdrawn for now.
func (f *Fib) Add(p netip.Prefix, hop *Nexthop) {
	key, n := prefixOf(p)
	at := key.root()
	for f.nodes[at].len < n {
		b := key.bit(f.nodes[at].len)
		next := f.nodes[at].child[b]
		if next == 0 {
			next = f.node(key, n)
			f.nodes[at].child[b] = next
		} else if c := min(n, key.common(f.nodes[next].key)); c < f.nodes[next].len {
			next = f.split(at, b, key, c)
		}
		at = next
	}
	f.nodes[at].hop.Store(hop)
	f.routes++
}

func (f *Fib) node(key bits128, n int32) int32 {
	f.nodes = append(f.nodes, fibNode{key: key, len: n})
	return int32(len(f.nodes) - 1)
}

// split puts a node for the first n bits of key between at and its child b, which agrees with key so far and no farther.
func (f *Fib) split(at int32, b uint64, key bits128, n int32) int32 {
	next := f.nodes[at].child[b]
	mid := f.node(key, n)
	f.nodes[mid].child[f.nodes[next].key.bit(n)] = next
	f.nodes[at].child[b] = mid
	return mid
}

// Change gives p, which Add entered, another next hop; nil withdraws it. One goroutine changes routes, and lookups go on beside it: the Store pairs with the Load in
// Lookup, which so finds a next hop that is complete. It allocates nothing.
func (f *Fib) Change(p netip.Prefix, hop *Nexthop) {
	key, n := prefixOf(p)
	for at := key.root(); ; {
		nd := &f.nodes[at]
		if nd.len == n && nd.key.common(key) >= n {
			probe.Store(&nd.hop)
			nd.hop.Store(hop)
			return
		}
		if nd.len < n {
			at = nd.child[key.bit(nd.len)]
		}
		if nd.len >= n || at == 0 {
			panic(fmt.Sprintf("inet: change of %v, which was never a route", p))
		}
	}
}

// Lookup is fib4_lookup and fib6_lookup: dst's next hop, or nil if there is no route.
func (f *Fib) Lookup(dst pcbinfo.Addr) (hop *Nexthop) {
	key := bitsOf(dst.Netip())
	for at := key.root(); ; {
		nd := &f.nodes[at]
		if nd.key.common(key) < nd.len {
			return hop
		}
		probe.Load(&nd.hop)
		if h := nd.hop.Load(); h != nil {
			hop = h
		}
		if nd.len == 128 {
			return hop
		}
		if at = nd.child[key.bit(nd.len)]; at == 0 {
			return hop
		}
	}
}

// Len is the number of routes, withdrawn ones too.
func (f *Fib) Len() int { return f.routes }
