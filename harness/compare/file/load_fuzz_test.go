package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad loads arbitrary bytes: an error begins with the file and is one line unless a name is not; what is loaded is whole.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"", "goos: linux\n", ours, ours + "BenchmarkInput/a 10 5 ns/seg 1 disturbed\n", "BenchmarkX 1 NaN ns/op\n", "BenchmarkX 0 5 ns/op\n", "BenchmarkX 1 5 ns/op",
		"a: 1\nBenchmarkX 1 5 ns/op\na: 2\nb: 3\nb:\nBenchmarkX-8 1 5 ns/op 6 B/op\nb: 4\n", "toolchain: baseline\nBenchmarkX 1 5 ns/op 1 pair 1 restart\ntoolchain:\n",
		"Unit ns/op better=lower\nUnit ns/op better=higher\n", "\ufeffa: b\n", "a:\nä: b\nA: b\n:\n", "BenchmarkX 1 5 \u2028 6 ns/op\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "results.txt")
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		file, err := Load(path)
		if err != nil {
			if msg := err.Error(); !strings.HasPrefix(msg, path+":") || strings.Contains(msg, "\n") {
				t.Errorf("error %q", msg)
			}
			return
		}
		if len(file.Results) == 0 || len(file.Runs) == 0 || text[len(text)-1] != '\n' {
			t.Errorf("loaded: %+v", file)
		}
		lines := strings.Split(string(text), "\n")
		for _, r := range file.Results {
			if !strings.HasPrefix(lines[r.Line-1], "Benchmark"+string(r.Name)) || r.Iters < 1 || r.Run == nil || r.Run.Line > r.Line {
				t.Errorf("line %d is read as %+v, of the run of line %d", r.Line, r, r.Run.Line)
			}
		}
	})
}
