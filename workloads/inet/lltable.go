package inet

import (
	"pcbbench/locks"
	"pcbbench/pcbinfo"
)

// lltable.go: the neighbours' link-layer addresses, which ARP learns.
// Source: in_arpinput (FreeBSD netinet/if_ether.c) on the tables of net/if_llatbl.c, since FreeBSD 8: IF_AFDATA_LOCK over the table, LLE_LOCK on each entry.
// FreeBSD 8 itself took the table's lock exclusively for each update; here it is shared where the entry is known, as later ones have it.
// Idea: an update finds its entry with the table's lock shared and writes it under its own; only a neighbour never seen before takes the table exclusively.
// Cost: three lock pairs' worth for a new neighbour, two for a known one, the first of them on a word that all CPUs write.
// Holds: an entry is made once, and holds the address that was written last.

// An Lltable maps neighbours to link-layer addresses. The zero Lltable is empty.
type Lltable struct {
	_       [locks.LinePad]byte
	lock    locks.RW                  // before any entry's
	entries map[pcbinfo.Addr]*llentry // under lock
	_       [locks.LinePad]byte
}

type llentry struct {
	lock   locks.Mtx
	lladdr uint64                   // under lock
	_      [locks.LinePad - 16]byte // neighbours of other CPUs' are next to it
}

// Update notes that addr is at lladdr, and reports whether it is new. Once all are known it allocates nothing.
func (t *Lltable) Update(addr pcbinfo.Addr, lladdr uint64) (added bool) {
	t.lock.RLock(nil)
	e := t.entries[addr]
	if e == nil {
		t.lock.RUnlock(nil)
		return t.add(addr, lladdr)
	}
	e.lock.Lock(nil)
	t.lock.RUnlock(nil)
	e.lladdr = lladdr
	e.lock.Unlock(nil)
	return false
}

// add is Update where there was no entry a moment ago.
func (t *Lltable) add(addr pcbinfo.Addr, lladdr uint64) (added bool) {
	t.lock.Lock(nil)
	defer t.lock.Unlock(nil)
	if t.entries == nil {
		t.entries = map[pcbinfo.Addr]*llentry{}
	}
	e := t.entries[addr]
	if added = e == nil; added {
		e = new(llentry)
		t.entries[addr] = e
	}
	e.lock.Lock(nil)
	e.lladdr = lladdr
	e.lock.Unlock(nil)
	return added
}

// Lookup is what addr is at; ok is false if nobody has told.
func (t *Lltable) Lookup(addr pcbinfo.Addr) (lladdr uint64, ok bool) {
	t.lock.RLock(nil)
	defer t.lock.RUnlock(nil)
	e := t.entries[addr]
	if e == nil {
		return 0, false
	}
	e.lock.Lock(nil)
	defer e.lock.Unlock(nil)
	return e.lladdr, true
}

// Len is the number of neighbours.
func (t *Lltable) Len() int {
	t.lock.RLock(nil)
	defer t.lock.RUnlock(nil)
	return len(t.entries)
}
