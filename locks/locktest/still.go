package locktest

import (
	"fmt"
	"strings"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// still makes one call after another, so that what each must answer is known. Three workers take turns, of which each has a node.
func (s *stage) still() error {
	l, p := s.l(), s.p
	n := nodes(3)
	a, b, c := n[0], n[1], n[2]
	none := func(when string) { // nobody but a holds the lock, and nobody else gets it
		must(false, l.TryLock(b), "TryLock while %s", when)
	}
	alone := func(when string) {
		if p.workers == 1 { // nobody else is to be refused
			return
		}
		none(when)
		must(false, l.TryRLock(b), "TryRLock while %s", when)
	}
	shared := func(when string) { // a holds it shared
		if p.workers == 1 {
			return
		}
		none(when)
		if second := l.TryRLock(b); second {
			must(p.shared, true, "TryRLock while %s", when)
			must(false, l.TryUpgrade(a), "TryUpgrade of the first of two readers")
			must(false, l.TryUpgrade(b), "TryUpgrade of the second of two readers")
			must(false, l.TryLock(c), "TryLock past two readers")
			l.RUnlock(b)
		} else {
			must(p.shared, false, "TryRLock while %s", when)
		}
		none(when + ", after another reader has left")
	}

	free := func() {
		must(true, l.TryLock(a), "TryLock of a free lock")
		alone("held by TryLock")
		l.Unlock(a)
	}

	free()
	l.Lock(a)
	alone("held")
	l.Unlock(a)

	free()
	l.RLock(a)
	shared("shared")
	upgraded := l.TryUpgrade(a)
	must(p.upgrades, upgraded, "TryUpgrade of the only reader")
	if upgraded {
		alone("upgraded")
		l.Unlock(a)
	} else {
		shared("not upgraded")
		l.RUnlock(a)
	}

	free()
	must(true, l.TryRLock(a), "TryRLock of a free lock")
	shared("shared by TryRLock")
	l.RUnlock(a)

	free()
	l.Lock(a)
	l.Downgrade(a)
	if p.downgrades || !p.shared {
		shared("downgraded")
		must(p.upgrades, l.TryUpgrade(a), "TryUpgrade after Downgrade")
		l.Downgrade(a)
		shared("downgraded again")
	} else {
		alone("downgraded by a kind that stays exclusive")
	}
	l.RUnlock(a)
	free()
	return nil
}

// misuse of a lock that panics when misused. The others are undefined or end the process. Each case takes new locks, as it breaks them.
func misuse(spec locks.Spec) error {
	n := nodes(2)
	own, other := n[0], n[1]
	free := func(locks.RWLock) {}
	shared := func(l locks.RWLock) { l.RLock(own) }
	held := func(l locks.RWLock) { l.Lock(own) }
	waited := func(l locks.RWLock) { // left by another
		l.Lock(own)
		l.Downgrade(own)
		l.RUnlock(own)
	}
	type abuse struct {
		what   string
		before func(l locks.RWLock)
		misuse func(l locks.RWLock)
	}
	unlock := abuse{"Unlock of a free lock", free, func(l locks.RWLock) { l.Unlock(own) }}
	left := abuse{"Unlock of a lock that was left", waited, func(l locks.RWLock) { l.Unlock(own) }}
	queued := []abuse{unlock, left,
		{"Unlock with another node than locked it", held, func(l locks.RWLock) { l.Unlock(other) }},
		{"Lock with a node in use", held, func(l locks.RWLock) { l.Lock(own) }},
		{"TryLock with a node in use", held, func(l locks.RWLock) { l.TryLock(own) }},
	}
	for _, a := range map[string][]abuse{
		"mtx":  {unlock, left},
		"ttas": {unlock, left},
		"mcs":  queued,
		"rw": {unlock, left,
			{"Unlock of a shared lock", shared, func(l locks.RWLock) { l.Unlock(own) }},
			{"RUnlock of a free lock", free, func(l locks.RWLock) { l.RUnlock(own) }},
			{"RUnlock of a lock held exclusively", held, func(l locks.RWLock) { l.RUnlock(own) }},
			{"TryUpgrade of a free lock", free, func(l locks.RWLock) { l.TryUpgrade(own) }},
			{"TryUpgrade of a lock held exclusively", held, func(l locks.RWLock) { l.TryUpgrade(own) }},
			{"Downgrade of a free lock", free, func(l locks.RWLock) { l.Downgrade(own) }},
			{"Downgrade of a shared lock", shared, func(l locks.RWLock) { l.Downgrade(own) }},
		},
		"combiner":      {unlock, left},
		"reciprocating": queued, "malthusian": queued, "cna": queued,
		"tas":         {unlock, left},
		"partitioned": {unlock, left},
		"clh":         queued,
		"hemlock":     queued,
	}[spec.Kind().Name] {
		l := made(spec, 1)
		*own, *other = locks.Node{}, locks.Node{}
		a.before(l)
		if said := panics(func() { a.misuse(l) }); !strings.HasPrefix(said, "locks: ") {
			return oracle.Violated(oracle.Answer, "%s: panic %q, want one of package locks", a.what, said)
		}
	}
	return nil
}

// panics returns what f says in its panic, if it does.
func panics(f func()) (said string) {
	defer func() {
		if p := recover(); p != nil {
			said = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}
