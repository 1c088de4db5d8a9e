package schedule

import (
	"fmt"
	"strings"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
)

// An objectProgram is what workers do with blocks in a chain, a string for each of them and a letter for each step:
//
//	r walk along the chain, looking at each block under protection    u unlink its first block, but not the last of all
//	m unlink its second, as u    n put a block before all others: one that this worker unlinked before, if nobody holds it, else a new one
//
// Writers take turns by a lock. A walk that is cut off begins anew.
type objectProgram struct {
	name    string
	workers []string
}

var objectPrograms = []objectProgram{
	{"reuse", []string{"r", "un"}},
	{"chain", []string{"r", "uun"}}, // the walker stands on the first, whose link leads to the second (H13, H14)
	{"middle", []string{"r", "mun"}},
	{"again", []string{"rr", "unun"}},
	{"two-walkers", []string{"r", "r", "uunn"}},
	{"two-writers", []string{"r", "un", "mn"}},
	{"four", []string{"r", "r", "un", "un"}},
}

// objectSubjects are all programs for a kind that protects single blocks.
func objectSubjects(k smr.Kind) (list []Subject) {
	for _, p := range objectPrograms {
		list = append(list, objectSubject("smr/"+k.Name+"/"+p.name, p, k.NewObjects))
	}
	return list
}

func objectSubject(name string, p objectProgram, open func(cpus int) smr.Objects) Subject {
	return Subject{Name: name, Doc: strings.Join(p.workers, " | "), New: func() (t Trial, err error) {
		c := &chain{d: open(len(p.workers)), retired: make([][]*link, len(p.workers))}
		for range 3 {
			l := &link{}
			l.next.Store(c.head.Load())
			c.head.Store(l)
		}
		for cpu, program := range p.workers {
			t.Workers = append(t.Workers, func() error { return c.run(cpu, program) })
		}
		t.Rest = c.atRest
		return t, nil
	}}
}

// A link is a block of memory; life counts its uses.
type link struct {
	next atomic.Pointer[link]
	obj  smr.Object
	life int
	free bool
}

// inChain is the only list that there is.
const inChain = 1

// A chain is blocks that walkers find, and those that were unlinked: a worker's own.
type chain struct {
	d       smr.Objects
	head    atomic.Pointer[link]
	lock    locks.Mtx
	retired [][]*link
}

func (c *chain) run(cpu int, program string) error {
	for _, op := range program {
		switch op {
		case 'r':
			if err := c.walk(cpu); err != nil {
				return err
			}
		case 'u':
			c.unlink(cpu, 0)
		case 'm':
			c.unlink(cpu, 1)
		case 'n':
			c.insert(cpu)
		default:
			panic(fmt.Sprintf("schedule: no step %q", op))
		}
	}
	return nil
}

func (c *chain) walk(cpu int) error {
	c.d.Enter(cpu)
	defer c.d.Exit(cpu)
	for {
		if end, err := c.try(cpu); end || err != nil {
			return err
		}
		probe.Pause()
	}
}

// try reports whether it came to the end.
func (c *chain) try(cpu int) (end bool, err error) {
	var at *link
	for from, slot := &c.head, 0; ; {
		probe.Load(from)
		l := from.Load()
		if l == nil {
			return true, nil
		}
		c.d.Protect(cpu, slot, &l.obj)
		probe.Load(from)
		still := from.Load() == l
		if at != nil && at.obj.Gone(inChain) {
			return false, nil
		}
		if !still {
			continue
		}
		life := l.life
		probe.Work(1)
		if l.free || l.life != life {
			return false, oracle.Violated(oracle.Reclaim, "a block was reused under the walker on cpu %d", cpu)
		}
		at, from, slot = l, &l.next, 1-slot
	}
}

// unlink takes out the n-th block, unless none would be left after it.
func (c *chain) unlink(cpu, n int) {
	c.lock.Lock(nil)
	defer c.lock.Unlock(nil)
	at := &c.head
	for range n {
		at = &at.Load().next
	}
	l := at.Load()
	if l == nil || l.next.Load() == nil {
		return
	}
	l.obj.Unlink(inChain)
	probe.Store(at)
	at.Store(l.next.Load())
	c.retired[cpu] = append(c.retired[cpu], l)
}

func (c *chain) insert(cpu int) {
	l := c.take(cpu)
	l.life++
	l.obj.Link()
	c.lock.Lock(nil)
	defer c.lock.Unlock(nil)
	l.next.Store(c.head.Load())
	probe.Store(&c.head)
	c.head.Store(l)
}

// take returns what this worker unlinked last and nobody holds, or a new block.
func (c *chain) take(cpu int) *link {
	c.d.Scan(cpu)
	for i := len(c.retired[cpu]) - 1; i >= 0; i-- {
		if l := c.retired[cpu][i]; !c.d.Held(cpu, &l.obj) {
			c.retired[cpu] = append(c.retired[cpu][:i], c.retired[cpu][i+1:]...)
			l.free = true
			probe.Work(1)
			l.free = false
			return l
		}
	}
	return &link{}
}

// atRest wants nothing held when nobody walks.
func (c *chain) atRest() error {
	for cpu, list := range c.retired {
		c.d.Scan(cpu)
		for _, l := range list {
			if c.d.Held(cpu, &l.obj) {
				return oracle.Violated(oracle.Grace, "nobody walks, and a block of cpu %d is held", cpu)
			}
		}
	}
	return nil
}
