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
		listed(named(s.Name, s.Options), s.Doc, s.Source)
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
		listed(named(m.Name, m.Options), m.Doc, m.Source)
	}
	for _, r := range workloads.RoleSets {
		listed(r.Name+" ", r.Doc, "")
	}
	for _, p := range workloads.Processes {
		listed(named(p.Name, p.Options), p.Doc, "")
	}
}

// named is how a name with options begins its line.
func named(name string, options []string) string {
	for _, o := range options {
		name += "[:" + o + "=…]"
	}
	return name + " "
}
