package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcbbench/locks"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

var update = flag.Bool("update", false, "write what is generated")

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

// The README's tables stand between these lines.
const tablesBegin, tablesEnd = "<!-- pcbbench list -format markdown -->\n", "<!-- end of the list -->\n"

// TestREADME: the tables there are what this code has. With -update it writes them.
func TestREADME(t *testing.T) {
	code, want, errs := pcbbench(t, "list", "-format", "markdown")
	if code != exitOK || errs != "" {
		t.Fatalf("exit code %d, %q on stderr", code, errs)
	}
	path := filepath.Join("..", "..", "..", "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tablesBegin)
	got, after, end := strings.Cut(rest, tablesEnd)
	switch {
	case !ok || !end:
		t.Fatalf("README.md has no lines %q and %q", tablesBegin, tablesEnd)
	case *update:
		if err := os.WriteFile(path, []byte(before+tablesBegin+"\n"+want+"\n"+tablesEnd+after), 0o666); err != nil {
			t.Fatal(err)
		}
	case got != "\n"+want+"\n":
		t.Error("README.md has other tables than pcbbench list -format markdown: go test ./harness/cmd/pcbbench -run README -update")
	}
	if code, _, errs := pcbbench(t, "list", "-format", "xml"); code != exitUsage || !strings.Contains(errs, "markdown") {
		t.Errorf("an unknown format: exit code %d, %q", code, errs)
	}
}

// named is how a name with options begins its line.
func named(name string, options []string) string {
	for _, o := range options {
		name += "[:" + o + "=…]"
	}
	return name + " "
}
