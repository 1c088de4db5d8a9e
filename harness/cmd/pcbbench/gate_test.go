package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/gate"
	"pcbbench/harness/compare/verdict"
)

// gateHeader is what a results file begins with, as far as a gate looks.
const gateHeader = `goos: linux
goarch: amd64
cpu: Some CPU
cpus-allowed: 0-1
go: go1.26.8
gomaxprocs: 2
commit: %s
commit:
Unit ns/seg better=lower
Unit allocs/seg better=lower assume=exact
Unit locks/seg better=lower assume=exact
Unit rmw/seg better=lower assume=exact
Unit stores/seg better=lower assume=exact
Unit loads/seg better=lower assume=exact
`

const (
	gateSMR    = "Input/scheme=smr/mix=churn"
	gateGlobal = "Input/scheme=global/mix=churn"
	gateExact  = "Exact/scheme=smr/mix=churn"
)

// sampleLines are eight samples of a benchmark about a time a segment, which lie within spread (a share) of it.
func sampleLines(name string, ns, spread float64) (text string) {
	for _, d := range []float64{-0.9, 0.7, 0.2, -0.4, 1, -0.6, 0.5, -0.1} {
		text += fmt.Sprintf("Benchmark%s 1000 %.4f ns/seg 0 allocs/seg 1 pingpong-class 0 disturbed\n", name, ns*(1+d*spread))
	}
	return text
}

// countLine is an exact result.
func countLine(locks string) string {
	return "Benchmark" + gateExact + " 1000 " + locks + " locks/seg 3.5 rmw/seg 7 stores/seg 20.25 loads/seg\n"
}

// results files of the tests, by name.
func gateFiles(t *testing.T) (path func(name string) string) {
	t.Helper()
	header := func(commit string) string { return fmt.Sprintf(gateHeader, commit) }
	global := sampleLines(gateGlobal, 200, 0.003)
	plain := func(commit string, smr float64) string {
		return header(commit) + sampleLines(gateSMR, smr, 0.003) + global
	}
	slow := plain("bbb", 105)
	files := map[string]string{
		"old": plain("aaa", 100), "old2": plain("aaa", 100.01),
		"same": plain("bbb", 100.02), "same2": plain("bbb", 100.03),
		"slow": slow, "slow2": plain("bbb", 105.5),
		"other-code": plain("ccc", 105), "fast": plain("bbb", 90),
		"wide":       header("bbb") + sampleLines(gateSMR, 100, 0.2) + global,
		"row-gone":   header("bbb") + global,
		"unit-gone":  strings.ReplaceAll(plain("bbb", 100), "0 allocs/seg ", ""),
		"allocates":  strings.Replace(plain("bbb", 100), "0 allocs/seg", "0.25 allocs/seg", -1),
		"machine":    strings.Replace(slow, "Some CPU", "Another CPU", 1),
		"unsaid":     strings.Replace(plain("bbb", 100), "cpu: Some CPU\n", "", 1),
		"go":         strings.Replace(slow, "go1.26.8", "go1.27.1", 1),
		"gomaxprocs": strings.Replace(slow, "gomaxprocs: 2", "gomaxprocs: 4", 1),
		"nan":        strings.Replace(slow, "105.2205 ns/seg", "NaN ns/seg", 1),
		"truncated":  slow[:len(slow)-30],
		"empty":      "",
		"garbage":    "\x00\x01\xff\n",
		"elsewhere":  strings.ReplaceAll(slow, "1 pingpong-class", "2 pingpong-class"),
		"disturbed":  strings.Replace(plain("bbb", 100), "0 disturbed", "1 disturbed", 11),
		"counts":     header("aaa") + countLine("1.5"), "counts-same": header("bbb") + countLine("1.5"),
		"counts-more": header("bbb") + countLine("1.5001"), "counts-less": header("bbb") + countLine("1.4999"),
		"counts-gone": header("bbb") + strings.Replace(countLine("1.5"), " 3.5 rmw/seg", "", 1),
		"foreign":     "BenchmarkFoo 10 5 ns/op\n",
		"pairs":       pairsFile(1), "pairs-slow": pairsFile(1.05), "pairs-slow2": pairsFile(1.052),
		"limits-bad": "Input ns/seg 2%\nInput ns/seg\n", "limits": "Input ns/seg 60%\nInput allocs/seg exact\n",
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return filepath.Join(dir, name) }
}

// pairsFile is a file of pcbbench ab: 12 restarts of both arms with two pairs each, new over old about a ratio.
func pairsFile(ratio float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, gateHeader, "aaa")
	for pair := range 24 {
		ns := 100 * (1 + float64(pair%5)/50) // drifts, and both drift together
		line := func(arm string, ns float64) {
			fmt.Fprintf(&b, "toolchain: %s\nBenchmark%s 1000 %.4f ns/seg 0 allocs/seg %d pair %d restart 1 pingpong-class 0 disturbed\n", arm, gateSMR, ns, pair, pair/2)
		}
		line("baseline", ns)
		line("experiment", ns*(ratio+float64(pair%7-3)/1000))
	}
	return b.String()
}

// TestGate runs the binary to every exit code. What it says ends with the verdict and with what to do.
func TestGate(t *testing.T) {
	path := gateFiles(t)
	for _, c := range []struct {
		args string // of which those that are no flags are files
		code int
		says []string
	}{
		{"old same", 0, []string{"No regression in 4 figures of 2 benchmarks.", "Nothing is left to do."}},
		{"old fast", 0, []string{"improvement: " + gateSMR + ": ns/seg -10.0% [", "No regression"}},
		{"old unsaid", 0, []string{"note: cpu was \"Some CPU\" and is \"not said\"", "No regression"}},
		{"counts counts-same", 0, []string{"No regression in 4 figures of 1 benchmark. Neither arm has Input ns/seg,"}},
		{"counts counts-less", 0, []string{"improvement: " + gateExact + ": locks/seg 1.5 → 1.4999, exact"}},
		{"pairs", 0, []string{"No regression in 2 figures of 1 benchmark."}},
		{"-limits limits old slow", 0, []string{"within limit: " + gateSMR + ": ns/seg +5.0% [", "limit 60%"}},
		{"-again old2 -again same2 old slow", 0, []string{"not confirmed: " + gateSMR + ": ns/seg +5.0% [", "the second excludes it", "No regression"}},

		{"-again old2 -again slow2 old slow", 1, []string{"regression: " + gateSMR + ": ns/seg +5.0% [", "limit 2%, seen again in the second run (+5.5% [", "Regression in 1 of 4 figures", "Mend it"}},
		{"-again pairs-slow2 pairs-slow", 1, []string{"regression: " + gateSMR + ": ns/seg +5.0% [", "seen again in the second run"}},
		{"counts counts-more", 1, []string{"regression: " + gateExact + ": locks/seg 1.5 → 1.5001, exact", "Regression in 1 of 4 figures"}},
		{"old allocates", 1, []string{"regression: " + gateSMR + ": allocs/seg 0 → 0.25, exact"}},

		{"old row-gone", 2, []string{"unusable: " + gateSMR + ": ns/seg is missing from the new arm", "Unusable: ", "nothing has passed"}},
		{"row-gone same", 2, []string{"unusable: " + gateSMR + ": ns/seg is missing from the old arm"}},
		{"old unit-gone", 2, []string{"unusable: " + gateSMR + ": allocs/seg is missing from the new arm"}},
		{"counts counts-gone", 2, []string{"unusable: " + gateExact + ": rmw/seg is missing from the new arm"}},
		{"-again old2 -again row-gone old slow", 2, []string{"unusable: " + gateSMR + ": ns/seg is missing from the new arm"}},

		{"old slow", 3, []string{"accused: " + gateSMR + ": ns/seg +5.0% [", "limit 2%, in one run", "Cannot tell yet: one run accuses 1 of 4 figures", "run it again", "pcbbench gate -again OLD2 -again NEW2 "}},
		{"pairs-slow", 3, []string{"accused: " + gateSMR, "pcbbench gate -again PAIRS2 "}},
		{"old wide", 3, []string{"cannot tell: " + gateSMR + ": ns/seg ", "a regression of 2% is not excluded", "Cannot tell: no regression is proven", "Measure again"}},
		{"old elsewhere", 3, []string{"cannot tell: " + gateSMR + ": ns/seg cannot be compared: most samples of the arms were taken with the CPUs in different places"}},
		{"old disturbed", 3, []string{"of the first run's samples were disturbed"}},
	} {
		code, out, errs := pcbbench(t, gateArgs(path, c.args)...)
		if code != c.code || errs != "" {
			t.Errorf("gate %s: exit code %d, want %d; %s\n%s", c.args, code, c.code, errs, out)
		}
		for _, s := range c.says {
			if !strings.Contains(out, s) {
				t.Errorf("gate %s does not say %q:\n%s", c.args, s, out)
			}
		}
	}
}

// TestGateRefusals checks that what cannot be judged is never a pass, and is told in one line.
func TestGateRefusals(t *testing.T) {
	path := gateFiles(t)
	for _, c := range []struct {
		args string
		says []string
	}{
		{"", []string{"old results file", "missing"}},
		{"old", []string{"new results file is missing"}},
		{"old same slow", []string{"unexpected argument"}},
		{"old nothere", []string{path("nothere")}},
		{"nothere same", []string{path("nothere")}},
		{"-again old2 -again nothere old same", []string{path("nothere")}},
		{"-again old2 -again truncated old same", []string{path("truncated") + ":"}},
		{"-again old2 old slow", []string{"2 files of a first run and 1 of a second"}},
		{"old old", []string{"the same file"}},
		{"-again old -again slow2 old slow", []string{"the same file"}},
		{"-again old2 -again other-code old slow", []string{"commit", "bbb", "ccc", "the same code"}},
		{"old machine", []string{"cpu", "Some CPU", "Another CPU"}},
		{"old go", []string{"go1.26.8", "go1.27.1"}},
		{"old gomaxprocs", []string{"gomaxprocs"}},
		{"-again old2 -again machine old slow", []string{"cpu", "Another CPU"}},
		{"old nan", []string{path("nan") + ":16", "NaN"}},
		{"old truncated", []string{path("truncated") + ":"}},
		{"old empty", []string{path("empty")}},
		{"old garbage", []string{path("garbage")}},
		{"foreign old", []string{path("foreign") + " has no result of unit"}},
		{"old counts-same", []string{"no benchmark is in both arms"}},
		{"-limits nothere old same", []string{path("nothere")}},
		{"-limits limits-bad old same", []string{path("limits-bad") + ":2: 2 words"}},
		{"-limits limits counts counts-same", []string{"no result has a metric that gates"}},
		{"-format xml old same", []string{`-format "xml"`, "text, markdown, json"}},
		{"-force old machine", []string{"-force"}},
	} {
		code, out, errs := pcbbench(t, gateArgs(path, c.args)...)
		if code != exitUsage || out != "" || !oneLine(errs, append(c.says, "pcbbench: ")...) {
			t.Errorf("gate %s: exit code %d, stdout %q, stderr %q; want %d and one line with %q", c.args, code, out, errs, exitUsage, c.says)
		}
	}
}

// gateArgs are gate's, with files by their paths.
func gateArgs(path func(string) string, line string) []string {
	args := []string{"gate"}
	for word := range strings.FieldsSeq(line) {
		if !strings.HasPrefix(word, "-") && word != "xml" {
			word = path(word)
		}
		args = append(args, word)
	}
	return args
}

// TestGateFormats checks that all forms say the same verdict by the same exit code.
func TestGateFormats(t *testing.T) {
	path := gateFiles(t)
	for format, begins := range map[string]string{"text": "regression: ", "markdown": "**Regression in 1 of 4 figures", "json": "{"} {
		code, out, errs := pcbbench(t, "gate", "-format", format, path("counts"), path("counts-more"))
		if code != 1 || errs != "" || !strings.HasPrefix(out, begins) {
			t.Errorf("%s: exit code %d, %s\n%s", format, code, errs, out)
		}
		if format == "json" {
			var v struct{ Code *int }
			if err := json.Unmarshal([]byte(out), &v); err != nil || v.Code == nil || *v.Code != 1 {
				t.Errorf("json: %v\n%s", err, out)
			}
		}
	}
}

// TestJudgeRuns checks that a second run is asked for when somebody is accused and only then, by name, and that a run that fails is no verdict.
func TestJudgeRuns(t *testing.T) {
	limits, err := gate.Default()
	if err != nil {
		t.Fatal(err)
	}
	timed := func(ratio float64) *compare.Comparison {
		effect := verdict.Effect{Ratio: ratio, Lo: ratio - 0.001, Hi: ratio + 0.001, P: 1e-6, N: 9}
		samples := make([]float64, 9)
		return &compare.Comparison{Alpha: 0.01, Rows: []compare.Row{
			{Name: gateSMR, Unit: "ns/seg", Old: samples, New: samples, Better: -1, Effect: effect},
			{Name: gateSMR, Unit: "allocs/seg", Old: samples, New: samples, Better: -1, Exact: true},
		}}
	}
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		first, second *compare.Comparison
		failure       error // of the second run
		runs, code    int
	}{
		"nobody accused": {first: timed(1), runs: 1, code: gate.Passed},
		"no second run":  {first: timed(1.1), runs: 2, code: gate.Undetermined},
		"confirmed":      {first: timed(1.1), second: timed(1.1), runs: 2, code: gate.Regressed},
		"not confirmed":  {first: timed(1.1), second: timed(1), runs: 2, code: gate.Passed},
		"second fails":   {first: timed(1.1), failure: broken, runs: 2},
	} {
		runs := 0
		v, err := judge(t.Context(), func(_ context.Context, only []string) (*compare.Comparison, error) {
			if runs++; runs == 1 {
				if only != nil {
					t.Errorf("%s: the first run is of %q only", name, only)
				}
				return c.first, nil
			}
			if !slices.Equal(only, []string{gateSMR}) {
				t.Errorf("%s: the second run is of %q", name, only)
			}
			return c.second, c.failure
		}, limits)
		if runs != c.runs || !errors.Is(err, c.failure) || err == nil && v.Code != c.code {
			t.Errorf("%s: %d runs, %+v, %v", name, runs, v, err)
		}
	}
	if _, err := judge(t.Context(), func(context.Context, []string) (*compare.Comparison, error) { return nil, broken }, limits); !errors.Is(err, broken) {
		t.Errorf("a first run that fails: %v", err)
	}
}
