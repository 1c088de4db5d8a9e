package workloads

import (
	"fmt"
	"sync"
	"testing"

	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// play runs p on a fresh table of scheme for laps laps and checks it.
func play(t *testing.T, scheme string, y Way, p Params, laps uint64) (pcbinfo.Info, []*Driver) {
	t.Helper()
	w, err := Build(p)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := pcbinfo.ParseSpec(scheme)
	if err != nil {
		t.Fatal(err)
	}
	in, err := sp.New(pcbinfo.Config{CPUs: y.Handles(w.Workers), Conns: w.Conns})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Open(in); err != nil {
		t.Fatal(err)
	}
	tr := w.Start(in, y)
	ds := tr.Drivers
	var wg sync.WaitGroup
	for i := range ds {
		wg.Go(func() { tr.Play(i, laps, func() bool { return true }) })
	}
	wg.Wait()
	if sp.Table {
		err = w.Check(in, ds)
	} else {
		err = w.CheckCount(in, ds)
	}
	if err != nil {
		t.Error(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	return in, ds
}

// TestEveryMixOnEveryScheme is the conservation check itself: after several laps each segment has come to what its script says and
// each connection is where it should be.
func TestEveryMixOnEveryScheme(t *testing.T) {
	for _, mix := range Mixes {
		trace := ""
		if mix.Traced {
			trace = "testdata/http.pcap"
		}
		for _, s := range pcbinfo.Schemes {
			for _, c := range []struct {
				workers int
				aff     Affinity
			}{{1, RSS}, {2, RSS}, {5, Spray}} {
				if s.Workers != 0 && c.workers > s.Workers {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%d/%s", mix.Name, s.Name, c.workers, c.aff), func(t *testing.T) {
					play(t, s.Name, Direct(), Params{Mix: mix.Name, Workers: c.workers, Affinity: c.aff, Conns: min(mix.Conns, 1500), Seed: 7, Trace: trace}, 3)
				})
			}
		}
	}
}

// TestPortsComeRound has many connections of our own to few peers: a port that one of them had is another's by the end, and the check must
// not take the second for the first.
func TestPortsComeRound(t *testing.T) {
	for _, scheme := range []string{"global", "connp", "smr"} {
		play(t, scheme, Direct(), Params{Mix: "churn", Workers: 2, Conns: 3000, Peers: 2, Seed: 1}, 4)
	}
}

// TestEveryModel is the conservation check behind every dispatch model, with as many workers as CPUs and more.
func TestEveryModel(t *testing.T) {
	for _, m := range netisr.Models {
		y := Direct()
		y.Model, _ = netisr.ParseSpec(m.Name)
		for _, mix := range []string{"churn", "rpc", "bulk", "tpca"} {
			for _, aff := range []Affinity{RSS, Spray} {
				for _, workers := range []int{1, 2, 5} {
					t.Run(fmt.Sprintf("%s/%s/%s/%d", m.Name, mix, aff, workers), func(t *testing.T) {
						play(t, "refcount", y, Params{Mix: mix, Workers: workers, Affinity: aff, Conns: 1000, Seed: 7}, 3)
					})
				}
			}
		}
	}
}
