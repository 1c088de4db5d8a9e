//go:build witness

package witness

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A site is where something happened: return addresses, innermost first, zero beyond the end.
type site [10]uintptr

// calls is how many of them a report shows: a lock is mostly taken by a function that does little else.
const calls = 3

// inside are the packages that say nothing about the site, by how their functions' names begin.
var inside = []string{"runtime.", "pcbbench/locks.", "pcbbench/locks/smr.", "pcbbench/locks/witness."}

// here is the site of the call under way.
func here() *site {
	var s site
	runtime.Callers(2, s[:])
	return &s
}

func (s *site) String() string {
	var sites []string
	frames := runtime.CallersFrames(s[:])
	for len(sites) < calls {
		f, more := frames.Next()
		in := slices.ContainsFunc(inside, func(pkg string) bool { return strings.HasPrefix(f.Function, pkg) })
		if f.Function != "" && !in {
			sites = append(sites, fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File), f.Line))
		}
		if !more {
			break
		}
	}
	return strings.Join(sites, " < ")
}
