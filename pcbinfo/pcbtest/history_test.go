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
	pairs := map[pcbinfo.ConnInfo]int{} // twins that were there together with the connection that they resemble
	for range c.Steps {
		errs[h.next().do(ref.cpus[0]).err]++
		for i, twin := range h.names.twins {
			if ref.conns[twin] != nil && ref.conns[h.names.conn(2*i/len(h.names.twins))] != nil {
				pairs[twin]++
			}
		}
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
	for _, twin := range h.names.twins {
		if pairs[twin] < 100 {
			t.Errorf("twin %v: met %d times beside its like", twin, pairs[twin])
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

// TestNames checks that no two owners have a connection in common, that twins differ in one field, and that checkKeys has no objection
// to anybody's.
func TestNames(t *testing.T) {
	owners := map[pcbinfo.ConnInfo]int{}
	for owner := range maxWorkers + 1 {
		n := newNames(owner)
		for _, inc := range n.conns() {
			if other, dup := owners[inc]; dup {
				t.Fatalf("%v is owner %d's and owner %d's", inc, other, owner)
			}
			owners[inc] = owner
		}
		for i, twin := range n.twins {
			like := n.conn(2 * i / len(n.twins))
			if (twin.Laddr == like.Laddr) == (twin.Faddr == like.Faddr) || twin.Lport != like.Lport || twin.Fport != like.Fport {
				t.Fatalf("%v is no twin of %v", twin, like)
			}
		}
		if err := checkKeys(n.conns()); err != nil {
			t.Fatal(err)
		}
	}
}
