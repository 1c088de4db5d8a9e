//go:build witness

package witness

import (
	"fmt"
	"strings"
	"sync"
)

// A pair is two classes, the outer one first.
type pair [2]string

// An arrow of the graph was declared, or seen, or both. Its sites are those of the first time; none if it was not seen.
type arrow struct {
	declared     bool
	outer, inner site
}

// A graph is the order of the classes. But for classes declared under themselves it has no circle.
type graph struct {
	declared map[string]bool // classes that Order named; constant while anything runs
	several  map[string]bool // of these, the ones declared under themselves
	mu       sync.Mutex
	arrows   map[pair]*arrow // under mu
}

func newGraph() *graph {
	return &graph{declared: make(map[string]bool), several: make(map[string]bool), arrows: make(map[pair]*arrow)}
}

func (g *graph) declare(edges [][2]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range edges {
		if back := g.path(e[1], e[0], false); e[0] != e[1] && back != nil {
			panic(fmt.Sprintf("witness: %s is to be taken before %s: against %s", e[0], e[1], g.describe(back)))
		}
		g.arrows[e] = &arrow{declared: true}
		g.declared[e[0]], g.declared[e[1]] = true, true
		if e[0] == e[1] {
			g.several[e[0]] = true
		}
	}
}

// twice is called for two locks of one class.
func (g *graph) twice(o, i *hold) error {
	first, second := o.rank.Load(), i.rank.Load()
	if first != 0 && second != 0 {
		if first >= second {
			return violated("order of ranks: wanted %v of rank %d, held %v of rank %d", i, second, o, first)
		}
		return nil
	}
	if !g.several[o.class] {
		return violated("two of one class: wanted %v, held %v", i, o)
	}
	return nil
}

// admit is called when the pair is new to the caller.
func (g *graph) admit(o, i *hold) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := pair{o.class, i.class}
	if o.class != i.class {
		if back := g.path(i.class, o.class, false); back != nil {
			return violated("order: wanted %v, held %v, against %s", i, o, g.describe(back))
		}
		if g.declared[o.class] && g.declared[i.class] && g.path(o.class, i.class, true) == nil {
			return violated("order: wanted %v, held %v, which no declared order allows", i, o)
		}
	}
	a := g.arrows[p]
	if a == nil {
		a = new(arrow)
		g.arrows[p] = a
	}
	if a.outer == (site{}) {
		a.outer, a.inner = o.at, i.at
	}
	return nil
}

// path finds a way along the arrows, or only along declared ones: nil if there is none.
func (g *graph) path(from, to string, declared bool) []pair {
	seen := map[string]bool{from: true}
	var walk func(at string) []pair
	walk = func(at string) []pair {
		last := pair{at, to}
		if a := g.arrows[last]; a != nil && (a.declared || !declared) {
			return []pair{last}
		}
		for p, a := range g.arrows {
			if p[0] != at || declared && !a.declared || seen[p[1]] {
				continue
			}
			seen[p[1]] = true
			if rest := walk(p[1]); rest != nil {
				return append([]pair{p}, rest...)
			}
		}
		return nil
	}
	return walk(from)
}

// describe tells a way with the sites.
func (g *graph) describe(way []pair) string {
	var steps []string
	for _, p := range way {
		a := g.arrows[p]
		step := p[0] + " → " + p[1]
		if a.declared {
			step += ", declared"
		}
		if a.outer != (site{}) {
			step += fmt.Sprintf(", seen (%v, then %v)", &a.outer, &a.inner)
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, "; ")
}
