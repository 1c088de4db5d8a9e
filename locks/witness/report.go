//go:build witness

package witness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Held lists, a line each, the goroutines that hold or wait for a lock or are in a section, with the sites. It may be called at any time.
func Held() string {
	var b strings.Builder
	for _, w := range all() {
		b.WriteString(w.describe())
	}
	return b.String()
}

func (w *worker) describe() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var parts []string
	for i := range w.held {
		parts = append(parts, "holds "+w.held[i].String())
	}
	for i := range w.sections {
		parts = append(parts, "is in "+w.sections[i].String())
	}
	if w.wanted.lock != nil {
		parts = append(parts, "waits for "+w.wanted.String())
	}
	if parts == nil {
		return ""
	}
	return fmt.Sprintf("goroutine gp=%#x %s\n", w.id, strings.Join(parts, "; "))
}

// Edges returns the pairs seen since the last Reset, in alphabetical order.
func Edges() []Edge {
	sum := make(map[pair]*Edge)
	for _, w := range all() {
		w.addTo(sum)
	}
	var edges []Edge
	for _, e := range sum {
		edges = append(edges, *e)
	}
	slices.SortFunc(edges, func(a, b Edge) int {
		return cmp.Or(strings.Compare(a.Outer, b.Outer), strings.Compare(a.Inner, b.Inner))
	})
	return edges
}

func (w *worker) addTo(sum map[pair]*Edge) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p, t := range w.pairs {
		e := sum[p]
		if e == nil {
			e = &Edge{Outer: p[0], Inner: p[1], OuterSite: t.outer.String(), InnerSite: t.inner.String()}
			sum[p] = e
		}
		e.Count += t.count
	}
}
