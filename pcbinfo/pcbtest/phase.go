package pcbtest

import "sync/atomic"

// A phase tells all workers whether something of one worker's is open, so that others' answers about it can be checked: what was open, or
// closed, from before a question until after its answer leaves no doubt. The owner moves it on before and after each change.
type phase struct {
	n atomic.Uint64
	_ [120]byte
}

// The phases, modulo 4.
const (
	isClosed = iota
	opening
	isOpen
	closing
)

func (p *phase) next() { p.n.Add(1) }

// doubt is an answer that depends on the schedule.
const doubt = opening

// while runs f and says what was the case throughout: isOpen, isClosed, or doubt.
func (p *phase) while(f func()) uint64 {
	before := p.n.Load()
	f()
	if p.n.Load() != before || before%2 != 0 {
		return doubt
	}
	return before % 4
}
