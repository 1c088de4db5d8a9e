//go:build witness || count || profile

package witness

import (
	"reflect"
	"strings"
)

// witnessed is the lock that reports what happens to l.
func witnessed(l any) any {
	for {
		w, ok := l.(interface{ Witnessed() any })
		if !ok {
			return l
		}
		l = w.Witnessed()
	}
}

// classOf is the class of a lock without a name.
func classOf(l any) string { return strings.TrimPrefix(reflect.TypeOf(l).String(), "*") }
