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
