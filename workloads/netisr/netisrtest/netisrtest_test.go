package netisrtest

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// spec is what text says.
func spec(t *testing.T, text string) netisr.Spec {
	t.Helper()
	sp, err := netisr.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// variants are options under which a model works differently, beside its default.
var variants = []string{"netisr2:policy=source", "netisr2:policy=cpu", "netisr2:qlimit=1", "hybrid:policy=source", "hybrid:policy=cpu", "direct:qlimit=2",
	"connp-t:calls=async", "connp-t:threads=3", "squeue:drain=1", "feedback:window=32"}

func TestTorture(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	texts := slices.Clone(variants)
	for _, m := range netisr.Models {
		texts = append(texts, m.Name)
	}
	for k, text := range texts {
		for i, contexts := range []int{1, 2, 4 * runtime.GOMAXPROCS(0)} {
			poll := (uint64(k+i)+seed/2)%2 == 0
			t.Run(fmt.Sprintf("dispatch=%s/contexts=%d/poll=%v", text, contexts, poll), func(t *testing.T) {
				beats := make([]int, contexts)
				c := Config{Contexts: contexts, CPUs: 1 + i, Segments: 1000 / (1 + i), Flows: 5, QLimit: []int{1, 0, 16}[i], Poll: poll, Clock: i != 1,
					Seed: seed, Beat: func(worker int) { beats[worker]++ }}
				if err := Torture(spec(t, text), c); err != nil {
					t.Error(err)
				}
				if slices.Contains(beats, 0) {
					t.Errorf("beats %v", beats)
				}
			})
		}
	}
}

// TestSeesOrder plants a reordering into the notes of a torture that was passed: the checker must see it, in every model that promises an order.
func TestSeesOrder(t *testing.T) {
	for _, m := range netisr.Models {
		for _, clock := range []bool{false, true} {
			r := newRig(spec(t, m.Name), promised(m.Name), Config{Contexts: 2, CPUs: 2, Segments: 200, Flows: 2, Clock: clock, Seed: 1}, "planted")
			if err := r.live(); err != nil {
				t.Fatal(err)
			}
			if !r.swap() {
				t.Fatalf("%s: no two packets have an order", m.Name)
			}
			if err := r.ordered(); oracle.Of(err) != oracle.Order {
				t.Errorf("%s, clock %v: two packets were swapped: %v", m.Name, clock, err)
			}
		}
	}
}

// swap exchanges the notes of two packets that had an order, on one handle.
func (r *rig) swap() bool {
	for i := range r.handlers {
		notes := r.handlers[i].notes
		last := make(map[order]int)
		for j := range notes {
			o := r.order(r.sent(notes[j].seg))
			if k, ok := last[o]; ok {
				notes[j].seg, notes[k].seg = notes[k].seg, notes[j].seg
				return true
			}
			last[o] = j
		}
	}
	return false
}

// TestDirectGivesNoOrderBetweenContexts: packets of one flow come in at two contexts, the second while the first is being handled. Where one workstream
// handles a flow's packets the second is handled after the first; where each context handles its own it is not, and the checker of order says so.
func TestDirectGivesNoOrderBetweenContexts(t *testing.T) {
	for _, m := range netisr.Models {
		p := promised(m.Name)
		r := newRig(spec(t, m.Name), p, Config{Contexts: 2, CPUs: 2, Segments: 2, Flows: 1, Clock: true, Seed: 1}, "two contexts")
		first := r.contexts[0]
		first.packets = []packet{first.make(0, ip, 0), first.make(1, ip, 0)}
		config := netisr.Config{Table: &table{rig: r}, Contexts: []int{0, 1}, Streams: []int{2, 3}[:r.streams], Users: []int{0, 1}, Poll: true}
		var isr netisr.Isr
		config.Protocols = []netisr.Protocol{{Name: "ip", Policy: netisr.Flow, Handler: func(at *netisr.At, segs []*pcbinfo.Segment) {
			for _, seg := range segs {
				if seg.Seq == 0 {
					isr.Context(1).Dispatch([]*pcbinfo.Segment{&first.packets[1].seg})
				}
				h := &r.handlers[at.Handle]
				h.notes = append(h.notes, note{seg, *seg, r.now()})
			}
		}}}
		isr = spec(t, m.Name).New(config)
		isr.Context(0).Dispatch([]*pcbinfo.Segment{&first.packets[0].seg})
		for r.handled() < 2 {
			for _, w := range isr.Workers() {
				w.Run()
			}
		}
		err := r.ordered()
		if apart := p.inPlace || p.either; apart != (oracle.Of(err) == oracle.Order) || !apart && err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}
