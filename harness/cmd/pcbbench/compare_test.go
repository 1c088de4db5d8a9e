package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// compared is a folder of small results files by name.
func compared(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	compareFacts = "goos: linux\ncpu: X\ncpus-allowed: 0-1\ngo: go1.26\ngomaxprocs: 2\nepoch: 1\ntorture: passed, sha256 abc\ntorture:\nUnit ns/seg better=lower\n"
	compareOne   = "BenchmarkInput/scheme=global/mix=churn/workers=1 1 100 ns/seg 0 disturbed\n"
)

// TestCompare compares recorded-looking files in every format.
func TestCompare(t *testing.T) {
	data := filepath.Join("..", "..", "compare", "testdata", "compare")
	old, new, pairs := filepath.Join(data, "old.txt"), filepath.Join(data, "new.txt"), filepath.Join(data, "pairs.txt")
	for _, c := range []struct {
		args      []string
		out, errs []string // said on stdout and on stderr
	}{
		{[]string{old, new}, []string{"scheme=smr", "  slower\n", "  faster\n", "only in new: mix=rpc scheme=connp", "8 values were left out as disturbed", "\nTorture passed, sha256 aaaa.\nTorture passed, sha256 bbbb.\n"}, nil},
		{[]string{"-units", "allocs/seg", old, new}, []string{"allocs/seg", "  exact  ", "  worse\n"}, nil},
		{[]string{"-filter", "/scheme:smr", "-row", "/mix", "-table", "/scheme", old, new}, []string{"\nscheme=smr\n", "\nmix=churn  "}, nil},
		{[]string{"-alpha", "0.0001", "-confidence", "0.9", old, new}, []string{"0 of 12 rows differ: p < 0.0001", "[90% interval]"}, nil},
		{[]string{pairs}, []string{"old: baseline 111111111111", "pairs in restarts", "look 4 of 4", "p < 0.008", "Torture not run: " + pairs}, nil},
		{[]string{"-format", "markdown", old, new}, []string{"|---|---:|", "<details>", "\n\nTorture passed, sha256 aaaa.\n"}, nil},
		{[]string{"-format", "csv", old, new}, []string{"table,row,unit,"}, []string{"Torture passed, sha256 bbbb.\n"}},
		{[]string{"-format", "json", pairs}, []string{`"paired": true`}, []string{"Torture not run: " + pairs}},
	} {
		code, out, errs := pcbbench(t, append([]string{"compare"}, c.args...)...)
		if code != exitOK || len(c.errs) == 0 && errs != "" {
			t.Errorf("%q: exit code %d, stderr %q", c.args, code, errs)
		}
		for text, wants := range map[string][]string{out: c.out, errs: c.errs} {
			for _, want := range wants {
				if !strings.Contains(text, want) {
					t.Errorf("%q: no %q in\n%s", c.args, want, text)
				}
			}
		}
		if strings.Contains(strings.Join(c.args, " "), "json") && !json.Valid([]byte(out)) {
			t.Errorf("%q: no JSON:\n%s", c.args, out)
		}
	}
}

// TestCompareRefusals checks that what does not compare, or is no results file, ends with one sentence and exit code 2, and prints no table.
func TestCompareRefusals(t *testing.T) {
	good := compareFacts + strings.Repeat(compareOne, 3)
	dir := compared(t, map[string]string{
		"good":         good,
		"machine":      strings.Replace(good, "cpu: X", "cpu: Y", 1),
		"go":           strings.Replace(good, "go1.26", "go1.27", 1),
		"gomaxprocs":   strings.Replace(good, "gomaxprocs: 2", "gomaxprocs: 4", 1),
		"epoch":        strings.Replace(good, "epoch: 1", "epoch: 2", 1),
		"concatenated": good + strings.Replace(good, "cpu: X", "cpu: Y", 1),
		"truncated":    strings.TrimSuffix(good, " disturbed\n"),
		"cut":          strings.TrimSuffix(good, " 0 disturbed\n") + "\n",
		"header":       compareFacts,
		"NaN":          good + strings.Replace(compareOne, "100", "NaN", 1),
		"zero":         good + strings.Replace(compareOne, " 1 100", " 0 100", 1),
		"unit":         good + strings.Replace(compareOne, "ns/seg", "ns/sge", 1),
		"garbage":      "\x7fELF\x02\x01\x01\x00\x00\n",
		"empty":        "",
		"other":        compareFacts + strings.ReplaceAll(compareOne, "churn", "rpc"),
		"arms":         "toolchain: baseline\n" + compareOne + "toolchain: experiment\n" + compareOne,
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{at("good"), at("machine")}, []string{`cpu was "X" and is "Y"`, "-force"}},
		{[]string{at("good"), at("go")}, []string{`go was "go1.26" and is "go1.27"`}},
		{[]string{at("good"), at("gomaxprocs")}, []string{`gomaxprocs was "2" and is "4"`}},
		{[]string{at("good"), at("epoch")}, []string{`epoch was "1" and is "2"`}},
		{[]string{at("concatenated"), at("good")}, []string{`cpu was "X | Y" and is "X"`}},
		{[]string{at("good"), at("truncated")}, []string{at("truncated") + ":12: ", "does not end in a newline"}},
		{[]string{at("cut"), at("good")}, []string{at("cut") + ":12: ", "no value of disturbed"}},
		{[]string{at("header"), at("good")}, []string{at("header") + ":1: ", "cut off in its header"}},
		{[]string{at("good"), at("NaN")}, []string{at("NaN") + ":13: ", "NaN ns/seg"}},
		{[]string{at("good"), at("zero")}, []string{at("zero") + ":13: ", "0 iterations"}},
		{[]string{at("good"), at("unit")}, []string{at("unit") + ":13: ", "ns/sge is unknown"}},
		{[]string{at("garbage"), at("good")}, []string{at("garbage") + ":1: ", "no text"}},
		{[]string{at("empty"), at("good")}, []string{at("empty") + ": ", "empty"}},
		{[]string{at("missing"), at("good")}, []string{at("missing")}},
		{[]string{dir, at("good")}, []string{dir}},
		{[]string{at("good"), at("other")}, []string{"no benchmark is in both"}},
		{[]string{at("good")}, []string{"new results file is missing"}},
		{[]string{at("arms"), at("good")}, []string{"both arms", "alone"}},
		{[]string{at("arms")}, []string{at("arms") + ":2: ", "no value of pair"}},
		{nil, []string{"old results file", "is missing"}},
		{[]string{at("good"), at("good"), "more"}, []string{`unexpected argument "more"`}},
		{[]string{"-format", "xml", at("good"), at("good")}, []string{`-format "xml"`, "text, csv, json, markdown"}},
		{[]string{"-alpha", "1", at("good"), at("good")}, []string{"-alpha"}},
		{[]string{"-confidence", "0", at("good"), at("good")}, []string{"-confidence"}},
		{[]string{"-units", "ns/op", at("good"), at("good")}, []string{`"ns/op"`, "there are ns/seg"}},
		{[]string{"-filter", "(", at("good"), at("good")}, []string{"filter"}},
		{[]string{"-row", "x@y", at("good"), at("good")}, []string{"row"}},
	} {
		code, out, errs := pcbbench(t, append([]string{"compare"}, c.args...)...)
		if code != exitUsage || out != "" || !oneLine(errs, append(c.says, "pcbbench: ")...) {
			t.Errorf("compare %q: exit code %d, stdout %q, stderr %q; want %d and one line with %q", c.args, code, out, errs, exitUsage, c.says)
		}
	}
	code, out, errs := pcbbench(t, "compare", "-force", at("good"), at("machine"))
	if code != exitOK || errs != "" || !strings.Contains(out, "Warning: cpu was \"X\" and is \"Y\": such results do not compare.\n") || !strings.Contains(out, "sec/seg") {
		t.Errorf("-force: exit code %d\n%s%s", code, out, errs)
	}
}
