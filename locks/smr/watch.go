package smr

import "pcbbench/locks/witness"

// watch has d report its sections to the witness, in builds that have one.
func watch(d Domain) Domain {
	if !witness.Enabled {
		return d
	}
	return &watched{d}
}

type watched struct{ Domain }

func (w *watched) Enter(cpu int) {
	w.Domain.Enter(cpu)
	witness.EnterSection(w, cpu)
}

func (w *watched) Exit(cpu int) {
	witness.ExitSection(w, cpu)
	w.Domain.Exit(cpu)
}

func (w *watched) Wait(goal Seq) {
	witness.WaitSections()
	w.Domain.Wait(goal)
}

// watchObjects is watch for walks: who waits for a lock while he protects a block keeps it from being free.
func watchObjects(d Objects) Objects {
	if !witness.Enabled {
		return d
	}
	return &watchedObjects{d}
}

type watchedObjects struct{ Objects }

func (w *watchedObjects) Enter(cpu int) {
	w.Objects.Enter(cpu)
	witness.EnterSection(w, cpu)
}

func (w *watchedObjects) Exit(cpu int) {
	witness.ExitSection(w, cpu)
	w.Objects.Exit(cpu)
}
