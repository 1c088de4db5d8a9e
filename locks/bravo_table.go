//go:build !sim

package locks

import (
	"sync/atomic"
	"unsafe"
)

// visible is the one table of all locks.
var visible bravoTable

type simTable struct{}

func (l *bravo) table() *bravoTable { return &visible }

// slot is where n stands in it.
func (l *bravo) slot(n *Node) *atomic.Pointer[bravo] {
	h := uint64(uintptr(unsafe.Pointer(n))) ^ uint64(uintptr(unsafe.Pointer(l)))<<7
	return &visible[h*0x9e3779b97f4a7c15>>(64-12)]
}
