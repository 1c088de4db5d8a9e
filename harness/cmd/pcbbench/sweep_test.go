package main

import (
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tinySweep are flags of the smallest sweep, whose file goes to dir.
func tinySweep(dir string, more ...string) []string {
	return append([]string{"sweep", "-results", dir, "-measure", "20ms", "-processes", "1", "-schemes", "global,smr", "-dispatch", "direct,deferred",
		"-mixes", "churn", "-workers", "1", "-work", "500", "-loads", "20,60"}, more...)
}

// TestSweep runs the smallest real sweep: each pair's closed loop and its loads are in the file, the table names the pairs, the picture is there and is XML, benchstat
// reads the file, and plot says and draws the same again.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := pcbbench(t, tinySweep(dir)...)
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for _, want := range []string{"The knee is", "mix=churn", "arrivals=poisson", "global  direct ", "global  deferred ", "smr     direct ", "smr     deferred ", "  20% ", "  60% "} {
		if !strings.Contains(out, want) {
			t.Errorf("stdout lacks %q:\n%s", want, out)
		}
	}
	closed, open := 0, 0
	for _, r := range results(t, dir) {
		if strings.Contains(string(r.Name), "/arrivals=poisson/load=") {
			open++
		} else {
			closed++
		}
	}
	if closed != 4*3 || open != 4*2 {
		t.Errorf("%d results of closed loops, %d of open ones", closed, open)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*", "*.txt"))
	picture := strings.TrimSuffix(paths[0], ".txt") + ".svg"
	drawn := read(t, picture)
	for d := xml.NewDecoder(strings.NewReader(drawn)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the picture: %v", err)
		}
	}
	if !strings.Contains(errs, "picture in "+picture) {
		t.Errorf("stderr does not name the picture:\n%s", errs)
	}
	stat, err := exec.CommandContext(t.Context(), "go", "tool", "benchstat", "-filter", ".unit:lat-p99-ns", "-col", "/dispatch", "-row", "/scheme /load@num", paths[0]).CombinedOutput()
	if err != nil || !strings.Contains(string(stat), "lat-p99-sec") || !strings.Contains(string(stat), "deferred") {
		t.Errorf("benchstat: %v\n%s", err, stat)
	}
	if err := os.Remove(picture); err != nil {
		t.Fatal(err)
	}
	code, again, _ := pcbbench(t, "plot", paths[0])
	if code != exitOK || again != out || read(t, picture) != drawn {
		t.Errorf("plot of the same file: exit code %d, %s\nwant what sweep said:\n%s", code, again, out)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSweepBudget gives a budget that holds nothing: that is said, and the fewest and the most loads are measured all the same.
func TestSweepBudget(t *testing.T) {
	dir := t.TempDir()
	code, _, errs := pcbbench(t, "sweep", "-results", dir, "-budget", "1ms", "-processes", "1", "-schemes", "global", "-dispatch", "direct", "-workers", "1", "-loads", "20,40,60")
	if code != exitOK || !strings.Contains(errs, "too small for all loads: 2 experiments left") || !strings.Contains(errs, "the budget of 1ms is too small: this will take about") {
		t.Errorf("exit code %d, stderr %s", code, errs)
	}
}

func TestSweepRefusals(t *testing.T) {
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed.txt")
	if err := os.WriteFile(closed, []byte("BenchmarkInput/scheme=global/mix=rpc/workers=1 10 5 ns/seg 2e8 segs/s\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "results")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"sweep", "-arrivals", "nothere"}, exitUsage, `unknown arrivals "nothere"; known: poisson, burst, onoff`},
		{[]string{"sweep", "-arrivals", "burst:frames=0"}, exitUsage, `frames="0"`},
		{[]string{"sweep", "-loads", "0"}, exitUsage, "want a number above 0"},
		{[]string{"sweep", "-loads", "2000"}, exitUsage, "load=2000: want 1 to 1000 percent"},
		{[]string{"sweep", "-rates", "x"}, exitUsage, "-rates"},
		{[]string{"sweep", "-affinity", "spray"}, exitUsage, "affinity=spray"},
		{[]string{"sweep", "-budget", "0"}, exitUsage, "-budget"},
		{[]string{"sweep", "-processes", "0"}, exitUsage, "-processes"},
		{[]string{"sweep", "stray"}, exitUsage, `unexpected argument "stray"`},
		{[]string{"bench", "-arrivals", "poisson"}, exitUsage, "give -rates or -loads"},
		{[]string{"bench", "-loads", "50"}, exitUsage, "give -arrivals"},
		{[]string{"bench", "-arrivals", "poisson", "-loads", "abc"}, exitUsage, "want a number above 0"},
		{[]string{"plot"}, exitUsage, "results file is missing"},
		{[]string{"plot", filepath.Join(dir, "missing.txt")}, exitUsage, "missing.txt"},
		{[]string{"plot", closed}, exitFailed, "no result of an open loop"},
	} {
		args := c.args
		if args[0] != "plot" {
			args = append([]string{args[0], "-results", target}, args[1:]...)
		}
		if code, out, errs := pcbbench(t, args...); code != c.code || out != "" || !oneLine(errs, c.says, "pcbbench: ") {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %d and one line with %q", args, code, out, errs, c.code, c.says)
		}
		if _, err := os.Stat(target); err == nil {
			t.Fatalf("%q has begun to write results", args)
		}
	}
}
