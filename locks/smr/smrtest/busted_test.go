package smrtest_test

import (
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// busted are domains with one fault each: bust makes one of a good domain of that many cpus.
var busted = []struct {
	name string
	want string // the oracle
	bust func(d smr.Domain, cpus int) smr.Domain
}{
	{"never waits", oracle.Reclaim, func(d smr.Domain, _ int) smr.Domain { return neverWaits{d} }},
	{"never announces", oracle.Reclaim, func(d smr.Domain, _ int) smr.Domain { return neverAnnounces{d} }},
	{"one short", oracle.Reclaim, func(d smr.Domain, _ int) smr.Domain { return oneShort{d} }},
	{"no advance", oracle.Reclaim, func(d smr.Domain, _ int) smr.Domain { return noAdvance{d} }},
	{"skips first", oracle.Reclaim, func(d smr.Domain, cpus int) smr.Domain { return &skips{d, smr.Kinds[0].New(cpus), 0} }},
	{"skips last", oracle.Reclaim, func(d smr.Domain, cpus int) smr.Domain { return &skips{d, smr.Kinds[0].New(cpus), cpus - 1} }},
	{"now and then too early", oracle.Reclaim, func(d smr.Domain, _ int) smr.Domain { return &nowAndThen{Domain: d} }},
	{"waits not", oracle.Reclaim, func(d smr.Domain, _ int) smr.Domain { return waitsNot{d} }},
	{"announces late", oracle.Reclaim, func(d smr.Domain, cpus int) smr.Domain { return &late{d, make([]int, cpus)} }},
	{"never ends", oracle.Grace, func(d smr.Domain, _ int) smr.Domain { return neverEnds{d} }},
	{"forgets", oracle.Grace, func(d smr.Domain, _ int) smr.Domain { return &forgets{Domain: d} }},
	{"held up by all", oracle.Grace, func(d smr.Domain, _ int) smr.Domain { return &heldUp{Domain: d} }},
	{"exit forgotten", "smr panic", func(d smr.Domain, _ int) smr.Domain { return &noExit{Domain: d} }},
	{"counts nothing", oracle.Conservation, func(d smr.Domain, _ int) smr.Domain { return countsNothing{d} }},
	{"counts observed only", oracle.Conservation, func(d smr.Domain, _ int) smr.Domain { return overcounts{d} }},
	{"recycles not", oracle.Grace, func(d smr.Domain, _ int) smr.Domain { return recyclesNot{d} }},
}

type neverWaits struct{ smr.Domain }

func (neverWaits) Poll(smr.Seq) bool { return true }

type neverAnnounces struct{ smr.Domain }

func (neverAnnounces) Enter(int) {}
func (neverAnnounces) Exit(int)  {}

// oneShort takes a goal for passed when the one before it is.
type oneShort struct{ smr.Domain }

func (d oneShort) Poll(goal smr.Seq) bool { return d.Domain.Poll(goal - 1) }

// noAdvance returns the goal of the Advance before.
type noAdvance struct{ smr.Domain }

func (d noAdvance) Advance() smr.Seq { return d.Domain.Advance() - 1 }

// skips keeps one cpu's sections where no poll looks.
type skips struct {
	smr.Domain
	unseen smr.Domain
	cpu    int
}

func (d *skips) of(cpu int) smr.Domain {
	if cpu == d.cpu {
		return d.unseen
	}
	return d.Domain
}

func (d *skips) Enter(cpu int) { d.of(cpu).Enter(cpu) }
func (d *skips) Exit(cpu int)  { d.of(cpu).Exit(cpu) }

// nowAndThen lets one poll in a thousand pass, and then what lies before its goal.
type nowAndThen struct {
	smr.Domain
	polls, passed atomic.Uint64
}

func (d *nowAndThen) Poll(goal smr.Seq) bool {
	if d.polls.Add(1)%1000 == 0 {
		d.passed.Store(max(d.passed.Load(), uint64(goal)))
	}
	return uint64(goal) <= d.passed.Load() || d.Domain.Poll(goal)
}

type waitsNot struct{ smr.Domain }

func (waitsNot) Wait(smr.Seq) {}

// late announces every 16th section only when it is over.
type late struct {
	smr.Domain
	sections []int
}

func (d *late) Enter(cpu int) {
	if d.sections[cpu]++; d.sections[cpu]%16 != 15 {
		d.Domain.Enter(cpu)
	}
}

func (d *late) Exit(cpu int) {
	if d.sections[cpu]%16 == 15 {
		d.Domain.Enter(cpu)
	}
	d.Domain.Exit(cpu)
}

type neverEnds struct{ smr.Domain }

func (neverEnds) Poll(smr.Seq) bool { return false }

// forgets does not let a goal pass any more when another has passed since.
type forgets struct {
	smr.Domain
	last atomic.Uint64
}

func (d *forgets) Poll(goal smr.Seq) bool {
	if uint64(goal) < d.last.Load() || !d.Domain.Poll(goal) {
		return false
	}
	d.last.Store(uint64(goal))
	return true
}

// heldUp lets nothing pass while anybody is inside.
type heldUp struct {
	smr.Domain
	inside atomic.Int32
}

func (d *heldUp) Enter(cpu int)          { d.inside.Add(1); d.Domain.Enter(cpu) }
func (d *heldUp) Exit(cpu int)           { d.Domain.Exit(cpu); d.inside.Add(-1) }
func (d *heldUp) Poll(goal smr.Seq) bool { return d.inside.Load() == 0 && d.Domain.Poll(goal) }

// noExit forgets the 100th.
type noExit struct {
	smr.Domain
	exits atomic.Uint64
}

func (d *noExit) Exit(cpu int) {
	if d.exits.Add(1) != 100 {
		d.Domain.Exit(cpu)
	}
}

type countsNothing struct{ smr.Domain }

func (countsNothing) Stats() smr.Stats { return smr.Stats{} }

// overcounts finds more to be over than began.
type overcounts struct{ smr.Domain }

func (d overcounts) Stats() smr.Stats {
	s := d.Domain.Stats()
	s.Observed = s.Advances + 1
	return s
}

type recyclesNot struct{ smr.Domain }

func (recyclesNot) Recycles() bool { return false }
