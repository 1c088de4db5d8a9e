package schedule

import (
	"fmt"
	"strings"
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
)

// A reclaimProgram is what workers do with a domain and a published node, a string for each of them and a letter for each step:
//
//	r look at the node in a section    w replace it by the one that this worker unlinked before, once the readers have left it
//	p as w, but poll once and take a new node if the old one is still in use
//	o go offline
//	i enter a section, advance, poll: the answer must be no; then leave and wait
//
// Nothing but the domain orders the workers: each keeps what it unlinked, as a CPU's cache does.
type reclaimProgram struct {
	name    string
	workers []string
}

var reclaimPrograms = []reclaimProgram{
	{"wait", []string{"rr", "ww"}},
	{"wait-two", []string{"r", "r", "www"}},
	{"poll", []string{"r", "r", "pppp"}},
	{"poll-twice", []string{"rr", "pppp"}},
	{"two-writers", []string{"r", "pp", "pp"}},
	{"waiters", []string{"r", "w", "w"}},
	{"inside", []string{"i", "i", "i"}},
	{"inside-poll", []string{"ir", "pppi"}},
	{"four", []string{"r", "r", "pp", "pp"}},
	{"rest", []string{"ror", "wpw"}},
}

// reclaimSubjects are all programs for every reclamation that reuses memory; those of single blocks have their own.
func reclaimSubjects() (list []Subject) {
	for _, k := range smr.Kinds {
		if k.NewObjects != nil {
			list = append(list, objectSubjects(k)...)
			continue
		}
		if !k.New(1).Recycles() {
			continue
		}
		for _, p := range reclaimPrograms {
			list = append(list, reclaimSubject("smr/"+k.Name+"/"+p.name, p, k.New))
		}
	}
	return list
}

func reclaimSubject(name string, p reclaimProgram, open func(cpus int) smr.Domain) Subject {
	return Subject{Name: name, Doc: strings.Join(p.workers, " | "), New: func() (t Trial, err error) {
		n := len(p.workers)
		h := &heap{dom: open(n), entered: make([]int, n), retired: make([]retired, n)}
		h.head.Store(&node{})
		for cpu, program := range p.workers {
			t.Workers = append(t.Workers, func() error { return h.run(cpu, program) })
		}
		t.Rest = h.atRest
		return t, nil
	}}
}

// A node is a block of memory; life counts its uses.
type node struct{ life int }

// A goal is one Advance: its answer, and when it was asked.
type goal struct {
	seq smr.Seq
	at  int
}

// A heap is a domain, a node that readers find, and those that were unlinked.
type heap struct {
	dom     smr.Domain
	clock   int   // counts what may come before or after what
	entered []int // when each CPU's section was open for certain; 0: none is
	head    atomic.Pointer[node]
	retired []retired // a worker's own
}

// retired is what a worker unlinked last, if anything, and when it may be reused.
type retired struct {
	node *node
	goal goal
}

func (h *heap) run(cpu int, program string) (err error) {
	defer h.dom.Offline(cpu)
	for _, op := range program {
		switch op {
		case 'r':
			err = h.read(cpu)
		case 'w', 'p':
			err = h.replace(cpu, op == 'w')
		case 'o':
			h.dom.Offline(cpu)
		case 'i':
			err = h.inside(cpu)
		default:
			panic(fmt.Sprintf("schedule: no step %q", op))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *heap) enter(cpu int) {
	h.dom.Enter(cpu)
	h.clock++
	h.entered[cpu] = h.clock
}

func (h *heap) exit(cpu int) {
	h.entered[cpu] = 0
	h.dom.Exit(cpu)
}

func (h *heap) advance() goal {
	h.clock++
	at := h.clock
	return goal{h.dom.Advance(), at}
}

// poll holds every true answer against the sections that were open at the Advance and still are.
func (h *heap) poll(g goal) (bool, error) {
	if !h.dom.Poll(g.seq) {
		return false, nil
	}
	return true, h.over(g)
}

func (h *heap) wait(g goal) error {
	h.dom.Wait(g.seq)
	return h.over(g)
}

func (h *heap) over(g goal) error {
	for cpu, at := range h.entered {
		if at != 0 && at < g.at {
			return oracle.Violated(oracle.Reclaim, "a goal is passed while the section of cpu %d, which began before the Advance, is open", cpu)
		}
	}
	return nil
}

func (h *heap) read(cpu int) error {
	h.enter(cpu)
	defer h.exit(cpu)
	probe.Load(&h.head)
	n := h.head.Load()
	life := n.life
	probe.Work(1)
	if n.life != life {
		return oracle.Violated(oracle.Reclaim, "a node was reused under the reader on cpu %d", cpu)
	}
	return nil
}

// replace unlinks the node that readers find and publishes another.
func (h *heap) replace(cpu int, wait bool) error {
	n, err := h.take(cpu, wait)
	if err != nil {
		return err
	}
	n.life++
	probe.RMW(&h.head)
	old := h.head.Swap(n)
	h.retired[cpu] = retired{old, h.advance()}
	return nil
}

// take returns what this worker unlinked, once it may be reused, or a new node.
func (h *heap) take(cpu int, wait bool) (*node, error) {
	r := h.retired[cpu]
	if r.node == nil {
		return &node{}, nil
	}
	if wait {
		return r.node, h.wait(r.goal)
	}
	over, err := h.poll(r.goal)
	if !over {
		return &node{}, err
	}
	return r.node, err
}

func (h *heap) inside(cpu int) error {
	h.enter(cpu)
	g := h.advance()
	_, err := h.poll(g)
	h.exit(cpu)
	if err != nil {
		return err
	}
	h.dom.Offline(cpu) // or it would wait for itself
	return h.wait(g)
}

// atRest wants every goal passed when no section is open.
func (h *heap) atRest() error {
	h.dom.Wait(h.advance().seq)
	for cpu, r := range h.retired {
		if r.node != nil && !h.dom.Poll(r.goal.seq) {
			return oracle.Violated(oracle.Grace, "with no section open the goal of cpu %d is not passed", cpu)
		}
	}
	return nil
}
