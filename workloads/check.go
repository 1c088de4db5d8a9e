package workloads

import (
	"errors"
	"fmt"

	"pcbbench/pcbinfo"
)

// Check compares what in counted and holds with what ds sent since Open. Every driver stands at the end of a lap and nothing runs on the
// table. The error says what was lost. Check lets all TIME-WAITs expire first, so that nothing in the table is left unexplained.
func (w *Workload) Check(in pcbinfo.Info, ds []*Driver) error {
	if !w.replay {
		ds[0].t.clock.SlowTimo(ds[0].ticks + longAfter)
	}
	outcomes := w.checkOutcomes
	if w.replay {
		outcomes = w.checkSegments
	}
	return errors.Join(w.checkRequests(ds), outcomes(in, ds), w.checkTable(in, ds), w.checkPath(ds))
}

// longAfter is a number of ticks far beyond any 2MSL.
const longAfter = 1 << 20

// CheckCount is what can be checked of a scheme that keeps no table: the number of segments, and what other protocols counted.
func (w *Workload) CheckCount(in pcbinfo.Info, ds []*Driver) error {
	return errors.Join(w.checkSegments(in, ds), w.checkPath(ds))
}

func (w *Workload) checkSegments(in pcbinfo.Info, ds []*Driver) error {
	sent := uint64(0)
	for _, d := range ds {
		sent += d.lap * uint64(len(d.ring.segs)-d.ring.apart)
	}
	s := in.Stats()
	if got := s.Segments() - w.opened.Segments(); got != sent {
		return fmt.Errorf("segments: %d sent, %d handled or dropped: %d lost", sent, got, int64(sent-got))
	}
	return nil
}

func (w *Workload) checkRequests(ds []*Driver) (errs error) {
	for i, d := range ds {
		if d.refused > 0 {
			errs = errors.Join(errs, fmt.Errorf("worker %d: %d user requests failed, the last with: %w", i, d.refused, d.err))
		}
	}
	if s := ds[0].t.Isr.Stats(); s.Failed > 0 {
		errs = errors.Join(errs, fmt.Errorf("%d user requests failed that nobody waited for, the last with: %w", s.Failed, s.Failure))
	}
	return errs
}

// checkOutcomes compares, outcome by outcome, the segments that were sent with what became of them.
func (w *Workload) checkOutcomes(in pcbinfo.Info, ds []*Driver) (errs error) {
	var want [pcbinfo.NumOutcomes]uint64
	for _, d := range ds {
		for o, n := range d.ring.plan {
			want[o] += d.lap * n
		}
	}
	got := in.Stats()
	if n := got.Evicted - w.opened.Evicted; n > 0 && want[pcbinfo.GotAccept] > 0 {
		defer func() {
			if errs != nil {
				errs = fmt.Errorf("%w\n%d half-open connections were pushed out of the syncache", errs, n)
			}
		}()
	}
	for o := range want {
		out := pcbinfo.Outcome(o)
		if have := got.Outcomes[o] - w.opened.Outcomes[o]; have != want[o] {
			errs = errors.Join(errs, fmt.Errorf("segments with outcome %v: %d sent, %d counted: %+d", out, want[o], have, int64(have-want[o])))
		}
	}
	return errs
}

// checkTable compares every connection with its script: in the table or not, state, and sequence number.
func (w *Workload) checkTable(in pcbinfo.Info, ds []*Driver) error {
	left := make(map[pcbinfo.ConnInfo]pcbinfo.Xinpcb, in.Len())
	walked, twice := 0, 0
	z := in.Zone()
	in.Walk(func(x *pcbinfo.Xinpcb) bool {
		if walked++; uint64(walked) > z.Allocs {
			return false // a circle
		}
		if _, dup := left[x.Inc]; dup {
			twice++
		}
		left[x.Inc] = *x
		return true
	})
	wrong := tally{}
	if twice > 0 {
		wrong.add(fmt.Errorf("%d connections are in the table twice", twice))
	}
	if n := in.Len(); n != walked {
		wrong.add(fmt.Errorf("table count %d, but a walk meets %d", n, walked))
	}
	// First those that should be there: a closed one's four-tuple may be another's by now, as ports that we choose come round again.
	for _, closed := range []bool{false, true} {
		for _, f := range w.flows {
			if f.replaced || closed != (f.state == pcbinfo.Closed) {
				continue
			}
			x, found := left[f.inc]
			delete(left, f.inc)
			wrong.add(f.check(&x, found, w.laps(f, ds)))
		}
	}
	listeners := 0
	for inc, x := range left {
		if x.State != pcbinfo.Listen {
			wrong.add(fmt.Errorf("%v in %v is nobody's", inc, x.State))
			continue
		}
		listeners++
	}
	if want := len(w.listenPorts()); listeners != want {
		wrong.add(fmt.Errorf("%d listeners in the table, should be %d", listeners, want))
	}
	return wrong.err()
}

// laps is how many laps f has been through: its worker's; under spray all workers stop at the same lap, but for those without traffic.
func (w *Workload) laps(f *flow, ds []*Driver) uint64 {
	if w.Affinity == RSS {
		return ds[f.worker].lap
	}
	laps := uint64(0)
	for _, d := range ds {
		laps = max(laps, d.lap)
	}
	return laps
}

// check compares one connection after laps laps.
func (f *flow) check(x *pcbinfo.Xinpcb, found bool, laps uint64) error {
	rcv, snd := f.rcv+uint32(laps)*f.seqStep, f.snd+uint32(laps)*f.ackStep
	if f.outbound { // relative to the number that the stack chose
		snd += x.Iss
	}
	switch {
	case f.state == pcbinfo.Closed && !found:
		return nil
	case f.state == pcbinfo.Closed:
		return fmt.Errorf("%v is in %v, should be gone", f.inc, x.State)
	case !found:
		return fmt.Errorf("%v is not in the table, should be in %v", f.inc, f.state)
	case x.State != f.state:
		return fmt.Errorf("%v is in %v, should be in %v", f.inc, x.State, f.state)
	case x.State == pcbinfo.SynSent:
		return nil // no number of the peer's yet
	case x.RcvNxt != rcv:
		return fmt.Errorf("%v: rcv_nxt is %d, should be %d: off by %d", f.inc, x.RcvNxt, rcv, int32(x.RcvNxt-rcv))
	case f.snd != 0 && x.SndNxt != snd:
		return fmt.Errorf("%v: snd_nxt is %d, should be %d: off by %d", f.inc, x.SndNxt, snd, int32(x.SndNxt-snd))
	}
	return nil
}

// A tally keeps the first few of many alike errors.
type tally struct {
	n     int
	first []error
}

func (t *tally) add(err error) {
	if err == nil {
		return
	}
	if t.n++; len(t.first) < 5 {
		t.first = append(t.first, err)
	}
}

func (t *tally) err() error {
	if t.n > len(t.first) {
		return errors.Join(append(t.first, fmt.Errorf("and %d more connections like that", t.n-len(t.first)))...)
	}
	return errors.Join(t.first...)
}
