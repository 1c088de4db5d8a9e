package smrtest

import (
	"fmt"
	"strings"
	"sync/atomic"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// recycles says of each kind whether memory may be reused, again, so that the torture does not believe what the code under torture says.
var recycles = map[string]bool{"gus": true, "epoch": true, "qsbr": true, "gc": false}

// leave ends a section after which its cpu has nothing to do.
func leave(d smr.Domain, cpu int) {
	d.Exit(cpu)
	d.Offline(cpu)
}

// alone makes one call after another, so that what each must return is known.
func alone(kind smr.Kind, c Config) error {
	want, known := recycles[kind.Name]
	if !known {
		panic("smrtest: kind " + kind.Name + " is not in the list")
	}
	if got := kind.New(1).Recycles(); got != want {
		return oracle.Violated(oracle.Grace, "Recycles is %v", got)
	}
	if !want {
		return collected(kind.New(c.Readers))
	}
	for _, cpus := range []int{1, 2, 3, c.Readers} {
		for cpu := range cpus {
			if err := holdsUp(kind.New(cpus), cpus, cpu); err != nil {
				return fmt.Errorf("%d cpus: %w", cpus, err)
			}
		}
	}
	if err := relay(kind.New(2)); err != nil {
		return err
	}
	if err := burst(kind.New(1), c); err != nil {
		return err
	}
	if err := waits(kind.New(2), c); err != nil {
		return err
	}
	return misuse(kind)
}

// collected: where memory is never reused by hand, nobody waits for a section, not even within one's own.
func collected(d smr.Domain) error {
	d.Enter(0)
	defer d.Exit(0)
	for range 3 {
		goal := d.Advance()
		if !d.Poll(goal) {
			return oracle.Violated(oracle.Grace, "goal %d waits for a section", goal)
		}
		d.Wait(goal)
	}
	return nil
}

// holdsUp: a section of cpu holds up every goal that is advanced to within it, whoever else comes and goes, and none but these;
// all pass when it is over. Twice over, so that the second section finds the domain as the first left it.
func holdsUp(d smr.Domain, cpus, cpu int) error {
	var calls calls
	for range 2 {
		before := calls.advance(d)
		if !calls.poll(d, before) {
			return oracle.Violated(oracle.Grace, "no section is open, and goal %d does not pass", before)
		}
		d.Enter(cpu)
		var within []smr.Seq
		for range 3 {
			for other := range cpus {
				within = append(within, calls.advance(d))
				if other != cpu {
					d.Enter(other)
					within = append(within, calls.advance(d))
					leave(d, other)
				}
				for _, goal := range []smr.Seq{within[0], within[len(within)-1]} {
					if calls.poll(d, goal) {
						return oracle.Violated(oracle.Reclaim, "goal %d passed within the section of cpu %d that advanced to it", goal, cpu)
					}
				}
			}
		}
		if !calls.poll(d, before) {
			return oracle.Violated(oracle.Grace, "goal %d had passed and has not any more", before)
		}
		leave(d, cpu)
		for _, goal := range within {
			if !calls.ends(d, goal) {
				return oracle.Violated(oracle.Grace, "no section is open, and goal %d does not pass", goal)
			}
		}
	}
	return calls.check(d)
}

// relay: readers that come and go without a gap do not hold up a goal for long. The next enters before the last has left, and once that has
// happened twice, all sections that are open began when no section that is older than the goal was open any more.
func relay(d smr.Domain) error {
	var calls calls
	d.Enter(0)
	for range 4 {
		goal := calls.advance(d)
		if calls.poll(d, goal) {
			return oracle.Violated(oracle.Reclaim, "goal %d passed within a section open since before it", goal)
		}
		d.Enter(1)
		d.Exit(0)
		calls.poll(d, goal) // a try, to get on with the work
		d.Enter(0)
		d.Exit(1)
		if !calls.poll(d, goal) {
			return oracle.Violated(oracle.Grace, "goal %d is held up by a section that began when none was open that is older than the goal", goal)
		}
	}
	leave(d, 0)
	d.Offline(1)
	return calls.check(d)
}

// burst: no call that changes a count gets lost, however many there are at a time.
func burst(d smr.Domain, c Config) error {
	team := crew.Crew{Patience: c.Patience}
	all := make([]calls, c.Readers+c.Writers)
	d.Enter(0)
	for i := range all {
		team.Go(func() error {
			var mine calls
			for range 200 {
				if goal := mine.advance(d); mine.poll(d, goal) {
					return oracle.Violated(oracle.Reclaim, "goal %d passed within a section open since before it", goal)
				}
			}
			all[i] = mine
			return nil
		})
	}
	if err := team.Join(); err != nil {
		return err
	}
	leave(d, 0)
	var sum calls
	for _, c := range all {
		sum.add(c)
	}
	return sum.check(d)
}

// waits: Wait returns when the section is over and not before.
func waits(d smr.Domain, c Config) error {
	team := crew.Crew{Patience: c.Patience}
	var open, returned atomic.Bool
	d.Enter(1)
	open.Store(true)
	goal := d.Advance()
	team.Go(func() error {
		d.Wait(goal)
		returned.Store(true)
		if open.Load() {
			return oracle.Violated(oracle.Reclaim, "Wait(%d) returned within the section that advanced to it", goal)
		}
		return nil
	})
	looks := 0
	team.Until(func() bool { looks++; return looks > 200 })
	open.Store(false)
	leave(d, 1)
	if !team.Until(returned.Load) {
		return oracle.Violated(oracle.Grace, "no section is open, and Wait(%d) does not return", goal)
	}
	return team.Join()
}

// misuse: sections that nest or end twice panic.
func misuse(kind smr.Kind) error {
	return mustPanic(func() smr.Domain { return kind.New(2) }, map[string]func(d smr.Domain){
		"Exit outside of a section": func(d smr.Domain) { d.Exit(1) },
		"Exit twice":                func(d smr.Domain) { d.Enter(1); d.Exit(1); d.Exit(1) },
		"Enter within a section":    func(d smr.Domain) { d.Enter(1); d.Enter(1) },
		"Poll of a goal to come":    func(d smr.Domain) { d.Poll(d.Advance() + 10) },
	})
}

func mustPanic[D any](open func() D, misuses map[string]func(d D)) error {
	for what, f := range misuses {
		if !panics(func() { f(open()) }) {
			return oracle.Violated(oracle.Answer, "%s does not panic", what)
		}
	}
	return nil
}

// panics reports whether f panics in the manner of package smr.
func panics(f func()) (yes bool) {
	defer func() {
		text, _ := recover().(string)
		yes = strings.HasPrefix(text, "smr: ")
	}()
	f()
	return false
}
