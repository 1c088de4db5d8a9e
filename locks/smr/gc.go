// gc.go: no reclamation by hand. What a Go program would do: unlink the block and drop the pointer; the
// garbage collector is the grace period, as it must prove the same thing, that nobody looks any more.
// Readers pay nothing and nothing can be freed too early. The price moves to allocation, to marking and to
// write barriers, and is paid in bursts: charge the collector's CPU time when comparing. Holds: Recycles is
// false, so no block is ever used twice.

package smr

type gc struct{}

func newGC(int) Domain { return gc{} }

func (gc) Enter(int)      {}
func (gc) Exit(int)       {}
func (gc) Offline(int)    {}
func (gc) Advance() Seq   { return 0 }
func (gc) Poll(Seq) bool  { return true }
func (gc) Wait(Seq)       {}
func (gc) Recycles() bool { return false }
func (gc) Stats() Stats   { return Stats{} }
