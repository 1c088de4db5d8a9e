package pcbtest

import (
	"math/rand/v2"
	"testing"

	"pcbbench/pcbinfo"
)

// TestHistoryReachesEverything checks that a history of the length of a test's meets every outcome of a segment, every refusal and
// every state: what it does not reach, conformance does not check.
func TestHistoryReachesEverything(t *testing.T) {
	const seed = 1
	c := Config{Table: pcbinfo.Config{CPUs: 1, FirstPort: firstPort, LastPort: lastPort, MSL: 1}, Steps: historySteps}
	ref := NewReference(c.Table)
	h := &history{rng: rand.New(rand.NewPCG(seed, 0)), names: newNames(0, sharedPort, ownPort, firstPort), at: ref.position}
	states := map[pcbinfo.State]int{}
	errs := map[error]int{}
	most := 0
	for range c.Steps {
		errs[h.next().do(ref.cpus[0]).err]++
		ref.Walk(func(x *pcbinfo.Xinpcb) bool {
			states[x.State]++
			return true
		})
		most = max(most, len(ref.half))
	}
	s := ref.Stats()
	for o, n := range s.Outcomes {
		if n < 10 {
			t.Errorf("outcome %v: %d times", pcbinfo.Outcome(o), n)
		}
	}
	for st := pcbinfo.Listen; st <= pcbinfo.TimeWait; st++ {
		if states[st] < 10 {
			t.Errorf("state %v: met %d times", st, states[st])
		}
	}
	for _, err := range []error{pcbinfo.ErrInUse, pcbinfo.ErrNoPort, pcbinfo.ErrNotFound, pcbinfo.ErrPipe, pcbinfo.ErrInvalid} {
		if errs[err] < 10 {
			t.Errorf("error %q: %d times", err, errs[err])
		}
	}
	if s.Reused < 10 || s.Expired < 10 {
		t.Errorf("TIME-WAIT taken over %d times, expired %d times", s.Reused, s.Expired)
	}
	if most >= 30 {
		t.Errorf("%d half-open connections: a syncache bucket may evict", most)
	}
	t.Logf("outcomes %v, reused %d, expired %d, states %v, errors %v, half-open %d", s.Outcomes, s.Reused, s.Expired, states, errs, most)
}
