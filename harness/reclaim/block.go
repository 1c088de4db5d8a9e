package reclaim

import (
	"sync/atomic"
	"unsafe"

	"pcbbench/locks"
	"pcbbench/locks/smr"
)

const (
	chains  = 64 // so that a reader and the writer meet at one of them now and then
	hops    = 4  // blocks in each
	slab    = 64 // blocks that are made, or get one goal, together: as in the table's zone
	inChain = 1  // the only list that there is
)

// A block is as large as an inpcb. Its life is even while it is live and odd while it is free.
type block struct {
	next atomic.Pointer[block]
	obj  smr.Object
	life atomic.Uint64
	_    [blockSize - 24]byte
}

// blockSize is that of pcbinfo.Inpcb.
const blockSize = 256

const _ = uint(blockSize-unsafe.Sizeof(block{})) + uint(unsafe.Sizeof(block{})-blockSize) // they are the same

// A pool is the writer's memory.
type pool struct {
	*trial
	cpu     int // the writer's, for objs
	free    []*block
	pending []*block // retired, without a goal yet; or, of objs, all that are retired
	waiting []*block // retired, in the order of their goals, slab by slab
	goals   []smr.Seq
	retired int    // blocks in pending and waiting
	in, out uint64 // blocks retired, and those that came back
}

// take returns a block that nobody knows.
func (p *pool) take() *block {
	if p.dom != nil && !p.dom.Recycles() {
		return new(block)
	}
	if len(p.free) == 0 {
		p.reclaim()
	}
	if len(p.free) == 0 {
		blocks := make([]block, slab)
		for i := range blocks {
			blocks[i].life.Store(1)
			p.free = append(p.free, &blocks[i])
		}
	}
	b := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	b.life.Add(1)
	if p.objs != nil {
		b.obj.Link()
	}
	return b
}

// put frees b.
func (p *pool) put(b *block) {
	b.life.Add(1)
	p.free = append(p.free, b)
	p.retired--
	p.out++
}

// retire takes a block that was unlinked.
func (p *pool) retire(b *block) {
	p.in++
	if p.dom != nil && !p.dom.Recycles() {
		return
	}
	p.retired++
	p.pending = append(p.pending, b)
	switch {
	case p.objs != nil && len(p.pending) >= p.objs.Batch():
		p.reclaim()
	case p.dom != nil && len(p.pending) == slab:
		p.close()
		p.reclaim()
	}
}

// close gives what is pending a goal.
func (p *pool) close() {
	p.waiting = append(p.waiting, p.pending...)
	p.pending = p.pending[:0]
	p.goals = append(p.goals, p.dom.Advance())
}

// reclaim frees what may be.
func (p *pool) reclaim() {
	if p.objs != nil {
		p.sweep()
		return
	}
	n := 0
	for n < len(p.goals) && p.dom.Poll(p.goals[n]) {
		n++
	}
	blocks := min(n*slab, len(p.waiting)) // the last may be less than a slab, see drain
	for _, b := range p.waiting[:blocks] {
		p.put(b)
	}
	if n > 0 {
		p.goals = p.goals[:copy(p.goals, p.goals[n:])]
		p.waiting = p.waiting[:copy(p.waiting, p.waiting[blocks:])]
	}
}

func (p *pool) sweep() {
	p.objs.Scan(p.cpu)
	held := p.pending[:0]
	for _, b := range p.pending {
		if p.objs.Held(p.cpu, &b.obj) {
			held = append(held, b)
		} else {
			p.put(b)
		}
	}
	p.pending = held
}

// drain frees all: nobody reads any more.
func (p *pool) drain() {
	if p.dom != nil {
		p.close()
		p.dom.Wait(p.goals[len(p.goals)-1])
	}
	p.reclaim()
}

// A chain has hops blocks. The last stays.
type chain struct {
	head atomic.Pointer[block]
	_    [locks.LinePad - 8]byte
}
