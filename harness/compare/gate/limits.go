package gate

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

//go:embed limits.txt
var limitsText string

// Limits are the metrics that gate, and from which effect on.
type Limits []Limit

// A Limit is one metric of one benchmark.
type Limit struct {
	Benchmark string  // its name without parameters: Input
	Unit      string  // as it stands in results: ns/seg
	Least     float64 // the least effect that counts, as a share: 0.02; of exact metrics 0
	Exact     bool    // any change for the worse counts
	Optional  bool    // rows of the benchmark may lack it, if they do in both arms
}

// String is the limit as the file spells it.
func (l Limit) String() string {
	if l.Exact {
		return "exact"
	}
	return strconv.FormatFloat(100*l.Least, 'g', 6, 64) + "%"
}

// Default are the limits of limits.txt.
func Default() (Limits, error) { return Parse("limits.txt", limitsText) }

// Read reads a limits file.
func Read(path string) (Limits, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, string(text))
}

// Parse reads the text of a limits file. An error names path and the line.
func Parse(path, text string) (Limits, error) {
	var ls Limits
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		l, err := parseLimit(fields)
		if err == nil && ls.find(l.Benchmark, l.Unit) != nil {
			err = fmt.Errorf("%s %s has a limit already; keep one", l.Benchmark, l.Unit)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		ls = append(ls, l)
	}
	if len(ls) == 0 {
		return nil, fmt.Errorf("%s:%d: there is no limit, so that nothing would gate; write lines such as \"Input ns/seg 2%%\"", path, max(1, n))
	}
	return ls, nil
}

func parseLimit(fields []string) (l Limit, err error) {
	if len(fields) < 3 || len(fields) > 4 {
		return l, fmt.Errorf("%d words, want benchmark, unit, least effect and perhaps \"optional\"", len(fields))
	}
	l.Benchmark, l.Unit = fields[0], fields[1]
	if strings.HasPrefix(l.Benchmark, "Benchmark") || base(l.Benchmark) != l.Benchmark {
		return l, fmt.Errorf("benchmark %q: name it without \"Benchmark\" and without parameters, as in Input", l.Benchmark)
	}
	if l.Least, l.Exact, err = parseLeast(fields[2]); err != nil {
		return l, err
	}
	if l.Optional = len(fields) == 4; l.Optional && fields[3] != "optional" {
		return l, fmt.Errorf("%q after the least effect; only \"optional\" may stand there", fields[3])
	}
	return l, nil
}

// parseLeast reads a least effect. NaN is refused like everything that is not between its bounds.
func parseLeast(word string) (least float64, exact bool, err error) {
	if word == "exact" {
		return 0, true, nil
	}
	number, ok := strings.CutSuffix(word, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(percent > 0 && percent < 100) {
		return 0, false, fmt.Errorf("least effect %q is neither a percentage above 0%% and below 100%% nor \"exact\"", word)
	}
	return percent / 100, false, nil
}

// Units are the units that gate, each once.
func (ls Limits) Units() (units []string) {
	for _, l := range ls {
		if !slices.Contains(units, l.Unit) {
			units = append(units, l.Unit)
		}
	}
	return units
}

// find returns the limit of a benchmark's unit, nil if it does not gate.
func (ls Limits) find(benchmark, unit string) *Limit {
	i := slices.IndexFunc(ls, func(l Limit) bool { return l.Benchmark == benchmark && l.Unit == unit })
	if i < 0 {
		return nil
	}
	return &ls[i]
}

// base is a full benchmark name without its parameters.
func base(name string) string { return string(benchfmt.Name(name).Base()) }
