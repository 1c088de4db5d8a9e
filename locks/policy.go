package locks

import (
	"fmt"
	"math"
	"runtime"
	"strings"

	"pcbbench/locks/probe"
)

// A Policy is what a waiter does with its CPU.
type Policy uint8

const (
	// Spin polls until it is served. It reacts fastest and is ruined by a holder without a CPU.
	Spin Policy = iota
	// SpinYield polls for a microsecond, then lets other goroutines run between two polls.
	SpinYield
	// SpinPark polls for as long as that may pay, then sleeps until it is woken.
	SpinPark
)

var policyNames = [...]string{Spin: "spin", SpinYield: "spin-yield", SpinPark: "spin-park"}

func (p Policy) String() string { return policyNames[p] }

// ParsePolicy reads what String writes.
func ParsePolicy(text string) (Policy, error) {
	for p, name := range policyNames {
		if text == name {
			return Policy(p), nil
		}
	}
	return 0, fmt.Errorf("unknown policy %q: want %s", text, strings.Join(policyNames[:], ", "))
}

// Limits of a wait, in ns because a PAUSE takes from 10 to 140 cycles by machine.
const (
	yieldAfter = 1_000 // a few times the 120 ns that a Gosched takes when nobody else wants the CPU
	// parkAfter is about what parking and being woken costs: who spins for as long as that before parking
	// pays at most twice what he would who knew the future (Karlin et al., SOSP 1991).
	parkAfter = 5_000
	// parkAfterAll bounds a spin that begins again whenever the lock changes hands.
	parkAfterAll = 16 * parkAfter
)

// released is what torture builds do after a lock was let go: whoever wants it may come in before the caller's next step, which may be one too
// late. A simulation switches at that step anyway.
func released() {
	if !probe.Simulating {
		probe.Work(0)
	}
}

// A spin is what is left of one wait's time on the CPU, in polls.
type spin struct {
	polls  int    // before giving up
	all    int    // before giving up although the lock keeps changing hands
	full   int    // polls to begin with
	cycles uint32 // of one poll, see pollTime
}

// newSpin begins a wait. Who would park does not spin at all if that is hopeless: when no other CPU runs
// any goroutine, then not the holder either, and when goroutines queue for this CPU, one of them may be it. In a
// simulation time does not pass: the next turn of a wait comes when something has changed, and who would park does so at once.
func newSpin(p Policy) spin {
	if probe.Simulating {
		return spin{}
	}
	each := poll()
	s := spin{cycles: each.cycles}
	switch {
	case p == Spin:
		s.polls, s.all = math.MaxInt, math.MaxInt
	case p == SpinYield:
		s.polls = int(yieldAfter / each.ns)
		s.all = s.polls
	case canSpin(0):
		s.polls, s.all = int(parkAfter/each.ns), int(parkAfterAll/each.ns)
	}
	s.full = s.polls
	return s
}

// once lets one poll's time pass, or returns false if the spin is used up.
func (s *spin) once() bool {
	if s.polls == 0 || s.all == 0 {
		return false
	}
	s.polls--
	s.all--
	probe.Pause()
	procyield(s.cycles)
	return true
}

// renew notes that the lock changed hands: its holders make progress, so the next may be quick too.
func (s *spin) renew() { s.polls = s.full }

// onceOrYield is once for waiters that never park.
func (s *spin) onceOrYield() {
	if !s.once() {
		probe.Pause()
		runtime.Gosched()
	}
}
