package torture

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// round runs one round of f as check of a made-up subject.
func round(f func(*Round) error, stuck time.Duration) error {
	t := &torture{Config: Config{Stuck: stuck, Duration: time.Second}, start: time.Now(), report: newReport(Config{})}
	return t.round(context.Background(), &Subject{"thing made up", []Check{{"check", 1, f}}}, 0, 0)
}

// TestFailures checks that whatever a check does, its failure is told by oracle.
func TestFailures(t *testing.T) {
	var held locks.Mtx
	held.Lock(nil)
	for _, c := range []struct {
		name   string
		check  func(*Round) error
		oracle string
		part   string
	}{
		{"passes", func(*Round) error { return nil }, "", ""},
		{"fails", func(*Round) error { return oracle.Violated(oracle.Found, "lost") }, oracle.Found, "lost"},
		{"panics", func(*Round) error { panic("pcbinfo: reference count below zero") }, "pcbinfo panic", "below zero"},
		{"never ends", func(r *Round) error {
			for ; ; time.Sleep(time.Millisecond) {
				r.Beat(0)
			}
		}, oracle.Progress, "does not end"},
		{"hangs", func(r *Round) error { r.Beat(0); held.Lock(nil); return nil }, oracle.Progress, "locks.(*Mtx).lockSlow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := round(c.check, time.Second)
			var f *Failure
			switch {
			case c.oracle == "" && err != nil:
				t.Error(err)
			case c.oracle == "":
			case !errors.As(err, &f) || f.Oracle() != c.oracle || !strings.Contains(err.Error(), c.part):
				t.Errorf("error %v of oracle %q, want %q and %q", err, oracle.Of(err), c.oracle, c.part)
			}
		})
	}
}

// TestInterrupt ends a round that would go on.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	check := func(r *Round) error {
		cancel()
		select {}
	}
	if err := newRound(1, 2).run(ctx, check, time.Minute); err != ErrInterrupted {
		t.Errorf("an interrupted round: %v", err)
	}
}

// TestSubjectsAreComplete checks that nothing that can be chosen for a bench is left out.
func TestSubjectsAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, s := range (&torture{report: newReport(Config{})}).subjects() {
		if names[s.Name] || len(s.Checks) == 0 {
			t.Errorf("%s stands there twice, or without a check", s.Name)
		}
		names[s.Name] = true
	}
	want := []string{"workload", "harness"}
	for _, sp := range locks.Specs() {
		want = append(want, "lock "+sp.String())
	}
	for _, k := range smr.Kinds {
		want = append(want, "reclamation "+k.Name)
	}
	for _, m := range netisr.Models {
		want = append(want, "dispatch "+m.Name)
	}
	for _, text := range pcbinfo.Tables() {
		want = append(want, "scheme "+text)
	}
	for _, name := range want {
		if !names[name] {
			t.Errorf("%s is not tortured", name)
		}
	}
}

// TestRoundIsItsSeeds checks that a failure's seed brings back its conditions.
func TestRoundIsItsSeeds(t *testing.T) {
	differ := false
	for seed := range uint64(20) {
		a, b := newRound(seed, 0), newRound(seed, 0)
		if a.String() != b.String() || a.Rand.Uint64() != b.Rand.Uint64() {
			t.Errorf("seed %d: %v and %v", seed, a, b)
		}
		differ = differ || a.Workers != newRound(seed+1, 0).Workers
	}
	if !differ {
		t.Error("all seeds draw as many workers")
	}
}

func TestChoose(t *testing.T) {
	all := []Subject{{"lock mtx", []Check{{"torture", 1, nil}}}, {"scheme smr", []Check{{"conform", 1, nil}, {"flood", 1, nil}}}, {"scheme smr:smr=gc", []Check{{"flood", 1, nil}}}}
	got, err := choose(all, []string{"scheme smr/"})
	if err != nil || len(got) != 1 || len(got[0].Checks) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = choose(all, []string{"scheme smr/flood", "lock"}); err != nil || len(got) != 2 || len(got[1].Checks) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err = choose(all, []string{"lock", "scheme smart"}); err == nil || !strings.Contains(err.Error(), `no subject "scheme smart"`) {
		t.Errorf("an unknown subject: %v", err)
	}
}
