package workloads

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// open makes p's workload and a fresh table of scheme that is where the first lap begins.
func open(t *testing.T, scheme string, y Way, p Params) (*Workload, pcbinfo.Spec, pcbinfo.Info) {
	t.Helper()
	w, err := Build(p)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := pcbinfo.ParseSpec(scheme)
	if err != nil {
		t.Fatal(err)
	}
	in, err := sp.New(pcbinfo.Config{CPUs: y.Handles(w.Workers), Owners: y.Model.Streams(w.Workers), Conns: w.Conns})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Open(in); err != nil {
		t.Fatal(err)
	}
	return w, sp, in
}

// run plays w on in for laps laps and checks it.
func run(t *testing.T, w *Workload, sp pcbinfo.Spec, in pcbinfo.Info, y Way, laps uint64) *Traffic {
	t.Helper()
	tr := w.Start(in, y)
	var wg sync.WaitGroup
	for i := range tr.Drivers {
		wg.Go(func() { tr.Play(i, laps, func() bool { return true }) })
	}
	wg.Wait()
	check := w.Check
	if !sp.Table {
		check = w.CheckCount
	}
	if err := check(in, tr.Drivers); err != nil {
		t.Error(err)
	}
	return tr
}

// play runs p on a fresh table of scheme for laps laps and checks it.
func play(t *testing.T, scheme string, y Way, p Params, laps uint64) (pcbinfo.Info, []*Driver) {
	t.Helper()
	w, sp, in := open(t, scheme, y, p)
	tr := run(t, w, sp, in, y, laps)
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	return in, tr.Drivers
}

// fewer is for sizes that matter less than what they are tried with.
func fewer(conns int) int {
	if probe.Raced {
		return conns / 5
	}
	return conns
}

// TestEveryMixOnEveryScheme is the conservation check itself: after several laps each segment has come to what its script says and
// each connection is where it should be. Under the race detector each scheme has churn and a quarter of the other mixes.
func TestEveryMixOnEveryScheme(t *testing.T) {
	most := fewer(1500)
	for i, mix := range Mixes {
		trace := ""
		if mix.Traced {
			trace = "testdata/http.pcap"
		}
		for j, s := range pcbinfo.Schemes {
			if probe.Raced && (i+j)%4 != 0 && mix.Name != "churn" {
				continue
			}
			for _, c := range []struct {
				workers int
				aff     Affinity
			}{{1, RSS}, {2, RSS}, {5, Spray}} {
				if probe.Raced && c.workers == 1 && s.Workers != 1 { // one worker races with nobody
					continue
				}
				if s.Workers != 0 && c.workers > s.Workers || c.aff == Spray && mix.steered != "" || mix.NoTable && s.Name != "null" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%d/%s", mix.Name, s.Name, c.workers, c.aff), func(t *testing.T) {
					play(t, s.Name, Direct(), Params{Mix: mix.Name, Workers: c.workers, Affinity: c.aff, Conns: min(mix.Conns, most), Seed: 7, Trace: trace}, 3)
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

// TestEveryModel is the conservation check behind every dispatch model, with as many workers as CPUs and more. Under the race detector, ten times as slow, a third
// of the combinations stand for all: each model has still each mix, affinity and number of workers.
func TestEveryModel(t *testing.T) {
	names := []string{"feedback:window=64"} // moves flows about often, by a clock that goes as it likes
	for _, m := range netisr.Models {
		names = append(names, m.Name)
	}
	var clock atomic.Int64
	turn := 0
	for _, name := range names {
		y := Direct()
		y.Model, _ = netisr.ParseSpec(name)
		y.Now = func() int64 { return clock.Add(rand.Int64N(1000)) }
		for _, mix := range []string{"churn", "rpc", "bulk", "tpca"} {
			for _, aff := range []Affinity{RSS, Spray} {
				turn++
				for i, workers := range []int{1, 2, 5} {
					if probe.Raced && i != turn%3 {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%d", name, mix, aff, workers), func(t *testing.T) {
						play(t, "refcount", y, Params{Mix: mix, Workers: workers, Affinity: aff, Conns: fewer(1000), Seed: 7}, 3)
					})
				}
			}
		}
	}
}
