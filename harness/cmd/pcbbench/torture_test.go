package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTortureThenBench tortures all there is once, and checks that a bench with the same results folder then names the record, and one without
// says that there was none.
func TestTortureThenBench(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a torture of everything")
	}
	dir := t.TempDir()
	code, out, errs := pcbbench(t, "torture", "-duration", "1ms", "-results", dir)
	if code != exitOK || !strings.HasSuffix(out, "\npassed\n") || !strings.Contains(errs, "record in "+filepath.Join(dir, "torture")) {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	bench := func(dir string) string {
		t.Helper()
		code, out, errs := pcbbench(t, "bench", "-results", dir, "-measure", "50ms", "-processes", "1", "-rounds", "1",
			"-schemes", "global,connp:groups=16", "-locks", "mcs", "-mixes", "churn", "-workers", "1", "-work", "0")
		if code != exitOK {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		return out
	}
	if out := bench(dir); !strings.Contains(out, "\nTorture passed, sha256 ") {
		t.Errorf("after torture:\n%s", out)
	}
	if out := bench(t.TempDir()); !strings.Contains(out, "\nTorture not run: ") {
		t.Errorf("without torture:\n%s", out)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*", "*.txt"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "Benchmark") && (strings.Count(string(data), "\ntorture: passed") != 1 || strings.Count(string(data), "\ntorture:\n") != 1) {
			t.Errorf("%s does not name the torture as a fact of its run:\n%s", path, data)
		}
	}
}

// TestTortureOfOne leaves no record.
func TestTortureOfOne(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := pcbbench(t, "torture", "-only", "lock mtx,scheme connp/conform", "-rounds", "1", "-results", dir)
	if code != exitOK || !strings.Contains(out, "lock mtx") || strings.Contains(out, "lock rw") || !strings.Contains(errs, "no record") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTortureUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-only", "lock mttx"}, `no subject "lock mttx"; known: `},
		{[]string{"-workers", "1"}, "-workers 2 to 128"},
		{[]string{"-duration", "0s"}, "-duration"},
		{[]string{"-duration", "soon"}, "invalid value"},
		{[]string{"everything"}, "unexpected argument"},
	} {
		code, out, errs := pcbbench(t, append([]string{"torture"}, c.args...)...)
		if lines := strings.Split(strings.TrimSpace(errs), "\n"); code != exitUsage || out != "" || !strings.Contains(lines[len(lines)-1], c.want) {
			t.Errorf("%v: exit code %d, %s%s; want %q", c.args, code, out, errs, c.want)
		}
	}
}

// TestCompareSaysTorture checks that a comparison tells what is known of the code on both sides.
func TestCompareSaysTorture(t *testing.T) {
	dir := t.TempDir()
	result := "BenchmarkInput/scheme=global/mix=churn/workers=1 1 100 ns/seg\n"
	write := func(name, header string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(header+strings.Repeat(result, 6)), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	was, is := write("old", ""), write("new", "torture: passed, sha256 abc\ntorture:\n")
	code, out, errs := pcbbench(t, "compare", was, is)
	if code != exitOK || !strings.Contains(out, "Torture not run: "+was) || !strings.Contains(out, "Torture passed, sha256 abc.") || !strings.Contains(out, "sec/seg") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := pcbbench(t, "compare", was, filepath.Join(dir, "none")); code != exitUsage || !oneLine(errs, "none") {
		t.Errorf("a file that is not there: exit code %d, %s", code, errs)
	}
}
