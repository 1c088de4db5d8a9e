package pcbtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// linear_check.go: the search for an order, by porcupine (Wing and Gong's algorithm with Lowe's caching), and what is said if there is none.

// linPatience is how long a search may take; most take microseconds.
const linPatience = time.Second

// linModel is linState for porcupine. An event is the whole input: what it was answered is in it.
var linModel = porcupine.Model{
	Init: func() any { return linState{} },
	Step: func(state, event, _ any) (bool, any) {
		s, e := state.(linState), event.(*linEvent)
		said, next := s.apply(e)
		return said == e.said(), next
	},
}

func linOperations(events []linEvent) []porcupine.Operation {
	ops := make([]porcupine.Operation, len(events))
	for i := range events {
		e := &events[i]
		ops[i] = porcupine.Operation{ClientId: e.worker, Input: e, Call: e.call, Return: e.back}
	}
	return ops
}

func linSearch(events []linEvent) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(linModel, linOperations(events), linPatience)
}

// check ends the history of place: it takes what all workers wrote down about it, and looks for an order.
func (w *linWorker) check(place int) error {
	var events []linEvent
	for _, o := range w.workers {
		events = append(events, o.logs[place]...)
		o.logs[place] = o.logs[place][:0]
	}
	sound := linSearch(events)
	missed := false
	if sound == porcupine.Illegal && w.misses {
		// A lookup that answered none has changed nothing: to leave its answer open is to leave it out.
		rest := slices.DeleteFunc(slices.Clone(events), func(e linEvent) bool { return linMiss(&e, events, w.once) })
		missed = len(rest) < len(events)
		events = rest
		sound = linSearch(events)
	}
	switch sound {
	case porcupine.Unknown:
		w.Inconclusive++
		return nil
	case porcupine.Illegal:
		return oracle.Violated(oracle.Linearizable, "%s", linDescribe(events))
	}
	w.Histories++
	if missed {
		w.Missed++
	}
	return nil
}

// linMiss reports whether e is a lookup that Scheme.Misses allows to answer none.
//
// A lookup that loses two races found two inpcbs that were going away. One that loses none looks for the connection first and then for
// listeners. If there was somebody all the time, then, when it looked for the connection, there was a listener, which it did not see: that one
// went, and what stood there afterwards came. Where one race is enough (Scheme.Once), one that fits went.
func linMiss(e *linEvent, events []linEvent, once bool) bool {
	if e.op.kind != opInput || e.said().out != pcbinfo.DropNoPCB {
		return false
	}
	came, went, shut := 0, 0, 0
	for i := range events {
		o := &events[i]
		if o.back < e.call || e.back < o.call {
			continue
		}
		ok := o.said() == linSaid{}
		same := o.at == e.at
		switch o.act {
		case linListen:
			came += count(ok)
		case linShut:
			shut += count(ok)
		case linConnect, linChoose:
			came += count(ok && same)
		case linComplete:
			came += count(same && o.said().out == pcbinfo.GotAccept)
		case linClose, linAbort:
			went += count(ok && same)
		case linReset:
			went += count(same && o.said().out == pcbinfo.GotRst)
		}
	}
	return went+shut >= 2 || shut >= 1 && came >= 1 || went+shut >= 1 && once
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// linDescribe tells of a history without an order: its first part that has none, by the time of the call, with each operation's turn in the
// longest order that porcupine found for some of it. Those that could come next say what would be the answer.
func linDescribe(events []linEvent) string {
	slices.SortFunc(events, func(a, b linEvent) int { return cmp.Compare(a.call, b.call) })
	events = linPrefix(events)
	turn, state := linLongest(events)
	next := int64(math.MaxInt64) // what was called later cannot come next
	for i := range events {
		if turn[i] == 0 {
			next = min(next, events[i].back)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "no order explains these %d operations; the longest is that by turn\n  turn  worker       call to return, ns\n", len(events))
	for i := range events {
		e := &events[i]
		place := "-"
		if turn[i] > 0 {
			place = strconv.Itoa(turn[i])
		}
		fmt.Fprintf(&b, "  %4s  %6d  %9d to %9d  %v", place, e.worker, e.call-events[0].call, e.back-events[0].call, e)
		if turn[i] == 0 && e.call <= next {
			want, _ := state.apply(e)
			fmt.Fprintf(&b, ", but now it were %v", want)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "  after the last turn: listeners %v, four-tuples %v", state.listens, state.lives)
	return b.String()
}

// linPrefix cuts a history, sorted by call, at the first instant at which it has no order already and nothing is under way: what came later
// is not at fault.
func linPrefix(events []linEvent) []linEvent {
	var back int64
	for i := range events {
		if back < events[i].call && linSearch(events[:i]) == porcupine.Illegal {
			return events[:i]
		}
		back = max(back, events[i].back)
	}
	return events
}

// linLongest is the longest order of some of the events that porcupine finds, as each one's turn from 1 on, 0 for those left over, and the
// state after it.
func linLongest(events []linEvent) (turn []int, state linState) {
	_, info := porcupine.CheckOperationsVerbose(linModel, linOperations(events), linPatience)
	var longest []int
	for _, order := range info.PartialLinearizations()[0] {
		if len(order) > len(longest) {
			longest = order
		}
	}
	turn = make([]int, len(events))
	for t, i := range longest {
		turn[i] = t + 1
		_, state = state.apply(&events[i])
	}
	return turn, state
}
