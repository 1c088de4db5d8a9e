package pcap

import (
	"cmp"
	"slices"
)

// spans is a set of positions in a sequence space, kept as disjoint half-open intervals in order.
type spans []span

type span struct{ lo, hi int64 }

// add puts [lo, hi) into the set and reports whether any of it is new.
func (s *spans) add(lo, hi int64) bool {
	if lo >= hi {
		return false
	}
	// Those from i to j touch or overlap the new one and become part of it.
	i, _ := slices.BinarySearchFunc(*s, lo, func(x span, lo int64) int { return cmp.Compare(x.hi, lo) })
	j := i
	for j < len(*s) && (*s)[j].lo <= hi {
		j++
	}
	if j == i+1 && (*s)[i].lo <= lo && hi <= (*s)[i].hi {
		return false
	}
	if j > i {
		lo, hi = min(lo, (*s)[i].lo), max(hi, (*s)[j-1].hi)
	}
	*s = slices.Replace(*s, i, j, span{lo, hi})
	return true
}

// first forgets what lies before at and returns the first interval beyond or around it; ok is false
// if there is none.
func (s *spans) first(at int64) (x span, ok bool) {
	for len(*s) > 0 && (*s)[0].hi <= at {
		*s = (*s)[1:]
	}
	if len(*s) == 0 {
		return span{}, false
	}
	return (*s)[0], true
}

// reach returns how far the set extends without a hole from at on: at itself if it is not in the set.
func (s *spans) reach(at int64) int64 {
	if x, ok := s.first(at); ok && x.lo <= at {
		return x.hi
	}
	return at
}
