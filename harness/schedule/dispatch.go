package schedule

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// A dispatchProgram is what input contexts do, a string for each of them, with words for its calls and a letter for each packet:
//
//	ab    dispatches packets of the flows a and b      AB  queues them
//	n     dispatches one of flow a with one of flow b inside
//	!     before a word: what is refused is sent again until it is accepted; else it is gone
//	?a    makes a request about flow a and waits for the answer
//
// There are as many workstreams as CPUs, and context i's is the i-th, modulo their number: flow a's is the first, b's the next. Their workers
// sleep. Who is the last to have done with sending stops them when all has been handled, or at once.
type dispatchProgram struct {
	name, doc string
	cpus      int
	qlimit    int
	atOnce    bool // without inner packets only: nothing may be dispatched after Stop, not by handlers either
	contexts  []string
}

var dispatchPrograms = []dispatchProgram{
	{"wake", "the first packet wakes the worker", 1, 2, false, []string{"a"}},
	{"wake-again", "it comes while the worker goes to sleep", 1, 2, false, []string{"a a"}},
	{"two", "two contexts want one worker woken", 1, 2, false, []string{"a", "a"}},
	{"two-again", "", 1, 4, false, []string{"a a", "a"}},
	{"full", "the queue is full", 1, 1, false, []string{"aa a", "a"}},
	{"stop", "it is over while the queue is full", 1, 1, true, []string{"aa", "a"}},
	{"stop-both", "", 2, 1, true, []string{"ab", "aB"}},
	{"retry", "who was refused comes again", 1, 1, false, []string{"!a !a", "!a"}},
	{"own", "one context is on the workstream's CPU, the other is not", 2, 2, false, []string{"a a", "a"}},
	{"queued", "what is dispatched comes behind what was queued", 2, 2, false, []string{"A a", "a"}},
	{"both", "each has one packet for itself and one for the other", 2, 2, false, []string{"ab", "ba"}},
	{"inside", "handlers dispatch, too", 2, 2, false, []string{"n a", "a"}},
	{"inside-both", "", 2, 1, false, []string{"n", "nb"}},
	{"ask", "a request before a packet, and beside another", 2, 2, false, []string{"?a a", "a"}},
	{"asks", "two ask one workstream", 1, 2, false, []string{"?a", "?a a"}},
}

// dispatchSpecs are the models, and options that make them work differently in so few steps.
func dispatchSpecs() (texts []string) {
	for _, m := range netisr.Models {
		texts = append(texts, m.Name)
	}
	return append(texts, "squeue:drain=1")
}

func dispatchSubjects() (list []Subject) {
	for _, text := range dispatchSpecs() {
		sp, err := netisr.ParseSpec(text)
		if err != nil {
			panic("schedule: " + err.Error()) // the list above is ours
		}
		for _, p := range dispatchPrograms {
			list = append(list, dispatchSubject("dispatch/"+text+"/"+p.name, p, sp.Name, sp.New, sp.Streams(p.cpus)))
		}
	}
	for _, p := range bellPrograms {
		list = append(list, bellSubject("bell/"+p.name, p, func() bell { return &locks.Bell{} }))
	}
	return list
}

func dispatchSubject(name string, p dispatchProgram, model string, open func(netisr.Config) netisr.Isr, streams int) Subject {
	return Subject{Name: name, Doc: strings.Join(p.contexts, " | "), New: func() (Trial, error) {
		h := newHost(p, model, open, streams)
		var t Trial
		for i, program := range p.contexts {
			t.Workers = append(t.Workers, func() error { return h.run(i, program) })
		}
		for _, w := range h.isr.Workers() {
			t.Workers = append(t.Workers, func() error { w.Serve(); return h.err })
		}
		t.Rest = h.atRest
		return t, nil
	}}
}

// A host is a model at work and what it does.
type host struct {
	isr     netisr.Isr
	model   string
	qlimit  int
	sending int // contexts that have not done with it
	atOnce  bool
	busy    []bool // by handle
	parcels []*parcel
	sent    map[*pcbinfo.Segment]*parcel
	last    map[string]uint32 // by context, way and flow: the number of the packet handled last; by user: the requests made
	refused uint64
	err     error
}

// A parcel is one packet's way.
type parcel struct {
	inner    *pcbinfo.Segment
	way      string // those of one way are in order
	accepted bool
	handled  int
}

func newHost(p dispatchProgram, model string, open func(netisr.Config) netisr.Isr, streams int) *host {
	h := &host{model: model, qlimit: p.qlimit, atOnce: p.atOnce, sending: len(p.contexts), sent: map[*pcbinfo.Segment]*parcel{}, last: map[string]uint32{}}
	c := netisr.Config{Table: deskInfo{host: h}, QLimit: p.qlimit}
	take := func(n int) (handles []int) {
		for range n {
			handles = append(handles, len(h.busy))
			h.busy = append(h.busy, false)
		}
		return handles
	}
	c.Contexts, c.Streams, c.Users = take(len(p.contexts)), take(streams), take(len(p.contexts))
	c.Protocols = []netisr.Protocol{{Name: "ip", Policy: netisr.Flow, Handler: h.handle,
		M2flow: func(seg *pcbinfo.Segment) uint32 { return seg.FlowID }}} // of four-tuples too, which are all the same here
	h.isr = open(c)
	return h
}

// run is a context, and the user beside it.
func (h *host) run(i int, program string) error {
	out, user := h.isr.Context(i), h.isr.User(i)
	number := uint32(0)
	for word := range strings.FieldsSeq(program) {
		word, again := strings.CutPrefix(word, "!")
		flow, asks := strings.CutPrefix(word, "?")
		if asks {
			if err := h.ask(user, i, flow); err != nil {
				return err
			}
			continue
		}
		dispatch, way := out.Dispatch, "dispatched"
		if strings.ToUpper(word) == word {
			dispatch, way = out.Queue, "queued"
		}
		if h.model != "direct" {
			way = "sent"
		}
		var segs []*pcbinfo.Segment
		for _, letter := range strings.ToLower(word) {
			segs = append(segs, h.packet(i, &number, letter, way))
		}
		refused := dispatch(segs)
		for h.refused += uint64(len(refused)); again && len(refused) > 0; h.refused += uint64(len(refused)) {
			probe.Pause()
			refused = dispatch(slices.Clone(refused))
		}
		for _, seg := range refused {
			h.refuse(h.sent[seg])
		}
	}
	if h.sending--; h.sending == 0 {
		for !h.atOnce && !h.done() {
			probe.Pause()
		}
		h.isr.Stop()
	}
	return h.err
}

// done reports whether all that was accepted has been handled.
func (h *host) done() bool {
	return !slices.ContainsFunc(h.parcels, func(p *parcel) bool { return p.accepted && p.handled == 0 })
}

// packet makes one, and what is inside.
func (h *host) packet(context int, number *uint32, letter rune, way string) *pcbinfo.Segment {
	*number++
	seg := &pcbinfo.Segment{Source: uint16(context), Ack: uint32(context), Seq: *number, FlowID: uint32(letter - 'a')}
	p := h.parcel(seg, way)
	if letter == 'n' {
		seg.FlowID = 0
		p.inner = &pcbinfo.Segment{Source: uint16(context), Ack: uint32(context), Seq: *number, FlowID: 1}
		h.parcel(p.inner, "inside")
	}
	return seg
}

// refuse notes that p is gone, with all that is in it.
func (h *host) refuse(p *parcel) {
	p.accepted = false
	if p.inner != nil {
		h.sent[p.inner].accepted = false
	}
}

func (h *host) parcel(seg *pcbinfo.Segment, way string) *parcel {
	p := &parcel{way: way, accepted: true}
	h.parcels = append(h.parcels, p)
	h.sent[seg] = p
	return p
}

// handle is the protocol's.
func (h *host) handle(at *netisr.At, segs []*pcbinfo.Segment) {
	h.enter(at.Handle)
	var inside []*pcbinfo.Segment
	for _, seg := range segs {
		p := h.sent[seg]
		p.handled++
		key := fmt.Sprint(seg.Ack, p.way, seg.FlowID)
		if h.last[key] >= seg.Seq {
			h.fail(oracle.Violated(oracle.Order, "packet %d of context %d, %s, is handled after packet %d", seg.Seq, seg.Ack, p.way, h.last[key]))
		}
		h.last[key] = seg.Seq
		if p.inner != nil {
			inside = append(inside, p.inner)
		}
	}
	probe.Work(1)
	h.leave(at.Handle)
	if len(inside) > 0 && len(at.Dispatch(inside)) > 0 {
		h.fail(oracle.Violated(oracle.Conservation, "what was inside of a packet is refused"))
	}
}

func (h *host) enter(handle int) {
	if h.busy[handle] {
		h.fail(oracle.Violated(oracle.Exclusion, "handle %d is used by two", handle))
	}
	h.busy[handle] = true
}

func (h *host) leave(handle int) { h.busy[handle] = false }

func (h *host) fail(err error) {
	if h.err == nil {
		h.err = err
	}
}

// A desk is one handle of a table that answers a Send with how often it was asked on the user's behalf.
type deskInfo struct {
	pcbinfo.Info
	*host
}

type desk struct {
	pcbinfo.CPU
	*host
	handle int
}

func (d deskInfo) CPU(handle int) pcbinfo.CPU { return desk{host: d.host, handle: handle} }

func (d desk) Idle() {}

func (d desk) Send(inc *pcbinfo.ConnInfo, n int) error {
	d.enter(d.handle)
	defer d.leave(d.handle)
	d.last[fmt.Sprint("asked", n)]++
	probe.Work(1)
	return pcbinfo.ErrPipe
}

func (h *host) ask(user pcbinfo.CPU, i int, flow string) error {
	key := fmt.Sprint("asked", i)
	before := h.last[key]
	err := user.Send(&pcbinfo.ConnInfo{Fport: uint16(flow[0])}, i)
	if err != pcbinfo.ErrPipe || h.last[key] != before+1 {
		return oracle.Violated(oracle.Answer, "a request was made %d times and answered %v", h.last[key]-before, err)
	}
	return nil
}

// atRest: what was accepted was handled, once, and the figures say so.
func (h *host) atRest() error {
	if h.err != nil {
		return h.err
	}
	total, inside := uint64(0), 0
	for _, p := range h.parcels {
		want := 1
		if !p.accepted {
			want = 0
		}
		if p.handled != want {
			return oracle.Violated(oracle.Conservation, "a packet was handled %d times, want %d", p.handled, want)
		}
		total += uint64(want)
		if p.inner != nil {
			inside++
		}
	}
	s := h.isr.Stats()
	w := s.Total()
	if w.Handled != total || w.Handled != w.Dispatched+w.HDispatched+w.Queued || w.QDrops != h.refused || s.Wakes.N > w.Queued+h.requests(&s) {
		return oracle.Violated(oracle.Measure, "%d packets were handled and %d refused: %+v, %d wake-ups", total, h.refused, w, s.Wakes.N)
	}
	for i := range s.Streams {
		if n, mark := s.Streams[i].Len[0], s.Streams[i].Works[0].WMark; n != 0 || mark > h.qlimit+inside {
			return oracle.Violated(oracle.Measure, "%d packets are queued at rest, and %d were, limit %d, beside %d from inside", n, mark, h.qlimit, inside)
		}
	}
	return nil
}

func (h *host) requests(s *netisr.Stats) (n uint64) {
	for i := range s.Streams {
		n += s.Streams[i].Requests
	}
	return n
}

// A bellProgram is one who sleeps until he has seen all that ringers have brought, and what these do: r brings something and rings.
type bellProgram struct {
	name    string
	ringers []string
}

var bellPrograms = []bellProgram{
	{"one", []string{"r"}},
	{"again", []string{"rr"}},
	{"two", []string{"r", "r"}},
	{"two-again", []string{"rr", "r"}},
}

// A bell is locks.Bell.
type bell interface {
	Sleep(ready func() bool) bool
	Ring() bool
}

func bellSubject(name string, p bellProgram, open func() bell) Subject {
	return Subject{Name: name, Doc: strings.Join(p.ringers, " | "), New: func() (t Trial, err error) {
		b := open()
		var brought atomic.Int32
		all := int32(len(strings.Join(p.ringers, "")))
		t.Workers = append(t.Workers, func() error {
			for seen := int32(0); seen < all; {
				b.Sleep(func() bool {
					probe.Load(&brought)
					return brought.Load() > seen
				})
				probe.Load(&brought)
				seen = brought.Load()
			}
			return nil
		})
		for _, program := range p.ringers {
			t.Workers = append(t.Workers, func() error {
				for range program {
					probe.RMW(&brought)
					brought.Add(1)
					b.Ring()
				}
				return nil
			})
		}
		t.Rest = func() error { return nil }
		return t, nil
	}}
}
