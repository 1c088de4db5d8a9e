//go:build sim

package schedule

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
)

// lockProgramNamed finds one of lockPrograms.
func lockProgramNamed(t *testing.T, name string) lockProgram {
	t.Helper()
	i := slices.IndexFunc(lockPrograms, func(p lockProgram) bool { return p.name == name })
	if i < 0 {
		t.Fatalf("no program %q", name)
	}
	return lockPrograms[i]
}

// bustedLocks, bustedDomains and bustedTable make subjects of the named programs and scenarios.
func bustedLocks(t *testing.T, name, want string, open func() locks.RWLock, programs ...string) (list []busted) {
	for _, p := range programs {
		list = append(list, busted{lockSubject(name+"/"+p, lockProgramNamed(t, p), func() (locks.RWLock, error) { return open(), nil }), want})
	}
	return list
}

func bustedDomains(name string, open func(int) smr.Domain, programs ...string) (list []busted) {
	for _, p := range reclaimPrograms {
		if slices.Contains(programs, p.name) {
			list = append(list, busted{reclaimSubject(name+"/"+p.name, p, open), oracle.Reclaim})
		}
	}
	return list
}

func bustedTable(name string) busted {
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
	sp, err := pcbinfo.ParseSpec("unsync")
	if err != nil {
		panic(err)
	}
	return busted{tableSubject("unsync/"+name, sp, &scenarios[i]), ""}
}

// bustedQueues runs programs that are given as their contexts' words; those of stopsAtOnce end at once.
func bustedQueues(name, want string, f queueFault, programs ...string) (list []busted) {
	for _, text := range programs {
		p := dispatchProgram{cpus: 1, qlimit: 2, atOnce: f == stopsAtOnce, contexts: strings.Split(text, "|")}
		list = append(list, busted{dispatchSubject(name+"/"+text, p, "deferred", newQueue(f), 1), want})
	}
	return list
}

func bustedBells(name string, open func() bell, programs ...string) (list []busted) {
	for _, p := range bellPrograms {
		if slices.Contains(programs, p.name) {
			list = append(list, busted{bellSubject(name+"/"+p.name, p, open), oracle.Progress})
		}
	}
	return list
}

// allBusted is everything that is.
func allBusted(t *testing.T) []busted {
	return slices.Concat(
		bustedLocks(t, "tests, then sets", oracle.Exclusion, func() locks.RWLock { return adapter{&testThenSet{}} }, "two", "three"),
		bustedLocks(t, "loses a wake-up", oracle.Progress, func() locks.RWLock { return adapter{&losesWakeup{}} }, "two", "three"),
		bustedLocks(t, "upgrades blindly", oracle.Exclusion, func() locks.RWLock { return &upgradesBlindly{} }, "upgrade"),
		bustedDomains("grace period skips a reader (E3)", newGUS(skipsFirst), "wait", "poll", "inside"),
		bustedDomains("write sequence read after the scan", newGUS(writeAfterScan), "inside"),
		bustedDomains("goal one short", newGUS(goalShort), "wait", "poll", "inside"),
		bustedDomains("never announces (E1)", newGUS(neverAnnounces), "wait", "poll", "inside"),
		bustedDomains("stale epoch, one-epoch lag (E4)", newEBR(1, false), "wait", "wait-two", "poll", "inside"),
		bustedDomains("zero-epoch lag (E12)", newEBR(0, true), "wait", "wait-two", "poll", "inside"),
		bustedDomains("one-epoch lag (E13)", newEBR(1, true), "wait", "wait-two", "poll", "inside"),
		bustedObjects("the scan looks at one slot a CPU", newHazard(oneSlot), "chain", "middle"),
		bustedObjects("the scan skips a walker", newHazard(skipsFirstCPU), "reuse", "chain", "middle"),
		bustedObjects("protection is published late", newHazard(publishesLate), "reuse", "chain", "middle"),
		bustedQueues("a worker does not look again", oracle.Progress, leavesEarly, "A A", "A|A"),
		bustedQueues("a context beside the worker", oracle.Exclusion, comesBeside, "A|a"),
		bustedQueues("a context before what is queued", oracle.Order, overtakes, "A a"),
		bustedQueues("the queue is taken after the lock", oracle.Progress, takesLate, "A A", "A|A"),
		bustedQueues("a worker stops with packets queued", oracle.Conservation, stopsAtOnce, "A"),
		bustedBells("looks before it says that it sleeps", func() bell { return &looksFirst{} }, "one", "two"),
		[]busted{bustedTable("two-connects"), bustedTable("abort-input"), bustedTable("chain")},
	)
}

// perStrategy is fewer schedules than the default budget gives a subject.
const perStrategy = 2000

// TestFindsBusted runs every strategy on every busted subject. At least one must find the fault, by the oracle that is meant to, and the
// failure must replay: from its minimised schedule to the same text, and from how it was found.
func TestFindsBusted(t *testing.T) {
	for _, b := range allBusted(t) {
		t.Run(b.Name, func(t *testing.T) {
			found := false
			for i := range Strategies {
				rep := Strategies[i].Explore(&b.Subject, 1, Limits{Schedules: perStrategy})
				f := rep.Failure
				t.Logf("%-10s %v after %d schedules", rep.Strategy, f != nil, rep.Schedules)
				if f == nil {
					continue
				}
				found = true
				if b.oracle != "" && f.Oracle != b.oracle {
					t.Errorf("found by %s, want %s: %v", f.Oracle, b.oracle, f)
				}
				checkReplay(t, &b.Subject, f)
			}
			if !found {
				t.Errorf("not found in %d schedules by any strategy", perStrategy)
			}
		})
	}
}

func checkReplay(t *testing.T, s *Subject, f *Failure) {
	t.Helper()
	subjects := []Subject{*s}
	again, err := Replay(subjects, f.Replay())
	if err != nil || again == nil || again.Err.Error() != f.Err.Error() || !slices.Equal(again.Switch, f.Switch) {
		t.Fatalf("replay of %s: %v, %v\nwant %v", f.Replay(), again, err, f)
	}
	again, err = Replay(subjects, s.Name+"@"+f.Found)
	if err != nil || again == nil || again.Oracle != f.Oracle {
		t.Fatalf("replay of %s: %v, %v", f.Found, again, err)
	}
	for i := range f.Schedule { // no switch is too many
		try := slices.Delete(slices.Clone(f.Schedule), i, i+1)
		if r := s.run(try.follow, false); oracle.Of(r.err) == f.Oracle && len(r.schedule) < len(f.Schedule) {
			t.Errorf("%v fails as %v does", try, f.Schedule)
		}
	}
}

// TestSoundOnes: what has no fault passes all that finds the faults.
func TestSoundOnes(t *testing.T) {
	sound := slices.Concat(
		bustedDomains("gus", newGUS(gusSound), "wait", "wait-two", "poll", "inside"),
		bustedDomains("ebr", newEBR(2, true), "wait", "wait-two", "poll", "inside"),
		bustedDomains("ebr, stale", newEBR(2, false), "wait", "wait-two", "poll", "inside"),
		bustedObjects("hazard", newHazard(hazardSound), "reuse", "chain", "middle"),
		bustedQueues("queue", "", soundQueue, "A", "A A", "A|A", "A a|a", "aaa|A"))
	for _, b := range sound {
		for i := range Strategies {
			if rep := Strategies[i].Explore(&b.Subject, 1, Limits{Schedules: perStrategy / 4}); rep.Failure != nil {
				t.Errorf("%v", rep.Failure)
			}
		}
	}
}

// TestSubjectsPass runs a few schedules of everything. make schedules runs many.
func TestSubjectsPass(t *testing.T) {
	c := Campaign{Subjects: Subjects(), Strategies: Strategies, Seed: 1, Schedules: 10}
	n := 0
	c.Run(func(reports []Report) {
		n++
		for _, rep := range reports {
			if rep.Failure != nil {
				t.Errorf("%v", rep.Failure)
			}
		}
	})
	if n != len(c.Subjects) {
		t.Errorf("%d of %d subjects were explored", n, len(c.Subjects))
	}
}

// TestDeterministic runs the same schedules several times, with collections in between: nothing but the schedule may matter.
func TestDeterministic(t *testing.T) {
	for _, s := range Subjects() {
		if !strings.Contains(s.Name, "lost") && !strings.HasPrefix(s.Name, "locks/") && !strings.HasPrefix(s.Name, "smr/") {
			continue
		}
		points := s.run(Schedule(nil).follow, false).points
		for seed := range uint64(5) {
			for _, make := range []func(uint64, int, int) chooser{random, pct} {
				first := s.run(make(seed, s.workers(), points), false)
				for range 2 {
					again := s.run(make(seed, s.workers(), points), false)
					if again.trace != first.trace || again.points != first.points {
						t.Errorf("%s, seed %d: %d points, then %d, by %v and %v", s.Name, seed, first.points, again.points, first.schedule, again.schedule)
					}
				}
				if r := s.run(first.schedule.follow, false); r.trace != first.trace {
					t.Errorf("%s, seed %d: %v does not replay its run", s.Name, seed, first.schedule)
				}
			}
		}
		runtime.GC()
	}
}

// TestExhaustiveCounts compares the search with a count by hand: two workers of 3 points each, whose schedules of at most 2 preemptions
// are those of 1 + 1 runs without, and so on.
func TestExhaustiveCounts(t *testing.T) {
	const points = 3
	s := Subject{Name: "plain", New: func() (Trial, error) {
		w := func() error {
			for range points {
				probe.Work(0)
			}
			return nil
		}
		return Trial{Workers: []func() error{w, w}, Rest: func() error { return nil }}, nil
	}}
	rep := Strategies[0].Explore(&s, 1, Limits{})
	// Sequences of blocks a b a b … of the two workers' 3 steps before a point and the one to the end. One preemption cuts the first worker's
	// run at one of 3 points, and the other then runs to its end: 3. Two cut both: 3·3. And twice as many, as either may begin.
	if want := 2 * (1 + points + points*points); rep.Schedules != want || rep.Distinct != want || !rep.Exhausted {
		t.Errorf("%d schedules, %d distinct, exhausted %v; want %d", rep.Schedules, rep.Distinct, rep.Exhausted, want)
	}
}

// TestReplayErrors: what cannot be replayed is refused.
func TestReplayErrors(t *testing.T) {
	for _, text := range []string{"", "locks/mtx/two", "nothing@none", "locks/mtx/two@1", "locks/mtx/two@pct:x", "locks/mtx/two@other:1", "locks/mtx/two@exhaustive:1"} {
		if f, err := Replay(Subjects(), text); err == nil {
			t.Errorf("%q replays to %v", text, f)
		}
	}
	if f, err := Replay(Subjects(), "locks/mtx/two@pct:1"); f != nil || err != nil {
		t.Errorf("a schedule that keeps all promises replays to %v, %v", f, err)
	}
}

// TestExceptionsAreNeeded holds the exceptions to all orders: one that passes is none any more.
func TestExceptionsAreNeeded(t *testing.T) {
	for _, sc := range scenarios {
		for _, text := range sc.except {
			sp, err := pcbinfo.ParseSpec(text)
			if err != nil {
				t.Fatal(err)
			}
			strict := sc
			strict.except = nil
			s := tableSubject(sc.name, sp, &strict)
			if rep := Strategies[0].Explore(&s, 1, Limits{Schedules: perStrategy}); rep.Failure == nil {
				t.Errorf("%s passes %s: %s need not be its exception", text, sc.name, text)
			}
		}
	}
}

// TestMissesAreNeeded holds each scheme that may miss to orders without a miss, and each that needs but one race to the rules of those that need two: one
// that passes has no need of its exception.
func TestMissesAreNeeded(t *testing.T) {
	for _, sp := range tableSpecs() {
		if !sp.Misses {
			continue
		}
		sp.Misses = false
		checkNeeded(t, "Misses", sp)
		if sp.Once {
			sp.Misses, sp.Once = true, false
			checkNeeded(t, "Once", sp)
		}
	}
}

// checkNeeded explores scenarios in which lookups lose races until one fails.
func checkNeeded(t *testing.T, what string, sp pcbinfo.Spec) {
	t.Helper()
	for i := range scenarios {
		if sc := &scenarios[i]; slices.Contains([]string{"successor", "abort-input", "handover"}, sc.name) {
			s := tableSubject(sc.name, sp, sc)
			if Strategies[0].Explore(&s, 1, Limits{Schedules: perStrategy}).Failure != nil {
				return
			}
		}
	}
	t.Errorf("%v needs no %s in the scenarios in which lookups lose races", sp, what)
}

// TestScenariosStand: before the workers begin everything works, on the reference's table too.
func TestScenariosStand(t *testing.T) {
	sp, err := pcbinfo.ParseSpec("unsync")
	if err != nil {
		t.Fatal(err)
	}
	for i := range scenarios {
		w, err := scenarios[i].world(sp)
		if err != nil {
			t.Errorf("%s: %v", scenarios[i].name, err)
			continue
		}
		if err := w.in.Close(); err != nil {
			t.Errorf("%s: %v", scenarios[i].name, err)
		}
	}
}
