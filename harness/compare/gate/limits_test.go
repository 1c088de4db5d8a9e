package gate

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := Parse("limits", "# why\n\nInput ns/seg 2% # so\n\tInput\tp99-ns  12.5%  optional\nExact locks/seg exact")
	want := Limits{
		{Benchmark: "Input", Unit: "ns/seg", Least: 0.02},
		{Benchmark: "Input", Unit: "p99-ns", Least: 0.125, Optional: true},
		{Benchmark: "Exact", Unit: "locks/seg", Exact: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	var words []string
	for _, l := range got {
		words = append(words, l.String())
	}
	if !slices.Equal(words, []string{"2%", "12.5%", "exact"}) {
		t.Errorf("limits are told as %q", words)
	}
	if units := append(got, Limit{Benchmark: "Exact", Unit: "ns/seg", Exact: true}).Units(); !slices.Equal(units, []string{"ns/seg", "p99-ns", "locks/seg"}) {
		t.Errorf("units %q", units)
	}
}

func TestParseRefusals(t *testing.T) {
	for text, says := range map[string]string{
		"":                                    "limits:1: there is no limit",
		"# nothing\n":                         "limits:1: there is no limit",
		"Input ns/seg":                        "limits:1: 2 words",
		"Input ns/seg 2% optional really":     "limits:1: 5 words",
		"Input ns/seg 2% always":              `limits:1: "always"`,
		"\nInput ns/seg 2":                    `limits:2: least effect "2"`,
		"Input ns/seg two%":                   `limits:1: least effect "two%"`,
		"Input ns/seg NaN%":                   `limits:1: least effect "NaN%"`,
		"Input ns/seg 0%":                     `limits:1: least effect "0%"`,
		"Input ns/seg -2%":                    `limits:1: least effect "-2%"`,
		"Input ns/seg 100%":                   `limits:1: least effect "100%"`,
		"Input ns/seg +Inf%":                  `limits:1: least effect "+Inf%"`,
		"BenchmarkInput ns/seg 2%":            `limits:1: benchmark "BenchmarkInput"`,
		"Input/scheme=smr ns/seg 2%":          `limits:1: benchmark "Input/scheme=smr"`,
		"Input ns/seg 2%\nInput ns/seg exact": "limits:2: Input ns/seg has a limit already",
	} {
		if ls, err := Parse("limits", text); err == nil || !strings.HasPrefix(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, %v; want an error that begins %q", text, ls, err, says)
		}
	}
}

// TestRead checks that a limits file says the same as its text, and that one that is not there is an error.
func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits")
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file is told as %v", err)
	}
	if err := os.WriteFile(path, []byte("Input ns/seg 2%\nInput\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.HasPrefix(err.Error(), path+":2: ") {
		t.Errorf("a bad line is told as %v", err)
	}
}

// TestDefault pins what the embedded file must hold whatever its limits are: the figure that schemes are compared by, and the counts, exactly.
func TestDefault(t *testing.T) {
	ls, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if l := ls.find("Input", "ns/seg"); l == nil || l.Exact || l.Optional {
		t.Errorf("the limit of ns/seg is %+v", l)
	}
	for _, l := range ls {
		if l.Benchmark == "Exact" && !l.Exact {
			t.Errorf("%s is exact and has the limit %s", l.Unit, l)
		}
		if l.Unit == "segs/s" {
			t.Error("segs/s is ns/seg again and must not be tested twice")
		}
	}
	for _, unit := range []string{"locks/seg", "rmw/seg", "stores/seg", "loads/seg"} {
		if ls.find("Exact", unit) == nil {
			t.Errorf("%s does not gate", unit)
		}
	}
}
