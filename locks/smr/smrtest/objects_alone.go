package smrtest

import (
	"fmt"

	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
)

// aloneObjects makes one call after another, so that what each must return is known.
func aloneObjects(kind smr.Kind, c Config) error {
	for _, cpus := range []int{1, 2, 3, c.Readers} {
		for cpu := range cpus {
			for slot := range smr.Slots {
				s := &single{d: kind.NewObjects(cpus), cpus: cpus}
				if err := s.holds(cpu, slot); err != nil {
					return fmt.Errorf("%d cpus: %w", cpus, err)
				}
			}
		}
	}
	return mustPanic(func() smr.Objects { return kind.NewObjects(2) }, map[string]func(d smr.Objects){
		"Exit outside of a walk":    func(d smr.Objects) { d.Exit(1) },
		"Exit twice":                func(d smr.Objects) { d.Enter(1); d.Exit(1); d.Exit(1) },
		"Enter within a walk":       func(d smr.Objects) { d.Enter(1); d.Enter(1) },
		"Protect outside of a walk": func(d smr.Objects) { d.Protect(1, 0, new(smr.Object)) },
	})
}

// A single is one goroutine's Objects.
type single struct {
	d    smr.Objects
	cpus int
	a, b smr.Object
}

// want asks on all cpus whether a and b are held.
func (s *single) want(when string, a, b bool) error {
	for cpu := range s.cpus {
		s.d.Scan(cpu)
		for _, q := range []struct {
			name string
			o    *smr.Object
			want bool
		}{{"a", &s.a, a}, {"b", &s.b, b}} {
			switch got := s.d.Held(cpu, q.o); {
			case got && !q.want:
				return oracle.Violated(oracle.Grace, "%s: %s is held, says cpu %d", when, q.name, cpu)
			case !got && q.want:
				return oracle.Violated(oracle.Reclaim, "%s: %s is not held, says cpu %d", when, q.name, cpu)
			}
		}
	}
	return nil
}

// holds: a slot holds what was put into it last, until Exit; twice over, so that the second walk finds everything as the first left it.
func (s *single) holds(cpu, slot int) error {
	other := (cpu + 1) % s.cpus
	for range 2 {
		s.d.Enter(cpu)
		steps := []struct {
			when string
			do   func()
			a, b bool
		}{
			{"nothing is protected", func() {}, false, false},
			{"a is protected", func() { s.d.Protect(cpu, slot, &s.a) }, true, false},
			{"a is protected again", func() { s.d.Protect(cpu, slot, &s.a) }, true, false},
			{"b is protected in its place", func() { s.d.Protect(cpu, slot, &s.b) }, false, true},
			{"a is protected in the other slot", func() { s.d.Protect(cpu, smr.Slots-1-slot, &s.a) }, true, true},
			{"a is protected in both", func() { s.d.Protect(cpu, slot, &s.a) }, true, false},
			{"a is protected in one of them still", func() { s.d.Protect(cpu, slot, &s.b) }, true, true},
		}
		for _, step := range steps {
			step.do()
			if err := s.want(step.when, step.a, step.b); err != nil {
				return err
			}
		}
		if other != cpu {
			s.d.Enter(other)
			s.d.Protect(other, slot, &s.a)
		}
		s.d.Exit(cpu)
		if err := s.want("another cpu protects a", other != cpu, false); err != nil {
			return err
		}
		if other != cpu {
			s.d.Exit(other)
		}
		if err := s.want("nobody walks", false, false); err != nil {
			return err
		}
	}
	return nil
}
