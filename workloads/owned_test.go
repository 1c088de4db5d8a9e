package workloads

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"pcbbench/workloads/netisr"
)

// apart plays every driver for laps laps with the threads that y's roles ask for, as package harness does.
func apart(t *Traffic, laps uint64) {
	var wg sync.WaitGroup
	for i, d := range t.Drivers {
		wg.Go(func() {
			for d.Before(laps) || !t.Roles.Users && !d.Rest() {
				did := d.Before(laps) && d.Ready()
				if did {
					d.Send(0)
				}
				did = t.Poll(i) > 0 || did
				if !t.Roles.Users {
					_, _, ok := d.Serve()
					did = ok || did
				}
				if !did {
					d.Await()
				}
			}
			if d.Finish(); !t.Roles.Users {
				t.End()
			}
			for !t.Over() {
				if t.Poll(i) == 0 {
					d.Await()
				}
			}
			t.Poll(i)
		})
		if t.Roles.Users {
			wg.Go(func() {
				for !d.Finished() {
					if _, _, ok := d.Serve(); !ok {
						d.AwaitHandled()
					}
				}
				t.End()
			})
		}
	}
	if t.Roles.Netisr {
		for _, w := range t.Isr.Workers() {
			wg.Go(w.Serve)
		}
	}
	if t.Roles.Users {
		wg.Go(t.Timer)
	}
	wg.Wait()
}

// TestOwners is the conservation check behind the models that keep the table to its owners, on the scheme that has nothing but owners, with
// threads apart and with those of a CPU in one, and on one that has locks. Each of these meets one of the mixes.
func TestOwners(t *testing.T) {
	mixes := []Params{{Mix: "churn", Workers: 2}, {Mix: "tpca", Workers: 3}, {Mix: "churn", Workers: 5, Affinity: Spray}, {Mix: "synflood", Workers: 2},
		{Mix: "rpc", Workers: 2, Affinity: Spray}}
	n := 0
	for _, model := range []string{"connp-t", "connp-t:threads=1", "connp-t:threads=3", "connp-t:calls=async", "squeue", "squeue:drain=1"} {
		for _, roles := range RoleSets {
			schemes := []string{"owned"}
			if roles == RoleSets[0] {
				schemes = append(schemes, "refcount")
			}
			for _, scheme := range schemes {
				y, p := Way{Roles: roles}, mixes[n%len(mixes)]
				n++
				var err error
				if y.Model, err = netisr.ParseSpec(model); err != nil {
					t.Fatal(err)
				}
				p.Conns, p.Seed = fewer(1000), 7
				t.Run(fmt.Sprintf("%s/%s/%s/%s/%d/%s", model, roles.Name, scheme, p.Mix, p.Workers, p.Affinity), func(t *testing.T) {
					w, _, in := open(t, scheme, y, p)
					tr := w.Start(in, y)
					apart(tr, 2)
					if err := w.Check(in, tr.Drivers); err != nil {
						t.Error(err)
					}
					if err := in.Close(); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// TestLastRequests ends with requests that nobody waits for, and that wait for a workstream which is not looked at again when all batches have been
// served: they must be made all the same.
func TestLastRequests(t *testing.T) {
	y := Direct()
	var err error
	if y.Model, err = netisr.ParseSpec("connp-t:threads=2:calls=async"); err != nil {
		t.Fatal(err)
	}
	play(t, "refcount", y, Params{Mix: "rpc", Workers: 1, Conns: 100, Seed: 7}, 2)
}

// TestOwnersAllocateNothing: once laps have been through, neither requests nor what owners ask of each other allocates.
func TestOwnersAllocateNothing(t *testing.T) {
	for _, model := range []string{"connp-t:threads=3", "connp-t:threads=3:calls=async", "squeue"} {
		t.Run(model, func(t *testing.T) {
			y := Direct()
			var err error
			if y.Model, err = netisr.ParseSpec(model); err != nil {
				t.Fatal(err)
			}
			w, _, in := open(t, "owned", y, Params{Mix: "churn", Conns: 100, Seed: 3})
			tr := w.Start(in, y)
			lap := func() {
				for end := tr.Drivers[0].lap + 1; tr.Drivers[0].Before(end); {
					tr.Next(0, math.MaxUint64)
				}
			}
			for range 4 {
				lap()
			}
			if n := testing.AllocsPerRun(2, lap); n != 0 {
				t.Errorf("%v allocations a lap", n)
			}
		})
	}
}
