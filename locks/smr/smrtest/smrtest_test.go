package smrtest_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
	"pcbbench/locks/smr/smrtest"
)

// setProcs sets GOMAXPROCS until the end of the test.
func setProcs(t *testing.T, procs int) {
	old := runtime.GOMAXPROCS(procs)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

// met says whether a torture had what it tortures with: readers on live nodes, nodes that waited, and grace periods that ended.
func met(r smrtest.Report) bool {
	return r.Age[0] != 0 && r.Backlog != 0 && r.Grace != nil && r.Grace.TotalCount() != 0
}

// TestTorture: every kind passes, with a CPU for each worker, with many workers a CPU, and on one.
func TestTorture(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	probe.Seed(int64(seed))
	for _, k := range smr.Kinds {
		for _, c := range []struct{ procs, readers, writers int }{{2, 1, 1}, {2, 6, 3}, {1, 4, 2}} {
			t.Run(fmt.Sprintf("smr=%s/procs=%d/readers=%d", k.Name, c.procs, c.readers), func(t *testing.T) {
				setProcs(t, c.procs)
				var sum smrtest.Report
				for run := 0; run < 20 && !met(sum); run++ { // one is short: on a busy machine no period may end in it
					beats := make([]int, c.readers+c.writers)
					r, err := smrtest.Torture(k, smrtest.Config{Readers: c.readers, Writers: c.writers, Updates: 2000 / c.writers, Seed: seed + uint64(run),
						Beat: func(worker int) { beats[worker]++ }})
					if err != nil {
						t.Fatal(err)
					}
					for i, n := range beats[c.readers:] {
						if n < 2000/c.writers {
							t.Errorf("writer %d: %d beats", i, n)
						}
					}
					sum.Add(r)
				}
				t.Logf("age %v, batch %v, backlog %d, grace p50 %d max %d ns of %d", sum.Age, sum.Batch, sum.Backlog,
					sum.Grace.ValueAtQuantile(50), sum.Grace.Max(), sum.Grace.TotalCount())
				if !met(sum) {
					t.Errorf("nothing read, or no grace period ended: %+v", sum)
				}
			})
		}
	}
}

// TestAdd: a sum of reports counts what each counts.
func TestAdd(t *testing.T) {
	var sum smrtest.Report
	sum.Add(smrtest.Report{})
	for range 2 {
		r, err := smrtest.Torture(smr.Kinds[0], smrtest.Config{Readers: 1, Writers: 1, Updates: 10})
		if err != nil {
			t.Fatal(err)
		}
		grace, backlog := sum.Grace.TotalCount()+r.Grace.TotalCount(), sum.Backlog+r.Backlog
		sum.Add(r)
		if sum.Grace.TotalCount() != grace || sum.Backlog != backlog {
			t.Errorf("%+v after adding %+v", sum, r)
		}
	}
}

// TestTortureFindsBusted: a torture that is silent on these says nothing by its silence on the others.
func TestTortureFindsBusted(t *testing.T) {
	for _, b := range busted {
		t.Run(b.name, func(t *testing.T) {
			kind := smr.Kinds[0]
			kind.New = func(cpus int) smr.Domain { return b.bust(smr.Kinds[0].New(cpus), cpus) }
			c := smrtest.Config{Readers: 4, Writers: 2, Updates: 2000, Patience: 200 * time.Millisecond}
			err := oracle.Hunt([]string{b.want}, uint64(time.Now().UnixNano()), func(seed uint64) error {
				c.Seed = seed
				_, err := smrtest.Torture(kind, c)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
