package oracle_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pcbbench/locks/oracle"
)

func TestOf(t *testing.T) {
	lost := oracle.Violated(oracle.Found, "%w", errors.New("lost"))
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("plain"), "error"},
		{lost, oracle.Found},
		{fmt.Errorf("seed 1: %w", errors.Join(errors.New("first"), lost)), oracle.Found},
	} {
		if got := oracle.Of(c.err); got != c.want {
			t.Errorf("oracle of %v: %q, want %q", c.err, got, c.want)
		}
	}
}

func TestGuard(t *testing.T) {
	var none *int
	for _, c := range []struct {
		name string
		f    func() error
		want string
	}{
		{"passes", func() error { return nil }, ""},
		{"fails", func() error { return oracle.Violated(oracle.Key, "wrong") }, oracle.Key},
		{"ours", func() error { panic("pcbinfo: double free of an inpcb") }, "pcbinfo panic"},
		{"a violation", func() error { panic(oracle.Violated(oracle.Order, "late")) }, oracle.Order},
		{"runtime", func() error { return fmt.Errorf("%d", *none) }, "runtime panic"},
	} {
		err := oracle.Guard(c.f)
		if got := oracle.Of(err); got != c.want {
			t.Errorf("%s: oracle %q of %v, want %q", c.name, got, err, c.want)
		}
		if strings.HasSuffix(c.want, "panic") && !strings.Contains(err.Error(), "oracle_test.go:") {
			t.Errorf("%s: %v does not say where", c.name, err)
		}
	}
}

// TestHunt: the oracle that was meant is waited for, past what others report, and not for ever.
func TestHunt(t *testing.T) {
	for _, c := range []struct {
		name  string
		check func(seed uint64) error
		looks int
		fails string
	}{
		{"at once", func(uint64) error { return oracle.Violated(oracle.Key, "wrong") }, 1, ""},
		{"late, after another", func(seed uint64) error {
			switch seed {
			case 9:
				return oracle.Violated(oracle.Progress, "slow")
			case 11:
				return oracle.Violated(oracle.Gone, "there")
			}
			return nil
		}, 5, ""},
		{"never", func(uint64) error { return nil }, 20, "not found by [key gone] with 20 seeds from 7, but 0 faults"},
		{"by others only", func(uint64) error { return errors.New("no disk") }, 20, "but 20 faults of others: [seed 7: no disk"},
	} {
		looks := 0
		err := oracle.Hunt([]string{oracle.Key, oracle.Gone}, 7, func(seed uint64) error { looks++; return c.check(seed) })
		if looks != c.looks || (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: %d looks, want %d; %v", c.name, looks, c.looks, err)
		}
	}
}
