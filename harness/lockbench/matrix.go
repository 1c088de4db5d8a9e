package lockbench

import (
	"fmt"
	"slices"

	"pcbbench/locks"
)

// A Matrix is a set of cases: the product of its lists. An empty list stands for the default named beside it.
type Matrix struct {
	Locks      []string  // every policy of every kind, which "all" says too
	Workers    []int     // 1, CPUs, 4 × CPUs
	Criticals  []int     // DefaultCritical
	Thinks     []int     // DefaultThink
	Lines      []int     // 1
	Reads      []int     // 0
	LocksN     []int     // 1
	Unevens    []float64 // 1
	Pins       []string  // PinCPU
	Try        bool
	CPUs       int  // CPUs that may be used
	FirstOnly  bool // of each kind only its first policy, where Locks says all
	FewWorkers bool // without 4 × CPUs, where Workers is empty
}

// The default load: a section of the order of a look into a table, and twice as long between two. With no time between, whoever has the lock takes it again
// before any other sees it free, which flatters the locks that let him.
const (
	DefaultCritical = 100
	DefaultThink    = 200
)

// Cases are those of m whose locks are made for so many workers; skipped tells of the others, a line each.
func (m Matrix) Cases() (cs []Case, skipped []string, err error) {
	m.defaults()
	seen := map[string]bool{}
	for _, c := range m.product() {
		if err := c.Check(); err != nil {
			return nil, nil, err
		}
		if name := c.Name(); seen[name] {
			continue
		} else {
			seen[name] = true
		}
		if err := c.Refusal(); err != nil {
			line := fmt.Sprintf("lock=%s/policy=%v workers=%d: %v", c.spec().Kind().Name, c.spec().Policy(), c.Workers, err)
			if !slices.Contains(skipped, line) {
				skipped = append(skipped, line)
			}
			continue
		}
		cs = append(cs, c)
	}
	if len(cs) == 0 {
		return nil, nil, fmt.Errorf("no lock can be measured: %s", skipped[0])
	}
	return cs, skipped, nil
}

func (m *Matrix) defaults() {
	if len(m.Locks) == 0 || len(m.Locks) == 1 && m.Locks[0] == "all" {
		m.Locks = nil
		for _, s := range locks.Specs() {
			if !m.FirstOnly || s.Policy() == s.Kind().Policies[0] {
				m.Locks = append(m.Locks, s.String())
			}
		}
	}
	if len(m.Workers) == 0 {
		m.Workers = []int{1, m.CPUs, 4 * m.CPUs}
		if m.FewWorkers {
			m.Workers = m.Workers[:2]
		}
	}
	orElse(&m.Criticals, DefaultCritical)
	orElse(&m.Thinks, DefaultThink)
	orElse(&m.Lines, 1)
	orElse(&m.Reads, 0)
	orElse(&m.LocksN, 1)
	orElse(&m.Unevens, 1)
	orElse(&m.Pins, PinCPU)
}

func orElse[T any](list *[]T, value T) {
	if len(*list) == 0 {
		*list = []T{value}
	}
}

// product multiplies the lists out, one factor at a time; the locks of one load stand together.
func (m *Matrix) product() []Case {
	cs := []Case{{Try: m.Try}}
	cs = times(cs, m.Workers, func(c *Case, v int) { c.Workers = v })
	cs = times(cs, m.Criticals, func(c *Case, v int) { c.Critical = v })
	cs = times(cs, m.Thinks, func(c *Case, v int) { c.Think = v })
	cs = times(cs, m.Lines, func(c *Case, v int) { c.Lines = v })
	cs = times(cs, m.Reads, func(c *Case, v int) { c.Reads = v })
	cs = times(cs, m.LocksN, func(c *Case, v int) { c.Locks = v })
	cs = times(cs, m.Unevens, func(c *Case, v float64) { c.Uneven = v })
	cs = times(cs, m.Pins, func(c *Case, v string) { c.Pin = v })
	return times(cs, m.Locks, func(c *Case, v string) { c.Lock = v })
}

func times[T any](cs []Case, values []T, set func(*Case, T)) (out []Case) {
	for _, c := range cs {
		for _, v := range values {
			set(&c, v)
			out = append(out, c)
		}
	}
	return out
}

// Keys are what may be thinned out where the budget is too small, in this order.
var Keys = []func(*Case) float64{
	func(c *Case) float64 { return float64(c.Workers) },
	func(c *Case) float64 { return float64(c.Critical) },
	func(c *Case) float64 { return float64(c.Think) },
	func(c *Case) float64 { return float64(c.Lines) },
	func(c *Case) float64 { return float64(c.Reads) },
	func(c *Case) float64 { return float64(c.Locks) },
	func(c *Case) float64 { return c.Uneven },
}
