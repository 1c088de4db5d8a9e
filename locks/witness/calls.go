//go:build witness || profile

package witness

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// inside are the packages that say nothing about the site, by how their functions' names begin.
var inside = []string{"runtime.", "pcbbench/locks.", "pcbbench/locks/smr.", "pcbbench/locks/witness."}

// outside names up to n of the calls in pcs that are outside of the locks, innermost first.
func outside(pcs []uintptr, n int) string {
	var sites []string
	frames := runtime.CallersFrames(pcs)
	for len(sites) < n {
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
