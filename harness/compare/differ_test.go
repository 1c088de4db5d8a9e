package compare

import (
	"strings"
	"testing"
)

// TestDiffer checks which facts are told, and which forbid a comparison.
func TestDiffer(t *testing.T) {
	const result = "BenchmarkX 1 5 ns/op\n"
	for name, c := range map[string]struct {
		old, new string
		want     string // level and difference
	}{
		"nothing said":        {"", "", ""},
		"the same":            {"cpu: X\ngo: go1.26\n", "go: go1.26\ncpu: X\n", ""},
		"what may differ":     {"commit: a\ndate: b\nload: 3\n", "commit: b\ndate: c\nload: 4\n", ""},
		"machine":             {"cpu: X\n", "cpu: Y\n", `refused: cpu was "X" and is "Y"`},
		"Go":                  {"go: go1.25\n", "go: go1.26\n", `refused: go was "go1.25" and is "go1.26"`},
		"GOMAXPROCS":          {"gomaxprocs: 2\n", "gomaxprocs: 4\n", `refused: gomaxprocs was "2" and is "4"`},
		"epoch":               {"epoch: 1\n", "epoch: 2\n", `refused: epoch was "1" and is "2"`},
		"first epoch, unsaid": {"", "epoch: 1\n", ""},
		"later epoch":         {"", "epoch: 2\n", `refused: epoch was "1" and is "2"`},
		"profiled":            {"profiled: cpu\n", "", `refused: profiled was "cpu" and is "no"`},
		"both profiled":       {"profiled: cpu\n", "profiled: cpu\n", ""},
		"unsaid":              {"kernel: 6\n", "", `warned: kernel was "6" and is "not said"`},
		"two machines in one": {"cores: 2\n" + result + "cores: 4\n", "cores: 2\n", `refused: cores was "2 | 4" and is "2"`},
		"two machines in both": {"cores: 2\n" + result + "cores: 4\n", "cores: 4\n" + result + "cores: 2\n",
			`refused: cores is "2 | 4"`},
		"one run says":        {"cores: 2\n", result + "cores: 2\n", `warned: cores was "2" and is "2 | not said"`},
		"several":             {"cpu: X\ngo: go1.25\n", "cpu: Y\ngo: go1.26\n", `refused: cpu was "X" and is "Y", refused: go was "go1.25" and is "go1.26"`},
		"code":                {"torture: passed, a\n", "torture: passed, b\n", `said: torture was "passed, a" and is "passed, b"`},
		"tortured on one":     {"torture: passed, a\n", "", `warned: torture was "passed, a" and is "not run"`},
		"tortured in part":    {"torture: passed, a\n", "torture: not run for smr\n", `warned: torture was "passed, a" and is "not run for smr"`},
		"tortured on neither": {"torture: not run\n", "", ""},
	} {
		got := diff(t, c.old+result, c.new+result, Options{})
		var list []string
		for _, d := range got.Differ {
			list = append(list, string(d.Level)+": "+d.String())
		}
		if text := strings.Join(list, ", "); text != c.want {
			t.Errorf("%s: %s; want %s", name, text, c.want)
		}
		if err := got.Refusal(); (err != nil) != strings.Contains(c.want, "refused") {
			t.Errorf("%s: refusal %v", name, err)
		}
	}
}

// TestRefusal checks the sentence.
func TestRefusal(t *testing.T) {
	c := &Comparison{Old: "a", New: "b", Differ: []Difference{{"go", "1", "2", Refused}, {"kernel", "6", Unsaid, Warned}, {"cpu", "X", "Y", Refused}}}
	if got, want := c.Refusal().Error(), `a and b do not compare: go was "1" and is "2"; cpu was "X" and is "Y"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
