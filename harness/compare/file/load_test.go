package file

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/perf/benchmath"
)

// write puts text into a file of its own.
func write(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "results.txt")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, text string) *File {
	t.Helper()
	f, err := Load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestRecorded reads every recorded results file.
func TestRecorded(t *testing.T) {
	paths, err := filepath.Glob("../../../results/*-*/*.txt")
	if err != nil || len(paths) < 8 {
		t.Fatalf("%d recorded files, %v", len(paths), err)
	}
	for _, path := range paths {
		f, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(f.Runs) != 1 || f.Runs[0].Facts["commit"] == "" || f.Runs[0].Facts["go"] == "" {
			t.Errorf("%s: %d runs, the first with %v", path, len(f.Runs), f.Runs[0].Facts)
		}
	}
}

// ours is the header of a file of pcbbench.
const ours = "goos: linux\ncpu: X\ncpus-allowed: 0-1\ndate: today\ntorture: not run\n# that was it\ndate:\ntorture:\nUnit ns/seg better=lower\nUnit allocs/seg better=lower assume=exact\n"

// TestLoad reads what pcbbench writes.
func TestLoad(t *testing.T) {
	f := load(t, ours+"BenchmarkInput/scheme=a 10 5 ns/seg 0 allocs/seg 0 disturbed 3 retired 0.5 gone/seg\nBenchmarkInput/scheme=a 11 6 ns/seg 0 allocs/seg 1 disturbed\n")
	if len(f.Results) != 2 || len(f.Runs) != 1 {
		t.Fatalf("%d results in %d runs", len(f.Results), len(f.Runs))
	}
	a, b := f.Results[0], f.Results[1]
	if a.Line != 11 || b.Line != 12 || a.Disturbed || !b.Disturbed || a.Iters != 10 || b.Iters != 11 || string(b.Name) != "Input/scheme=a" || a.Run != f.Runs[0] || b.Run != f.Runs[0] {
		t.Errorf("results %+v, %+v", a, b)
	}
	if v, unit := Written(a.Values[0]); v != 5 || unit != "ns/seg" {
		t.Errorf("the first value is %v %s", v, unit)
	}
	if got := a.GetConfig("cpu") + a.GetConfig("date"); got != "X" {
		t.Errorf("configuration %q; the date is unset", got)
	}
	if want := map[string]string{"goos": "linux", "cpu": "X", "cpus-allowed": "0-1", "date": "today", "torture": "not run"}; !maps.Equal(f.Runs[0].Facts, want) || f.Runs[0].Line != 1 {
		t.Errorf("the run says %v from line %d", f.Runs[0].Facts, f.Runs[0].Line)
	}
	if f.Units.GetBetter("ns/seg") != -1 || f.Units.GetAssumption("allocs/seg") != benchmath.AssumeExact {
		t.Errorf("units %v", f.Units)
	}
}

// TestOtherRevision takes units that this one does not know from an arm of a comparison.
func TestOtherRevision(t *testing.T) {
	f := load(t, ours+"toolchain: baseline\nBenchmarkInput/a 10 5 ns/seg 3 gone/packet\ntoolchain: experiment\nBenchmarkInput/a 10 5 ns/seg\ntoolchain:\nBenchmarkInput/b 10 5 ns/seg\n")
	got := ""
	for _, r := range f.Results {
		got += r.Toolchain() + ";"
	}
	if got != "baseline;experiment;;" {
		t.Errorf("arms %s", got)
	}
}

// TestForeign reads what go test -bench writes, logs and all.
func TestForeign(t *testing.T) {
	f := load(t, "goos: linux\ngoarch: amd64\npkg: a\ncpu: X\nBenchmarkA\nBenchmarkA-8\t 100\t 5.5 ns/op\t -1 delta\nsome log: line\nBenchmarkA-8 100 6 ns/op 2 delta\n--- BENCH: BenchmarkA-8\nPASS\nok  \ta\t1.3s\n"+
		"goos: linux\ngoarch: amd64\npkg: failing\n--- FAIL: BenchmarkF\nFAIL\n"+
		"goos: linux\r\ngoarch: amd64\r\npkg: b\r\nBenchmarkB 1 7 ns/op\r\nPASS\r\n")
	if len(f.Results) != 3 || len(f.Runs) != 2 {
		t.Fatalf("%d results in %d runs", len(f.Results), len(f.Runs))
	}
	if got := f.Results[1].Run.Facts["pkg"] + f.Results[2].Run.Facts["pkg"] + f.Results[1].GetConfig("pkg") + f.Results[2].GetConfig("pkg"); got != "abab" {
		t.Errorf("packages %q", got)
	}
}

// TestRuns checks which run a fact belongs to.
func TestRuns(t *testing.T) {
	const result = "BenchmarkX 1 5 ns/op\n"
	for name, c := range map[string]struct {
		text string
		want string // each result's run: its line and its facts a, b, c
	}{
		"no fact":                 {result, "1:--- "},
		"joined":                  {"a: 1\nb: 2\nb:\n" + result + result + "a: 3\nb: 4\nb:\n" + result, "1:12- 1:12- 6:34- "},
		"joined, fewer facts":     {"a: 1\nb: 2\nb:\n" + result + "a: 3\n" + result, "1:12- 5:3-- "},
		"facts below":             {"a: 1\n" + result + "b: 2\nc: 3\nb:\nc:\n", "1:123 "},
		"facts below, joined":     {"a: 1\n" + result + "b: 2\nb:\na: 3\n" + result + "b: 4\nb:\n", "1:12- 5:34- "},
		"late facts":              {result + "b: 2\n" + result, "1:--- 2:-2- "},
		"one of several packages": {"a: 1\nb: 2\n" + result + "b: 3\n" + result, "1:12- 4:13- "},
		"arms":                    {"a: 1\ntoolchain: baseline\n" + result + "toolchain: experiment\n" + result + "toolchain: baseline\n" + result, "1:1-- 1:1-- 1:1-- "},
		"no value and no fact":    {"a: 1\nnokey:x\nB: 2\nb c: 3\n: 4\n" + result, "1:1-- "},
		"said twice":              {"a: 1\nb: 2\na: 1\n" + result, "3:12- "},
	} {
		got := ""
		for _, r := range load(t, c.text).Results {
			got += fmt.Sprint(r.Run.Line, ":")
			for _, key := range []string{"a", "b", "c"} {
				got += r.Run.Facts[key]
				if r.Run.Facts[key] == "" {
					got += "-"
				}
			}
			got += " "
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestBad checks that what is no results file, or not all of one, is refused in one line that says where and why.
func TestBad(t *testing.T) {
	const result = "BenchmarkInput/a 10 5 ns/seg 0 disturbed\n"
	for name, c := range map[string]struct {
		text string
		line int // 0: of the file as a whole
		says string
	}{
		"empty":                  {"", 0, "the file is empty"},
		"no line":                {"\n", 0, "holds no result"},
		"no result":              {"goos: linux\nPASS\n", 0, "holds no result"},
		"names alone":            {"BenchmarkA\nBenchmarkB\n", 0, "holds no result"},
		"header alone":           {ours, 1, "cut off in its header"},
		"header cut off, joined": {"goos: linux\ncpu: X\ncpus-allowed: 0-1\n" + ours + result, 1, "cut off in its header"},
		"result, then a header":  {ours + result + ours, 12, "cut off in its header"},
		"no newline":             {ours + strings.TrimSuffix(result, "\n"), 11, "does not end in a newline"},
		"cut in a number":        {ours + result + "BenchmarkInput/a 10 5 ns/seg 0.0", 12, "does not end in a newline"},
		"cut in a fact":          {"goos: lin", 1, "does not end in a newline"},
		"cut, and joined":        {ours + strings.TrimSuffix(result, "\n") + ours + result, 11, "parsing"},
		"cut between values":     {ours + result + "BenchmarkInput/a 10 5 ns/seg\n", 12, "no value of disturbed, which line 11 has"},
		"cut, foreign":           {"BenchmarkX 1 5 ns/op 2 B/op 3 allocs/op\nBenchmarkX 1 5 ns/op 2 B/op 3 allocs/op\nBenchmarkX 1 5 ns/op 2 B/op\n", 3, "2 values, fewer than all others"},
		"name alone, ours":       {ours + "BenchmarkInput/a\n" + result, 11, "name without a result"},
		"no iterations":          {"BenchmarkX\t\n", 1, "missing iteration count"},
		"zero iterations":        {"BenchmarkX 0 5 ns/op\n", 1, "benchmark X: 0 iterations"},
		"negative iterations":    {"BenchmarkX -3 5 ns/op\n", 1, "-3 iterations"},
		"many iterations":        {"BenchmarkX many 5 ns/op\n", 1, "parsing iteration count"},
		"no values":              {"goos: linux\nBenchmarkX 10\n", 2, "missing measurements"},
		"no number":              {"BenchmarkX 10 5x ns/op\n", 1, "parsing measurement"},
		"number too large":       {"BenchmarkX 10 1e400 ns/op\n", 1, "parsing measurement"},
		"no unit":                {"BenchmarkX 10 5 ns/op 7\n", 1, "missing units"},
		"two numbers":            {"BenchmarkX 10 5 6\n", 1, "5 is followed by 6 where its unit should stand"},
		"NaN":                    {"BenchmarkX 10 NaN ns/op\n", 1, "NaN ns/op is no measurement"},
		"Inf":                    {"BenchmarkX 10 5 ns/op -Inf things\n", 1, "-Inf things is no measurement"},
		"negative time":          {"BenchmarkX 10 -5 ns/op\n", 1, "-5 ns/op is negative"},
		"negative rate":          {"BenchmarkX 10 -5 MB/s\n", 1, "-5 MB/s is negative"},
		"negative, ours":         {ours + "BenchmarkInput/a 10 5 ns/seg -1 retired\n", 11, "-1 retired is negative"},
		"unit twice":             {"BenchmarkX 10 5 ns/op 5 ns/op\n", 1, "unit ns/op stands there twice"},
		"half disturbed":         {ours + "BenchmarkInput/a 10 5 ns/seg 0.5 disturbed\n", 11, "0.5 disturbed; want 0 or 1"},
		"unit misspelt":          {ours + "BenchmarkInput/a 10 5 ns/sge 0 disturbed\n", 11, "unit ns/sge is unknown"},
		"ratio of what":          {ours + "BenchmarkInput/a 10 5 ns/seg 3 gone/packet\n", 11, "unit gone/packet is unknown"},
		"contradictory units":    {ours + "Unit ns/seg better=higher\n" + result, 11, "already set to lower"},
		"unit without a key":     {"Unit ns/op\nUnit ns/op lower\n" + result, 2, "expected key=value"},
		"better than what":       {"Unit ns/op better=sideways\n" + result, 1, "better=sideways; want one of higher, lower"},
		"assumption":             {"Unit ns/op assume=normal\n" + result, 1, "assume=normal; want one of nothing, exact"},
		"NUL":                    {ours + result + "Bench\x00\x00\x00\n", 12, "bytes that are no text"},
		"no UTF-8":               {"\xff\xfe\x80\n" + result, 1, "bytes that are no text"},
		"byte order mark":        {"\ufeff" + result, 1, "byte order mark"},
		"long line":              {ours + strings.Repeat("x", 1<<20) + "\n" + result, 11, "longer than 65535 bytes"},
		"long result":            {"BenchmarkX 10" + strings.Repeat(" 1 x", 1<<18) + "\n", 1, "longer than 65535 bytes"},
	} {
		path := write(t, c.text)
		f, err := Load(path)
		if err == nil {
			t.Errorf("%s: loaded %d results", name, len(f.Results))
			continue
		}
		place := path + ": "
		if c.line > 0 {
			place = fmt.Sprintf("%s:%d: ", path, c.line)
		}
		if msg := err.Error(); !strings.HasPrefix(msg, place) || !strings.Contains(msg, c.says) || strings.Contains(msg, "\n") {
			t.Errorf("%s: said as %q; want %q in line %d", name, msg, c.says, c.line)
		}
	}
}

func TestMissing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.txt")
	if _, err := Load(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing file is told as %v", err)
	}
	dir := t.TempDir()
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder is told as %v", err)
	}
}

// TestLongest takes a line that is just short enough.
func TestLongest(t *testing.T) {
	if f := load(t, strings.Repeat("x", longest-1)+"\nBenchmarkX 1 5 ns/op\n"); f.Results[0].Line != 2 {
		t.Errorf("the result stands in line %d", f.Results[0].Line)
	}
}

// TestKept checks that of a long file no more is kept than its results, and that these share what they can. It reads 8 MB; with PCBBENCH_BIG set 100 MB.
func TestKept(t *testing.T) {
	size := 8 << 20
	if os.Getenv("PCBBENCH_BIG") != "" {
		size = 100 << 20
	}
	const results = 1000
	logs := strings.Repeat("a line that somebody has logged, of which there are a great many\n", size/results/65)
	path := filepath.Join(t.TempDir(), "long.txt")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results {
		fmt.Fprintf(out, "%sBenchmarkLong/name=%s 1 %d ns/op\n", logs, strings.Repeat("x", 1000), i+1)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	before := heap()
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if kept := heap() - before; kept > 1<<20 {
		t.Errorf("%d bytes are kept of %d results", kept, results)
	}
	if len(f.Results) != results || f.Results[results-1].Values[0].OrigValue != results {
		t.Errorf("%d results, the last %+v", len(f.Results), f.Results[len(f.Results)-1])
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestEnd holds a run to the number of results that it says it has, and knows one that did not come to its end.
func TestEnd(t *testing.T) {
	const header, result, end = "cpus-allowed: 0-1\nepoch: 1\n", "BenchmarkX 1 2 ns/seg 5e+08 segs/s\n", "results: 2\nresults:\n"
	load := func(text string) (*File, error) {
		path := filepath.Join(t.TempDir(), "f.txt")
		if err := os.WriteFile(path, []byte("Unit ns/seg better=lower\nUnit segs/s better=higher\n"+text), 0o666); err != nil {
			t.Fatal(err)
		}
		return Load(path)
	}
	for text, ended := range map[string][]bool{
		header + result + result + end: {true},
		header + result + result:       {false},
		result:                         {true}, // who says no epoch need not say this
		header + result + result + end + header + result:                     {true, false},
		header + result + header + result + result + end:                     {false, true},
		header + result + result + end + header + result + result + end:      {true, true},
		header + result + result + "alpha: 0.01\nalpha:\n" + end + "# end\n": {true},
	} {
		f, err := load(text)
		if err != nil || len(f.Runs) != len(ended) {
			t.Errorf("%v, %d runs of\n%s", err, len(f.Runs), text)
			continue
		}
		for i := range ended {
			if f.Runs[i].Ended != ended[i] {
				t.Errorf("run %d has ended: %v, want %v\n%s", i, f.Runs[i].Ended, ended[i], text)
			}
		}
	}
	for text, want := range map[string]string{
		header + result + end:                             "says that it has 2 results, and has 1",
		header + result + result + result + end:           "says that it has 2 results, and has 3",
		header + "BenchmarkX 1 2 ns/seg 4.9e+08 segs/s\n": "2 ns/seg are not 4.9e+08 segs/s",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
