package pcbinfo

import (
	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
)

// guard.go: what torture builds hold every scheme to while it runs, at the steps that all of them come through. Nothing of it is left
// in other builds: probe.Enabled is a constant.

// aloneUser is more than there can be readers.
const aloneUser = 1 << 20

// begin notes that the caller uses inp, by itself or beside other readers, and panics with a Violation if the scheme has let it in beside
// somebody it excludes, or handed it an inpcb that is not in use for inc (nil: for anything). It returns which life of the memory this
// is. The probe in between gives whoever should be kept out a chance to come in.
func (inp *Inpcb) begin(inc *ConnInfo, alone bool) (gen uint32) {
	n := int32(1)
	if alone {
		n = aloneUser
	}
	if was := inp.users.Add(n) - n; was != 0 && (alone || was >= aloneUser) {
		panic(oracle.Violated(oracle.Exclusion, "%v is used by two at once, alone %v", inp.inc, alone))
	}
	probe.Work(0)
	inp.inUse(inc)
	return inp.gen
}

// end takes begin's mark off.
func (inp *Inpcb) end(gen uint32, alone bool) {
	probe.Work(0)
	if inp.gen != gen || inp.refs.Load() < 1 {
		panic(oracle.Violated(oracle.Key, "%v: life %d, with %d references, became life %d under its user",
			inp.inc, gen, inp.refs.Load(), inp.gen))
	}
	n := int32(1)
	if alone {
		n = aloneUser
	}
	if inp.users.Add(-n) < 0 {
		panic(oracle.Violated(oracle.Exclusion, "%v was used by two at once", inp.inc))
	}
}

func (inp *Inpcb) inUse(inc *ConnInfo) {
	switch {
	case inc != nil && inp.inc != *inc:
		panic(oracle.Violated(oracle.Key, "asked for %v and got %v", *inc, inp.inc))
	case inp.is(inpDropped | inpFreed):
		panic(oracle.Violated(oracle.Gone, "%v in %v is used after it was dropped (flags %d)", inp.inc, inp.tp.state, inp.flags))
	case inp.tp.state == Closed || inp.tp.state >= numStates:
		panic(oracle.Violated(oracle.Key, "%v is used in state %v", inp.inc, inp.tp.state))
	case inp.refs.Load() < 1:
		panic(oracle.Violated(oracle.Key, "%v is used with %d references", inp.inc, inp.refs.Load()))
	}
}

// named is what inc names as a user's: a listener has no foreign end.
func (inc *ConnInfo) named() *ConnInfo {
	if inc.Fport == 0 {
		return &ConnInfo{Laddr: inc.Laddr, Lport: inc.Lport}
	}
	return inc
}
