package netisrtest

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

func TestTorture(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for _, m := range netisr.Models {
		for _, workers := range []int{1, 2, 4 * runtime.GOMAXPROCS(0)} {
			t.Run(fmt.Sprintf("dispatch=%s/workers=%d", m.Name, workers), func(t *testing.T) {
				beats := make([]int, workers)
				c := Config{Workers: workers, Segments: 2000, Flows: 5, Seed: seed, Beat: func(worker int) { beats[worker]++ }}
				if err := Torture(m, c); err != nil {
					t.Error(err)
				}
				if slices.Contains(beats, 0) {
					t.Errorf("beats %v", beats)
				}
			})
		}
	}
}

// A bust does something else than call the handler with the batch.
type bust func(h []netisr.Handler, i int, segs []*pcbinfo.Segment)

func (b bust) model() netisr.Model {
	return netisr.Model{Name: "direct", New: func(h []netisr.Handler) []netisr.Dispatcher {
		ds := make([]netisr.Dispatcher, len(h))
		for i := range ds {
			ds[i] = busted{b, h, i}
		}
		return ds
	}}
}

type busted struct {
	bust bust
	h    []netisr.Handler
	i    int
}

func (b busted) Dispatch(segs []*pcbinfo.Segment) { b.bust(b.h, b.i, segs) }

// TestTortureFindsBusted: a torture that is silent on these says nothing by its silence on the others.
func TestTortureFindsBusted(t *testing.T) {
	var calls atomic.Int64
	for _, b := range []struct {
		name, want string
		bust       bust
	}{
		{"loses a batch", oracle.Conservation, func(h []netisr.Handler, i int, segs []*pcbinfo.Segment) {
			if calls.Add(1)%100 != 0 {
				h[i](segs)
			}
		}},
		{"loses the last", oracle.Conservation, func(h []netisr.Handler, i int, segs []*pcbinfo.Segment) {
			h[i](segs[:max(0, len(segs)-1)])
		}},
		{"repeats", oracle.Conservation, func(h []netisr.Handler, i int, segs []*pcbinfo.Segment) {
			h[i](segs)
			h[i](segs)
		}},
		{"replaces", oracle.Order, func(h []netisr.Handler, i int, segs []*pcbinfo.Segment) {
			if len(segs) > 1 {
				segs[1] = segs[0]
			}
			h[i](segs)
		}},
		{"reorders", oracle.Order, func(h []netisr.Handler, i int, segs []*pcbinfo.Segment) {
			slices.Reverse(segs)
			h[i](segs)
		}},
		{"copies and changes", oracle.Conservation, func(h []netisr.Handler, i int, segs []*pcbinfo.Segment) {
			for k, seg := range segs {
				c := *seg
				c.Len++
				segs[k] = &c
			}
			h[i](segs)
		}},
		{"elsewhere", oracle.Conservation, func(h []netisr.Handler, i int, segs []*pcbinfo.Segment) {
			done := make(chan bool)
			go func() { h[i](segs); close(done) }()
			<-done
		}},
	} {
		t.Run(b.name, func(t *testing.T) {
			c := Config{Workers: 2, Segments: 2000, Flows: 3, Seed: uint64(time.Now().UnixNano()), Patience: 100 * time.Millisecond}
			if err := Torture(b.bust.model(), c); oracle.Of(err) != b.want {
				t.Errorf("seed %d: found by %s, want %s: %v", c.Seed, oracle.Of(err), b.want, err)
			}
		})
	}
}

// TestExclusion: a handler with two callers at a time is seen.
func TestExclusion(t *testing.T) {
	var h handler
	h.busy.Store(true)
	if err := oracle.Guard(func() error { h.handle(nil); return nil }); oracle.Of(err) != oracle.Exclusion {
		t.Error(err)
	}
}

// TestDirectGivesNoOrderBetweenContexts pins what direct does not promise: two contexts that send one flow by turns have it handled in two
// places, and what either of them handles first is up to the scheduler. Here the first context stands still inside its handler, and the
// flow's second segment overtakes the first.
func TestDirectGivesNoOrderBetweenContexts(t *testing.T) {
	m, err := netisr.Find("direct")
	if err != nil {
		t.Fatal(err)
	}
	entered, overtaken := make(chan bool), make(chan bool)
	var order []uint32 // ordered by the channels
	ds := m.New([]netisr.Handler{
		func(segs []*pcbinfo.Segment) { close(entered); <-overtaken; order = append(order, segs[0].Seq) },
		func(segs []*pcbinfo.Segment) { order = append(order, segs[0].Seq); close(overtaken) },
	})
	done := make(chan bool)
	go func() { ds[0].Dispatch([]*pcbinfo.Segment{{FlowID: 1, Seq: 1}}); close(done) }()
	<-entered
	ds[1].Dispatch([]*pcbinfo.Segment{{FlowID: 1, Seq: 2}})
	<-done
	if !slices.Equal(order, []uint32{2, 1}) {
		t.Errorf("handled in the order %v", order)
	}
}
