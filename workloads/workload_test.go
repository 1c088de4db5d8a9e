package workloads

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// play runs p on a fresh table of scheme for laps laps and checks it.
func play(t *testing.T, scheme string, p Params, laps uint64) (pcbinfo.Info, []*Driver) {
	t.Helper()
	w, err := Build(p)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := pcbinfo.ParseSpec(scheme)
	if err != nil {
		t.Fatal(err)
	}
	in, err := sp.New(pcbinfo.Config{CPUs: w.Workers, Conns: w.Conns})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Open(in); err != nil {
		t.Fatal(err)
	}
	model, _ := netisr.Find("direct")
	ds := w.Drivers(in, model)
	var wg sync.WaitGroup
	for _, d := range ds {
		wg.Go(func() {
			for d.Before(laps) {
				if d.Ready() {
					d.Next()
				} else {
					runtime.Gosched()
				}
			}
		})
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
					play(t, s.Name, Params{Mix: mix.Name, Workers: c.workers, Affinity: c.aff, Conns: min(mix.Conns, 1500), Seed: 7, Trace: trace}, 3)
				})
			}
		}
	}
}

// TestPortsComeRound has many connections of our own to few peers: a port that one of them had is another's by the end, and the check must
// not take the second for the first.
func TestPortsComeRound(t *testing.T) {
	for _, scheme := range []string{"global", "connp", "smr"} {
		play(t, scheme, Params{Mix: "churn", Workers: 2, Conns: 3000, Peers: 2, Seed: 1}, 4)
	}
}
