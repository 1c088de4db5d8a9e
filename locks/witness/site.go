//go:build witness

package witness

import "runtime"

// A site is where something happened: return addresses, innermost first, zero beyond the end.
type site [10]uintptr

// calls is how many of them a report shows: a lock is mostly taken by a function that does little else.
const calls = 3

// here is the site of the call under way.
func here() *site {
	var s site
	runtime.Callers(2, s[:])
	return &s
}

func (s *site) String() string { return outside(s[:], calls) }
