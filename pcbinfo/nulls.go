package pcbinfo

import "pcbbench/locks/probe"

// nulls.go: bucket with chain=nulls: memory is reused at once, under the readers, and the reader notices.
// Source: Linux, net/ipv4/inet_hashtables.c (__inet_lookup_established), include/linux/list_nulls.h, SLAB_TYPESAFE_BY_RCU, since 2.6.29 (Dumazet 2008).
// Idea: a reader takes a reference before it believes what it sees, and at the end of a chain looks which chain's end that is.
// Cost: two read-modify-writes a lookup on the inpcb's reference count, also where everybody looks up the same; no section, no grace period, and
// no memory that waits for one.
// Holds: a reference is never taken from zero (H15); an inpcb's name is set and taken away by who has its bucket's lock; connections are inserted at
// the head of their chain.
//
// Linux compares the hash and the four-tuple in memory that may be written meanwhile, and once more when it has the reference. Here that would be a
// data race, which means nothing in Go. What is compared first is one atomic word, the name: the hash, or a listener's port, or 0 while the
// inpcb is in no chain.
//
//	writer, of the next life:  inc = …; name.Store(n); link     unname: name.Store(0); unlink; …; last rele; inc = …
//	reader:                    name.Load() = n; refIfAlive; name.Load() = n; inc; …; rele
//
// Under the reference the block's life cannot end, and it has no name before its key is written. So the reader's second Load pairs with this
// life's Store, after which inc is not written before the last rele, and that comes after the reader's: no race, and the key is whose the reader stands
// on, whichever life the first Load was of (H14). If the second Load finds something else the reader has taken a reference on a stranger, or on what is
// going away. The stranger does not mind, as nobody writes the count but by adding to it, unless it is 0: not even who gives back an inpcb that never
// was in the table, see discard.
//
// Which chain. A reader on a block that is taken out and put into another chain follows that one (H13) and comes to its end. Ends are therefore not nil:
// each chain has its own, the address of its bucket, which costs nothing but the comparison with nil that it takes the place of. Linux has the bucket's
// number there, with the lowest bit set; Go's collector would take such a pointer for a broken one, and a real one keeps it content.
//
// Why nobody is missed. Call C what is in chain i from before the reader loads the head until after it has come to an end. While it stands on blocks that
// are in chain i, or were when it came and are not reused, C is before it: insertions are at the head, and a removed block's next was its successor in the
// chain when it was removed. If the block under it is reused, next is the head of the new chain j as it was then. For j = i, C is behind that
// head. For another j the reader goes on to j's end and begins anew, unless a block under it is reused in chain i again, with C behind it. So who ends in
// i's marker has seen C; and if nobody was there from before until after, there was an instant at which nobody was there at all,
// as two of one name are never in the chain at once (H9).
// Listeners bound to any address are inserted at their chain's end, so that this holds for connections only. For segments a change of listeners shows in
// their chain's sequence; users look under its lock.

// named is set in every name, so that none is 0.
const named = 1

// name gives inp its name and unname takes it away.
func (bs *buckets) name(inp *Inpcb) {
	if !bs.marked {
		return
	}
	tag := inp.hash
	if inp.inc.Fport == 0 {
		tag = uint32(inp.inc.Lport)
	}
	probe.Store(&inp.name)
	inp.name.Store(uint64(tag)<<32 | named)
}

func (bs *buckets) unname(inp *Inpcb) {
	if bs.marked {
		probe.Store(&inp.name)
		inp.name.Store(0)
	}
}

// lookNulls finds who has that name in chain i or, of listeners, who takes its segments, with a reference. It begins anew as often as the chain was not the same all the way: each time somebody
// got on with something.
func (c *bucketCPU) lookNulls(i int, inc *ConnInfo, tag uint32, wild bool) *Inpcb {
	for {
		inp, sure := c.lookOnce(i, inc, tag, wild)
		if sure {
			return inp
		}
		c.restarts++
	}
}

func (c *bucketCPU) lookOnce(i int, inc *ConnInfo, tag uint32, wild bool) (inp *Inpcb, sure bool) {
	bs := &c.in.bs
	ch := &bs.chains[i]
	probe.Load(&ch.head)
	inp = ch.head.Load()
	for !bs.ends(inp) {
		probe.Load(&inp.name)
		name := inp.name.Load()
		var ref bool
		if name != 0 && uint32(name>>32) == tag {
			if ref = c.hold(inp, name); !ref {
				return nil, false
			}
			if !wild && inp.inc.match(inc) || wild && inp.takes(inc) {
				return inp, true
			}
		}
		probe.Load(&inp.hashNext)
		next := inp.hashNext.Load()
		if ref {
			c.rele(inp) // of the same tag and another's
		}
		inp = next
	}
	return nil, inp == bs.end(i)
}

// lookLocked finds the listener that a user names, with a reference.
func (c *bucketCPU) lookLocked(w int, name *ConnInfo) *Inpcb {
	c.lock(w)
	inp := c.in.bs.scan(w, name)
	if inp != nil {
		inp.ref()
	}
	c.unlock(w)
	return inp
}

// hold takes a reference on what has that name; false if it has it no more.
func (c *bucketCPU) hold(inp *Inpcb, name uint64) bool {
	if !inp.refIfAlive() {
		return false
	}
	probe.Load(&inp.name)
	if inp.name.Load() == name {
		return true
	}
	c.rele(inp)
	return false
}

// forget gives back what was looked up and is not wanted.
func (c *bucketCPU) forget(inp *Inpcb) {
	if inp != nil && c.in.bs.marked {
		c.rele(inp)
	}
}
