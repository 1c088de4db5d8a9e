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
