package compare

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// tool runs one of this module's tools.
func tool(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the tools are started by the go command, which is not there")
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"tool"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("go tool %q: %v\n%s", args, err, &errs)
	}
	if errs.Len() > 0 {
		t.Errorf("go tool %q warns: %s", args, &errs)
	}
	return out.String()
}

// matrix is a file of two mixes, works and worker counts and four schemes, six different samples in each cell.
func matrix() string {
	rng := rand.New(rand.NewPCG(1, 2))
	text := "goos: linux\ndate: today\ndate:\nUnit ns/seg better=lower\nUnit allocs/seg better=lower assume=exact\n"
	for range 6 {
		for _, scheme := range []string{"smr", "connp:groups=16", "global", "null"} {
			for _, s := range []string{setting("churn", 1024, 1, 0), setting("churn", 1024, 1, 500), setting("churn", 1024, 16, 0),
				setting("bulk", 10, 1, 0), setting("bulk", 10, 1, 500), setting("bulk", 10, 16, 0)} {
				text += lines(scheme, s, 100+rng.Float64())
			}
		}
	}
	return text
}

// TestBenchstat checks that benchstat understands the arguments and finds nothing to warn of.
func TestBenchstat(t *testing.T) {
	path := write(t, matrix())
	tab := NewTable(load(t, matrix()))
	args := append([]string{"benchstat"}, tab.BenchstatArgs([]string{"global", "connp", "smr", "null"})...)
	out := tool(t, append(args, path)...)
	for _, warning := range []string{"vary in", "need >=", "all samples are equal", "parsing", "benchmark set differs"} {
		if strings.Contains(out, warning) {
			t.Errorf("benchstat warns: %s", warning)
		}
	}
	if n := strings.Count(out, "n=6"); n != 6*3*2 {
		t.Errorf("%d comparisons of six samples, want one for each of 6 settings, 3 further schemes and 2 metrics", n)
	}
	for _, want := range []string{"/workers: 1\n", "/workers: 16\n", "sec/seg", "p99-sec", "churn 500", "bulk"} {
		if !strings.Contains(out, want) {
			t.Errorf("benchstat does not say %q", want)
		}
	}
	if global, connp, smr, null := strings.Index(out, "global"), strings.Index(out, "connp:groups=16"), strings.Index(out, "smr"), strings.Index(out, "null"); global < 0 || global > connp || connp > smr || smr > null {
		t.Error("the columns are not in order")
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestBenchfilter checks that another reader takes the file whole.
func TestBenchfilter(t *testing.T) {
	text := matrix()
	out := tool(t, "benchfilter", "*", write(t, text))
	if want, got := strings.Count(text, "Benchmark"), strings.Count(out, "Benchmark"); got != want {
		t.Errorf("benchfilter finds %d of %d results", got, want)
	}
}
