package schedule

import (
	"fmt"
	"strings"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
)

// A lockProgram is what workers do with a lock, a string for each of them and a letter for each section:
//
//	W exclusive    T exclusive if TryLock takes it    V exclusive, on another lock with the same node
//	R shared       S shared if TryRLock takes it
//	C exclusive, by whoever has the lock
//	U shared, then exclusive if TryUpgrade succeeds    D exclusive, then shared
type lockProgram struct {
	name    string
	shared  bool // for locks that readers share only
	do      bool // for locks that are Delegators only
	workers []string
}

var lockPrograms = []lockProgram{
	{"two", false, false, []string{"WW", "WW"}},
	{"three", false, false, []string{"W", "W", "W"}},
	{"four", false, false, []string{"W", "W", "W", "W"}},
	{"again", false, false, []string{"WW", "W", "W"}},
	{"try", false, false, []string{"TW", "WT"}},
	{"try-queue", false, false, []string{"WTW", "WW", "W"}},
	{"two-locks", false, false, []string{"WV", "VW"}},
	{"readers", true, false, []string{"R", "RR", "W"}},
	{"writers", true, false, []string{"R", "W", "W"}},
	{"both", true, false, []string{"R", "R", "W", "W"}},
	{"delegate", false, true, []string{"C", "C"}},
	{"delegate-again", false, true, []string{"CC", "C"}},
	{"delegate-three", false, true, []string{"C", "C", "C"}},
	{"delegate-lock", false, true, []string{"C", "W", "T"}},
	{"try-shared", true, false, []string{"S", "WS", "R"}},
	{"upgrade", true, false, []string{"U", "U", "R"}},
	{"upgrade-write", true, false, []string{"U", "R", "W"}},
	{"downgrade", true, false, []string{"D", "R", "W"}},
	{"upgrade-downgrade", true, false, []string{"UD", "DU"}},
}

// Refused are the locks that a simulation cannot run, with the reason.
var Refused = map[string]string{
	"mutex":   "the Go runtime lets its waiters sleep, which a simulation does not see",
	"rwmutex": "the Go runtime lets its waiters sleep, which a simulation does not see",
}

// lockSubjects are all programs for every lock. A lock that spins without end is left out: where time does not pass it is the one that yields.
func lockSubjects() (list []Subject) {
	for _, spec := range locks.Specs() {
		if spec.Policy() == locks.Spin || Refused[spec.Kind().Name] != "" {
			continue
		}
		for _, p := range lockPrograms {
			if p.shared && !spec.Kind().Shared || p.do && !delegates(spec) || spec.Kind().Workers != 0 && len(p.workers) > spec.Kind().Workers {
				continue
			}
			list = append(list, lockSubject("locks/"+spec.String()+"/"+p.name, p, func() (locks.RWLock, error) {
				return spec.NewRW(len(p.workers))
			}))
		}
	}
	return list
}

func delegates(spec locks.Spec) bool {
	l, err := spec.New(1)
	_, ok := l.(locks.Delegator)
	return ok && err == nil
}

func lockSubject(name string, p lockProgram, open func() (locks.RWLock, error)) Subject {
	return Subject{Name: name, Doc: strings.Join(p.workers, " | "), New: func() (t Trial, err error) {
		var of [2]guarded
		for i := range of {
			if of[i].l, err = open(); err != nil {
				return t, err
			}
		}
		for _, program := range p.workers {
			w := &lockWorker{first: &of[0], second: &of[1]}
			t.Workers = append(t.Workers, func() error { return w.run(program) })
		}
		t.Rest = func() error {
			for i := range of {
				if err := of[i].atRest(); err != nil {
					return err
				}
			}
			return nil
		}
		return t, nil
	}}
}

// guarded is a lock and who is in its sections.
type guarded struct {
	l                locks.RWLock
	writers, readers int
	began, ended     int // exclusive sections
}

// write is an exclusive section.
func (g *guarded) write() error {
	g.writers++
	g.began++
	probe.Work(1)
	if g.writers != 1 || g.readers != 0 {
		return oracle.Violated(oracle.Exclusion, "an exclusive section meets %d writers and %d readers", g.writers-1, g.readers)
	}
	g.writers--
	g.ended++
	return nil
}

// read is a shared section.
func (g *guarded) read() error {
	g.readers++
	began := g.began
	probe.Work(1)
	if g.writers != 0 || g.began != began {
		return oracle.Violated(oracle.Exclusion, "a shared section meets %d writers", g.began-began+g.writers)
	}
	g.readers--
	return nil
}

// atRest wants the lock free.
func (g *guarded) atRest() error {
	var n locks.Node
	if g.readers != 0 || g.writers != 0 || g.began != g.ended {
		return oracle.Violated(oracle.Exclusion, "%d readers and %d writers are left, %d of %d sections ended", g.readers, g.writers, g.ended, g.began)
	}
	if !g.l.TryRLock(&n) {
		return oracle.Violated(oracle.Progress, "when all are done, the lock cannot be taken shared")
	}
	g.l.RUnlock(&n)
	if !g.l.TryLock(&n) {
		return oracle.Violated(oracle.Progress, "when all are done, the lock cannot be taken exclusively")
	}
	g.l.Unlock(&n)
	return nil
}

type lockWorker struct {
	first, second *guarded
	node          locks.Node
}

func (w *lockWorker) run(program string) error {
	for _, op := range program {
		if err := w.section(op); err != nil {
			return err
		}
	}
	return nil
}

func (w *lockWorker) section(op rune) (err error) {
	g, n := w.first, &w.node
	switch op {
	case 'V':
		g = w.second
		fallthrough
	case 'W':
		g.l.Lock(n)
		err = g.write()
		g.l.Unlock(n)
	case 'C':
		locks.Do(g.l, n, func() { err = g.write() })
	case 'T':
		if g.l.TryLock(n) {
			err = g.write()
			g.l.Unlock(n)
		}
	case 'R':
		g.l.RLock(n)
		err = g.read()
		g.l.RUnlock(n)
	case 'S':
		if g.l.TryRLock(n) {
			err = g.read()
			g.l.RUnlock(n)
		}
	case 'U':
		g.l.RLock(n)
		if err = g.read(); err != nil {
			return err
		}
		if !g.l.TryUpgrade(n) {
			err = g.read()
			g.l.RUnlock(n)
			return err
		}
		err = g.write()
		g.l.Unlock(n)
	case 'D':
		g.l.Lock(n)
		if err = g.write(); err != nil {
			return err
		}
		g.l.Downgrade(n)
		err = g.read()
		g.l.RUnlock(n)
	default:
		panic(fmt.Sprintf("schedule: no section %q", op))
	}
	return err
}
