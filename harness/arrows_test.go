package harness

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrows are the imports of every package, its tests aside: those of this module and those of other modules. Of what is not a test package
// itself (locktest, smrtest, pcbtest, …) only harness/torture may import one.
var arrows = map[string][]string{
	"harness/cmd/pcbbench": {"harness", "harness/aa", "harness/compare", "harness/compare/file", "harness/compare/gate", "harness/compare/history", "harness/compare/verdict",
		"harness/revision", "harness/handoff", "harness/lockbench", "harness/reclaim", "harness/machine", "harness/proof", "harness/schedule", "harness/torture",
		"locks", "locks/probe", "locks/smr", "pcbinfo", "workloads", "workloads/netisr"}, // to list what there is
	"harness": {"harness/handoff", "harness/lockbench", "harness/reclaim", "harness/machine", "harness/proof", "locks", "pcbinfo", "workloads", "workloads/netisr",
		"locks/oracle", "locks/smr", // its check of itself
		"locks/probe", "locks/witness", // what is counted
		"github.com/HdrHistogram/hdrhistogram-go", "golang.org/x/perf/benchfmt", "golang.org/x/perf/benchunit"},
	".":                   {},
	"harness/cmd/mutants": {"harness/mutants", "harness/proof"},
	"harness/mutants":     {},
	"harness/proof":       {},
	"harness/torture": {"harness", "harness/proof", "locks", "locks/locktest", "locks/oracle", "locks/probe", "locks/smr", "locks/smr/smrtest", "locks/witness",
		"pcbinfo", "pcbinfo/pcbtest", "workloads/netisr", "workloads/netisr/netisrtest", "workloads/workloadtest"},
	"harness/schedule": {"locks", "locks/oracle", "locks/probe", "locks/smr", "pcbinfo", "workloads/netisr"},
	"harness/compare": {"harness/compare/file", "harness/compare/verdict", "golang.org/x/perf/benchfmt", "golang.org/x/perf/benchmath", "golang.org/x/perf/benchproc",
		"golang.org/x/perf/benchunit"}, // reads any file, knows no scheme
	"harness/compare/file":    {"golang.org/x/perf/benchfmt", "golang.org/x/perf/benchunit"},
	"harness/compare/gate":    {"harness/compare", "harness/compare/file", "harness/compare/verdict", "golang.org/x/perf/benchfmt"},
	"harness/compare/history": {"harness/compare/file", "harness/compare/verdict", "golang.org/x/perf/benchmath", "golang.org/x/perf/benchproc"},
	"harness/compare/verdict": {"golang.org/x/perf/benchmath"},
	"harness/aa":              {"harness/compare", "harness/compare/file", "harness/compare/gate", "harness/compare/verdict", "golang.org/x/perf/benchfmt", "golang.org/x/perf/benchmath"},
	"harness/revision":        {},
	"harness/handoff":         {"harness/machine", "locks", "pcbinfo", "workloads/netisr", "github.com/HdrHistogram/hdrhistogram-go"},
	"harness/lockbench":       {"harness/machine", "locks", "locks/oracle", "github.com/HdrHistogram/hdrhistogram-go"},
	"harness/reclaim":         {"harness/machine", "locks", "locks/oracle", "locks/smr", "github.com/HdrHistogram/hdrhistogram-go"},
	"harness/machine":         {"github.com/klauspost/cpuid/v2", "github.com/loov/hrtime", "golang.org/x/sys/unix"},

	"workloads":        {"locks", "pcbinfo", "workloads/inet", "workloads/netisr", "workloads/pcap", "github.com/HdrHistogram/hdrhistogram-go"},
	"workloads/netisr": {"locks", "locks/probe", "locks/witness", "pcbinfo", "github.com/HdrHistogram/hdrhistogram-go"},
	"workloads/inet":   {"locks", "locks/probe", "pcbinfo"},
	"workloads/pcap": {"github.com/gopacket/gopacket", "github.com/gopacket/gopacket/layers",
		"github.com/gopacket/gopacket/pcapgo"},
	"workloads/workloadtest":      {"locks/crew", "locks/oracle", "pcbinfo", "pcbinfo/pcbtest", "workloads", "workloads/netisr"},
	"workloads/netisr/netisrtest": {"locks", "locks/crew", "locks/oracle", "pcbinfo", "workloads/netisr"},

	"pcbinfo": {"locks", "locks/oracle", "locks/probe", "locks/smr", "locks/witness",
		"github.com/puzpuzpuz/xsync/v4"},
	"pcbinfo/pcbtest": {"locks/crew", "locks/oracle", "pcbinfo", "github.com/anishathalye/porcupine"},

	"locks":          {"locks/probe", "locks/witness", "github.com/klauspost/cpuid/v2"},
	"locks/crew":     {"locks/oracle"},
	"locks/locktest": {"locks", "locks/crew", "locks/oracle", "locks/probe"},
	"locks/oracle":   {},
	"locks/probe":    {},
	"locks/smr":      {"locks/probe", "locks/witness"},
	"locks/witness":  {"locks/oracle"},

	"locks/smr/smrtest": {"locks", "locks/crew", "locks/oracle", "locks/smr", "github.com/HdrHistogram/hdrhistogram-go"},
}

// TestArrows fails on a new arrow, and on one that is gone from the code and not from the list.
func TestArrows(t *testing.T) {
	got := imports(t, "..")
	for _, pkg := range slices.Sorted(maps.Keys(got)) {
		want, known := arrows[pkg]
		if !known {
			t.Errorf("package %s is not in the list", pkg)
		}
		for _, to := range got[pkg] {
			if !slices.Contains(want, to) {
				t.Errorf("new arrow: %s → %s", pkg, to)
			}
		}
		for _, to := range want {
			if !slices.Contains(got[pkg], to) {
				t.Errorf("no longer an arrow: %s → %s", pkg, to)
			}
		}
	}
	for pkg := range arrows {
		if _, ok := got[pkg]; !ok {
			t.Errorf("there is no package %s", pkg)
		}
	}
}

// imports are what each package under root imports outside its tests, on any platform and under any build tag: the paths of this module
// relative to it, and those of other modules. The standard library is left out.
func imports(t *testing.T, root string) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); base == "testdata" || base != "." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(name)
		list := got[pkg]
		for _, spec := range file.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			to, ours := strings.CutPrefix(to, "pcbbench/")
			first, _, _ := strings.Cut(to, "/")
			if (ours || strings.Contains(first, ".")) && !slices.Contains(list, to) {
				list = append(list, to)
			}
		}
		got[pkg] = list
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
