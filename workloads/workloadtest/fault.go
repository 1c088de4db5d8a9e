package workloadtest

import (
	"errors"
	"math"
	"math/rand/v2"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/pcbinfo/pcbtest"
	"pcbbench/workloads"
)

// A view is a table at rest as Check sees it, with one fault.
type view struct {
	pcbinfo.Info
	stats func(*pcbinfo.Stats)
	len   int                                   // beside the truth
	show  func(pcbinfo.Xinpcb) []pcbinfo.Xinpcb // what is met instead of an inpcb; nil: itself
}

func (v view) Stats() pcbinfo.Stats {
	s := v.Info.Stats()
	if v.stats != nil {
		v.stats(&s)
	}
	return s
}

func (v view) Len() int { return v.Info.Len() + v.len }

func (v view) Walk(f func(*pcbinfo.Xinpcb) bool) {
	v.Info.Walk(func(x *pcbinfo.Xinpcb) bool {
		met := []pcbinfo.Xinpcb{*x}
		if v.show != nil {
			met = v.show(*x)
		}
		for i := range met {
			if !f(&met[i]) {
				return false
			}
		}
		return true
	})
}

// of shows instead of each inpcb that fits what change makes of it.
func of(fits func(*pcbinfo.Xinpcb) bool, change func(pcbinfo.Xinpcb) []pcbinfo.Xinpcb) func(pcbinfo.Xinpcb) []pcbinfo.Xinpcb {
	return func(x pcbinfo.Xinpcb) []pcbinfo.Xinpcb {
		if fits(&x) {
			return change(x)
		}
		return []pcbinfo.Xinpcb{x}
	}
}

// checkCheck shows Check the table of s, which it has found right, with one fault after the other: it must report each.
func (s *show) checkCheck(rng *rand.Rand) error {
	if s.rec.replay {
		return nil
	}
	var planned []pcbinfo.Outcome
	since := s.rec.Stats().Since(s.w.Opened())
	for o, n := range since.Outcomes {
		if n > 0 {
			planned = append(planned, pcbinfo.Outcome(o))
		}
	}
	some := planned[rng.IntN(len(planned))]
	other := (some + 1 + pcbinfo.Outcome(rng.IntN(int(pcbinfo.NumOutcomes)-1))) % pcbinfo.NumOutcomes
	victim, port := s.victim(rng), s.rec.ports[rng.IntN(len(s.rec.ports))]
	off := uint32(1 - 2*rng.IntN(2))
	state := [...]pcbinfo.State{pcbinfo.CloseWait, pcbinfo.FinWait1, pcbinfo.SynSent, pcbinfo.TimeWait}[rng.IntN(4)]
	conn := func(x *pcbinfo.Xinpcb) bool { return victim != nil && x.Inc == victim.inc }
	listener := func(x *pcbinfo.Xinpcb) bool { return x.State == pcbinfo.Listen && x.Inc.Lport == port }
	type xs = []pcbinfo.Xinpcb
	none := func(pcbinfo.Xinpcb) xs { return nil }
	stray := func(x pcbinfo.Xinpcb) xs {
		y := x
		y.State, y.Inc.Fport, y.Inc.Faddr = pcbinfo.Established, 7, y.Inc.Laddr
		return xs{x, y}
	}
	faults := []struct {
		what    string
		conn    bool // that there is a victim
		counted bool // CheckCount must see it too
		v       view
	}{
		{"a segment lost", false, true, view{stats: func(st *pcbinfo.Stats) { st.Outcomes[some]-- }}},
		{"a segment counted twice", false, true, view{stats: func(st *pcbinfo.Stats) { st.Outcomes[some]++ }}},
		{"a segment of another outcome", false, false, view{stats: func(st *pcbinfo.Stats) { st.Outcomes[some]--; st.Outcomes[other]++ }}},
		{"a listener gone", false, false, view{len: -1, show: of(listener, none)}},
		{"a connection left behind", false, false, view{len: 1, show: of(listener, stray)}},
		{"a count off by one", false, false, view{len: int(int32(off))}},
		{"a connection gone", true, false, view{len: -1, show: of(conn, none)}},
		{"a connection there twice", true, false, view{len: 1, show: of(conn, func(x pcbinfo.Xinpcb) xs { return xs{x, x} })}},
		{"a connection in another state", true, false, view{show: of(conn, func(x pcbinfo.Xinpcb) xs { x.State = state; return xs{x} })}},
		{"rcv_nxt off by one", true, false, view{show: of(conn, func(x pcbinfo.Xinpcb) xs { x.RcvNxt += off; return xs{x} })}},
		{"snd_nxt off by one", true, false, view{show: of(conn, func(x pcbinfo.Xinpcb) xs { x.SndNxt += off; return xs{x} })}},
	}
	for _, f := range faults {
		f.v.Info = s.rec
		if f.conn && victim == nil {
			continue
		}
		if s.w.Check(f.v, s.ds) == nil {
			return oracle.Violated(oracle.Measure, "Check does not report %s", f.what)
		}
		if err := s.w.CheckCount(f.v, s.ds); (err != nil) != f.counted {
			return oracle.Violated(oracle.Measure, "of %s CheckCount says: %v", f.what, err)
		}
	}
	if err := s.w.Check(s.rec, s.ds); err != nil {
		return oracle.Violated(oracle.Measure, "Check of the same table, after faults of others: %w", err)
	}
	return nil
}

// victim is an established connection; nil if there is none.
func (s *show) victim(rng *rand.Rand) (found *life) {
	n := 0
	s.rec.Walk(func(x *pcbinfo.Xinpcb) bool {
		if l := s.rec.lives[x.Inc]; x.State == pcbinfo.Established && l != nil {
			if n++; rng.IntN(n) == 0 {
				found = l
			}
		}
		return true
	})
	return found
}

// A faulty is a table that does one thing wrong, once: at the n-th occasion since Open.
type faulty struct {
	pcbinfo.Info
	fault string
	n     int
	open  bool
	done  bool
}

type faultyCPU struct {
	pcbinfo.CPU
	f *faulty
}

// misdeeds are what it can do wrong.
const (
	loses = iota
	doubles
	aborts
	disorders
	keepsOpen
	keepsQuiet
	refuses
	numMisdeeds
)

var misdeeds = [numMisdeeds]string{"loses a segment", "takes a segment twice", "aborts a connection", "takes a wrong number for text",
	"does not close", "does not send", "says that it has not sent"}

func (f *faulty) CPU(cpu int) pcbinfo.CPU { return &faultyCPU{f.Info.CPU(cpu), f} }

// Stats is the last that Open asks for.
func (f *faulty) Stats() pcbinfo.Stats {
	f.open = true
	return f.Info.Stats()
}

// now reports whether it is time for the fault.
func (f *faulty) now(misdeed int) bool {
	if f.done || !f.open || f.fault != misdeeds[misdeed] {
		return false
	}
	f.n--
	f.done = f.n == 0
	return f.done
}

func (c *faultyCPU) Input(segs []*pcbinfo.Segment) {
	if len(segs) == 0 {
		return
	}
	text := segs[0].Len > 0
	switch {
	case c.f.now(loses):
		segs = segs[1:]
	case c.f.now(doubles):
		c.CPU.Input(segs[:1])
	case text && c.f.now(aborts):
		c.CPU.Abort(&segs[0].Inc)
	case text && c.f.now(disorders):
		wrong := *segs[0]
		wrong.Seq++
		c.CPU.Input([]*pcbinfo.Segment{&wrong})
		segs = segs[1:]
	}
	c.CPU.Input(segs)
}

func (c *faultyCPU) Close(inc *pcbinfo.ConnInfo) error {
	if c.f.now(keepsOpen) {
		return nil
	}
	return c.CPU.Close(inc)
}

func (c *faultyCPU) Send(inc *pcbinfo.ConnInfo, n int) error {
	switch {
	case c.f.now(keepsQuiet):
		return nil
	case c.f.now(refuses):
		return errors.Join(c.CPU.Send(inc, n), pcbinfo.ErrPipe)
	}
	return c.CPU.Send(inc, n)
}

// A roomy table has memory for everything: the Reference's is the heap.
type roomy struct{ pcbinfo.Info }

func (roomy) Zone() pcbinfo.ZoneStats { return pcbinfo.ZoneStats{Allocs: math.MaxInt64} }

// checkMisdeed replays churn on the Reference with one fault, that whose turn it is: Check must not pass.
func checkMisdeed(seed uint64, rng *rand.Rand, beat func(int)) error {
	p := workloads.Params{Mix: "churn", Conns: 10 + rng.IntN(200), Seed: seed}
	ref := roomy{pcbtest.NewReference(pcbinfo.Config{CPUs: 1, MSL: 1, FirstPort: 49152, LastPort: 65535})}
	f := &faulty{Info: ref, fault: misdeeds[turn(seed, numMisdeeds)], n: 1 + rng.IntN(100)}
	w, err := workloads.Build(p)
	if err != nil {
		return oracle.Violated(oracle.Answer, "%+v: %w", p, err)
	}
	if err := replay(w, f, workloads.Direct(), true, 1, beat); f.done == (err == nil) {
		return oracle.Violated(oracle.Measure, "a table that %s (so far: %v): Check says %v", f.fault, f.done, err)
	}
	return nil
}
