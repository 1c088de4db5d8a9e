package history

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A fake is a results file.
type fake struct {
	commit, date string
	facts        string    // more of them, or instead of the usual ones
	lines        []string  // results and configuration; else
	ns           []float64 // one sample each of BenchmarkInput/scheme=smr
}

// commit is a name like git's, of n.
func commit(n int) string { return fmt.Sprintf("%08x%032x", 0xabc00000+n, 0) }

// day is a date like those in results files, day n.
func day(n int) string {
	return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n).Format(time.RFC3339)
}

// sample is a line of results.
func sample(scheme string, ns, allocs float64, more string) string {
	return fmt.Sprintf("BenchmarkInput/scheme=%s/mix=rpc/workers=2\t100\t%v ns/seg\t%v segs/s\t%v allocs/seg%s\t0 disturbed", scheme, ns, 1e9/ns, allocs, more)
}

func (f fake) text() string {
	var b strings.Builder
	for _, fact := range []string{"goos: linux", "cpu: Fake CPU", "threads: 2", "cpus-allowed: 0-1", "hypervisor: none", "go: go1.26.8", "gomaxprocs: 2", "commit: " + f.commit, "date: " + f.date,
		"dirty: no", "torture: passed, sha256 00"} {
		if key, value, _ := strings.Cut(fact, ": "); value != "" && !strings.Contains("\n"+f.facts, "\n"+key+": ") {
			b.WriteString(fact + "\n")
		}
	}
	b.WriteString(f.facts + "Unit ns/seg better=lower\nUnit segs/s better=higher\nUnit allocs/seg better=lower assume=exact\n")
	for _, l := range f.lines {
		b.WriteString(l + "\n")
	}
	for _, ns := range f.ns {
		b.WriteString(sample("smr", ns, 0, "") + "\n")
	}
	return b.String()
}

// folder puts fakes into a machine's folder, named by their order.
func folder(t *testing.T, fakes ...fake) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "machine")
	for i, f := range fakes {
		put(t, filepath.Join(dir, name(i)), f.text())
	}
	return dir
}

func name(i int) string { return fmt.Sprintf("202611%02dT120000-fake.txt", i+1) }

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// golden compares got with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		put(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

// says checks that err is one line that says all of what.
func says(t *testing.T, err error, what ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", what)
	}
	for _, w := range what {
		if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q, want one line with %q", err, w)
		}
	}
}
