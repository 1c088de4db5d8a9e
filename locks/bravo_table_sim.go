//go:build sim

package locks

import (
	"sync/atomic"

	"pcbbench/locks/probe"
)

// A simulation must not depend on others, nor on where memory lies: each lock has a table of its own, and each worker its slot.
type simTable struct{ slots *bravoTable }

func (l *bravo) table() *bravoTable {
	if l.own.slots == nil {
		l.own.slots = new(bravoTable)
	}
	return l.own.slots
}

func (l *bravo) slot(*Node) *atomic.Pointer[bravo] { return &l.table()[probe.Worker()] }
