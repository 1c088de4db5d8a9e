package workloads

import (
	"math"
	"testing"

	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
)

// BenchmarkDriver is what the driver itself weighs: each main mix on the scheme without a table, a segment an op.
func BenchmarkDriver(b *testing.B) {
	for _, mix := range Mixes {
		if !mix.Main {
			continue
		}
		b.Run("mix="+mix.Name, func(b *testing.B) {
			tr := start(b, "null", Params{Mix: mix.Name, Seed: 1})
			b.ReportAllocs()
			for n := 0; n < b.N; {
				n += tr.Next(0, math.MaxUint64)
			}
		})
	}
}

func start(tb testing.TB, scheme string, p Params) *Traffic {
	tb.Helper()
	w, err := Build(p)
	if err != nil {
		tb.Fatal(err)
	}
	sp, err := pcbinfo.ParseSpec(scheme)
	if err != nil {
		tb.Fatal(err)
	}
	in, err := sp.New(pcbinfo.Config{CPUs: w.Workers, Conns: w.Conns})
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.Open(in); err != nil {
		tb.Fatal(err)
	}
	return w.Start(in, Direct())
}

// TestNoAllocation: once a lap has been through, a lap allocates nothing.
func TestNoAllocation(t *testing.T) {
	for _, mix := range Mixes {
		if mix.Traced || probe.Raced && mix.Name != "churn" { // allocations are the same there
			continue
		}
		for _, s := range pcbinfo.Schemes {
			t.Run(mix.Name+"/"+s.Name, func(t *testing.T) {
				if s.Heap {
					t.Skip("inpcbs come from the heap")
				}
				tr := start(t, s.Name, Params{Mix: mix.Name, Conns: 100, Seed: 3})
				lap := func() {
					for end := tr.Drivers[0].lap + 1; tr.Drivers[0].Before(end); {
						tr.Next(0, math.MaxUint64)
					}
				}
				for range 4 {
					lap()
				}
				if n := testing.AllocsPerRun(2, lap); n != 0 {
					t.Errorf("%v allocations a lap of %d segments", n, len(tr.Drivers[0].ring.segs))
				}
			})
		}
	}
}
