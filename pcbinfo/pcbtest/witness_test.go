//go:build witness

package pcbtest

import (
	"fmt"
	"testing"
	"time"

	"pcbbench/locks/witness"
	"pcbbench/pcbinfo"
)

// TestLockOrder runs the checks on every scheme under the witness: nothing may be out of order, and each edge of the order must
// occur, else the tree in pcbinfo's comment tells of a lock that is never taken so.
func TestLockOrder(t *testing.T) {
	witness.Reset()
	witness.Order(pcbinfo.LockOrder...)
	defer witness.Reset()
	c := Config{Table: pcbinfo.Config{CPUs: 4}, Seed: uint64(time.Now().UnixNano())}
	for _, sp := range tables(t) {
		t.Run(sp.String(), func(t *testing.T) {
			defer witness.Enable(witness.Enable(true))
			c.Steps = 500
			if err := Conform(sp, c); err != nil {
				t.Error(err)
			}
			if sp.Workers == 1 {
				return
			}
			if err := ConformParallel(sp, c); err != nil {
				t.Error(err)
			}
			c.Steps = 200
			if err := Torture(sp, c); err != nil {
				t.Error(err)
			}
		})
	}
	walkLast(t)
	seen := make(map[[2]string]uint64)
	text := ""
	for _, e := range witness.Edges() {
		seen[[2]string{e.Outer, e.Inner}] = e.Count
		text += fmt.Sprintf("\n%8d %s (%s) → %s (%s)", e.Count, e.Outer, e.OuterSite, e.Inner, e.InnerSite)
	}
	for _, e := range pcbinfo.LockOrder {
		if seen[e] == 0 {
			t.Errorf("seed %d: %s → %s is declared and did not occur", c.Seed, e[0], e[1])
		}
	}
	t.Log("seen:" + text)
}

// walkLast has a walker of refcount be the last to hold inpcbs, more than its magazines take: random steps seldom come there.
func walkLast(t *testing.T) {
	defer witness.Enable(witness.Enable(true))
	sp, err := pcbinfo.ParseSpec("refcount")
	if err != nil {
		t.Fatal(err)
	}
	in, err := sp.New(pcbinfo.Config{CPUs: 1, Magazine: 1})
	if err != nil {
		t.Fatal(err)
	}
	var incs [8]pcbinfo.ConnInfo
	for i := range incs {
		incs[i].Lport = uint16(sharedPort + i)
		if err := in.CPU(0).Listen(&incs[i]); err != nil {
			t.Fatal(err)
		}
	}
	in.Walk(func(*pcbinfo.Xinpcb) bool {
		for i := range incs {
			if err := in.CPU(0).Close(&incs[i]); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}
