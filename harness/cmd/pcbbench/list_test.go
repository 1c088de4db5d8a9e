package main

import (
	"slices"
	"strings"
	"testing"

	"pcbbench/locks"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// TestList checks that all there is to choose is listed, each with what it is and where it comes from.
func TestList(t *testing.T) {
	code, out, errs := pcbbench(t, "list")
	if code != exitOK || errs != "" {
		t.Errorf("exit code %d, %q on stderr", code, errs)
	}
	lines := strings.Split(out, "\n")
	listed := func(name, doc, source string) {
		t.Helper()
		if !slices.ContainsFunc(lines, func(l string) bool {
			return strings.HasPrefix(l, "  "+name) && strings.Contains(l, doc) && strings.HasSuffix(l, source)
		}) {
			t.Errorf("%s is not listed with %q and %q", name, doc, source)
		}
	}
	for _, s := range pcbinfo.Schemes {
		name := s.Name
		for _, o := range s.Options {
			name += "[:" + o + "=…]"
		}
		listed(name+" ", s.Doc, s.Source)
	}
	for _, k := range locks.Kinds {
		listed(k.Name+" ", k.Doc, k.Source)
		for _, p := range k.Policies {
			if !strings.Contains(out, p.String()) {
				t.Errorf("%s's policy %v is not listed", k.Name, p)
			}
		}
	}
	for _, k := range smr.Kinds {
		listed(k.Name+" ", k.Doc, k.Source)
	}
	for _, m := range workloads.Mixes {
		listed(m.Name+" ", m.Doc, m.Source)
	}
	for _, m := range netisr.Models {
		listed(m.Name+" ", m.Doc, m.Source)
	}
}
