package history

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exported writes fakes in a format.
func exported(t *testing.T, format string, o Options, fakes ...fake) (text string, left []string, err error) {
	t.Helper()
	dir := folder(t, fakes...)
	var paths []string
	for i := range fakes {
		paths = append(paths, filepath.Join(dir, name(i)))
	}
	var b bytes.Buffer
	left, err = Export(&b, format, paths, o)
	return b.String(), left, err
}

// mixed is a file of two schemes, one with placements, one with too few samples for an interval.
func mixed() fake {
	f := fake{commit: commit(1), date: day(1)}
	for i := range 8 {
		f.lines = append(f.lines, sample("smr", 300+float64(i), 0, fmt.Sprintf("\t%d pingpong-class\t5 tried/seg", 1+i/7)))
	}
	f.lines = append(f.lines, sample("global", 700, 0, ""), sample("global", 704, 0, ""))
	return f
}

// TestGAB holds the export to what github-action-benchmark requires.
func TestGAB(t *testing.T) {
	for format, units := range map[string]string{"gab-smaller": "ns/seg allocs/seg", "gab-bigger": "segs/s"} {
		text, left, err := exported(t, format, Options{}, mixed())
		if err != nil || left != nil {
			t.Fatal(left, err)
		}
		golden(t, format+".json", text)
		// extractCustomBenchmarkResult in benchmark-action/github-action-benchmark, src/extract.ts: an array of {name, value, unit, range, extra}, of which
		// BenchmarkResult wants name and unit as strings, value as a number, range and extra as strings if they are there.
		var entries []map[string]any
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 { // extractResult, same file: "No benchmark result was found"
			t.Error("nothing is exported")
		}
		names := map[string]bool{}
		for _, e := range entries {
			name, _ := e["name"].(string)
			unit, _ := e["unit"].(string)
			if _, ok := e["value"].(float64); !ok || name == "" || unit == "" {
				t.Errorf("entry %v lacks name, unit or value", e)
			}
			// findAlerts, src/write.ts: prevSuite.benches.find((b) => b.name === current.name), so a name must stand for one metric.
			if names[name] {
				t.Errorf("%s is there twice", name)
			}
			names[name] = true
			// biggerIsBetter(tool), src/write.ts: one direction for all entries of a file.
			if !strings.Contains(" "+units+" ", " "+unit+" ") {
				t.Errorf("%s is exported to %s", unit, format)
			}
			// extractRangeInfo, src/extractRangeInfo.ts: after ± Number() must read all of the rest.
			if r, ok := e["range"]; ok {
				if _, err := strconv.ParseFloat(strings.TrimPrefix(r.(string), "± "), 64); err != nil {
					t.Errorf("range %q", r)
				}
			}
			for key := range e {
				if !strings.Contains(" name unit value range extra ", " "+key+" ") {
					t.Errorf("%s is no field of BenchmarkResult", key)
				}
			}
		}
	}
	_, _, err := exported(t, "gab-bigger", Options{Units: []string{"ns/seg"}}, mixed())
	says(t, err, "no metric", "direction")
}

// TestBMF holds the export to what Bencher requires.
func TestBMF(t *testing.T) {
	text, left, err := exported(t, "bmf", Options{}, mixed())
	if err != nil || left != nil {
		t.Fatal(left, err)
	}
	golden(t, "bmf.json", text)
	// JsonV0Results in bencherdev/bencher, lib/bencher_adapter/src/adapters/json/v0.rs: HashMap<BenchmarkNameId, HashMap<MeasureNameId, JsonNewMetric>>; JsonNewMetric,
	// lib/bencher_json/src/project/metric/mod.rs: value is a number, lower_value and upper_value are numbers or absent.
	var results map[string]map[string]struct {
		Value *float64 `json:"value"`
		Lower *float64 `json:"lower_value"`
		Upper *float64 `json:"upper_value"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&results); err != nil || len(results) != 3 {
		t.Fatalf("%d benchmarks, %v", len(results), err)
	}
	slug := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`) // is_valid_slug, lib/bencher_valid/src/slug.rs: what slugify leaves alone, 64 bytes at most
	for name, measures := range results {
		if name == "" || len(name) > 1024 { // is_valid_benchmark_name, lib/bencher_valid/src/benchmark_name.rs
			t.Errorf("name %q", name)
		}
		if len(measures) == 0 {
			t.Errorf("%s has no measure", name)
		}
		for measure, m := range measures {
			if !slug.MatchString(measure) || len(measure) > 64 || m.Value == nil {
				t.Errorf("%s: measure %q is %+v", name, measure, m)
			}
			if (m.Lower == nil) != (m.Upper == nil) || m.Lower != nil && (*m.Lower > *m.Value || *m.Upper < *m.Value) {
				t.Errorf("%s: %s has odd bounds", name, measure)
			}
		}
	}
	long := fake{commit: commit(1), date: day(1), lines: []string{sample(strings.Repeat("x", 1100), 1, 0, "")}}
	_, _, err = exported(t, "bmf", Options{}, long)
	says(t, err, "1024 bytes")
	two := fake{commit: commit(1), date: day(1), lines: []string{"BenchmarkX 1 1 ns/seg 1 ns-seg 0 disturbed"}, facts: "Unit ns-seg better=lower\n"}
	_, _, err = exported(t, "bmf", Options{}, two)
	says(t, err, "same measure ns-seg")
}

func TestSlug(t *testing.T) {
	for unit, want := range map[string]string{"ns/seg": "ns-seg", "p99.9-ns": "p99-9-ns", "B/conn": "b-conn", "/x/": "x", strings.Repeat("a", 63) + "/b": strings.Repeat("a", 63)} {
		if got := slug(unit); got != want {
			t.Errorf("slug of %q is %q, want %q", unit, got, want)
		}
	}
}

// TestCSV holds the export to what Otava requires.
func TestCSV(t *testing.T) {
	later := fake{commit: commit(2), date: day(2), lines: []string{sample("smr", 310, 0, "\t1 pingpong-class"), sample("global", 710, 0, "")}}
	text, left, err := exported(t, "csv", Options{}, later, mixed())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "export.csv", text)
	if len(left) != 3 || !strings.Contains(left[0], "pingpong-class=2") {
		t.Errorf("left out %q, want the three metrics that one file lacks", left)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll() // csv.reader with delimiter ',' and quotechar '"', the defaults of apache/otava, otava/csv_options.py
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	// CsvTestConfig, otava/test_config.py: time_column is "time" by default; attributes, as commit, and metrics are columns by name.
	if rows[0][0] != "time" || rows[0][1] != "commit" {
		t.Errorf("header %q", rows[0])
	}
	columns := map[string]bool{}
	for _, c := range rows[0] {
		if columns[c] {
			t.Errorf("headers.index finds the first of two columns %q", c)
		}
		columns[c] = true
	}
	for i, row := range rows[1:] {
		if len(row) != len(rows[0]) { // CsvImporter.check_row_len, otava/importer.py
			t.Errorf("row %q", row)
		}
		if _, err := time.Parse(time.RFC3339, row[0]); err != nil { // parse_datetime, otava/util.py
			t.Error(err)
		}
		for _, field := range row[2:] { // float(row[i]), otava/importer.py
			if _, err := strconv.ParseFloat(field, 64); err != nil {
				t.Error(err)
			}
		}
		if i > 0 && row[0] < rows[i][0] { // Series, otava/series.py, takes the rows in the file's order
			t.Errorf("row of %s follows %s", row[0], rows[i][0])
		}
	}
}

// TestExportRefusals checks what no single value can stand for, and what does not compare.
func TestExportRefusals(t *testing.T) {
	one, two := fake{commit: commit(1), date: day(1), ns: steady(500)}, fake{commit: commit(2), date: day(2), ns: steady(500)}
	elsewhere := fake{commit: commit(2), date: day(2), ns: steady(500), facts: "kernel: 7\n"}
	other := fake{commit: commit(2), date: day(2), lines: []string{sample("global", 1, 0, "")}}
	disturbed := fake{commit: commit(2), date: day(2), lines: []string{strings.Replace(sample("smr", 1, 0, ""), "0 disturbed", "1 disturbed", 1)}}
	for what, c := range map[string]struct {
		format string
		o      Options
		fakes  []fake
		says   []string
	}{
		"format":      {"xml", Options{}, []fake{one}, []string{`"xml"`, "gab-smaller, gab-bigger, bmf, csv"}},
		"two commits": {"bmf", Options{}, []fake{one, two}, []string{"2 commits"}},
		"two setups":  {"csv", Options{}, []fake{one, elsewhere}, []string{"several setups", "kernel"}},
		"disjoint":    {"csv", Options{}, []fake{one, other}, []string{"no metric", "every run"}},
		"filtered":    {"csv", Options{Filter: "/scheme:smr"}, []fake{one, other}, []string{name(1), "nothing to export"}},
		"disturbed":   {"bmf", Options{}, []fake{disturbed}, []string{name(0), "nothing to export"}},
	} {
		text, _, err := exported(t, c.format, c.o, c.fakes...)
		if says(t, err, c.says...); text != "" {
			t.Errorf("%s: it was written all the same:\n%s", what, text)
		}
	}
}

// TestExportPaired takes the experiment of a paired file where there is place for one commit, and both in CSV.
func TestExportPaired(t *testing.T) {
	paired := fake{commit: commit(2), date: day(2), facts: fmt.Sprintf("baseline-commit: %s\nexperiment-commit: %s\n", commit(1), commit(2)),
		lines: []string{"toolchain: baseline", sample("smr", 100, 0, ""), "toolchain: experiment", sample("smr", 120, 0, "")}}
	text, _, err := exported(t, "bmf", Options{Units: []string{"ns/seg"}}, paired)
	if err != nil || !strings.Contains(text, `"value": 120`) || strings.Contains(text, "100") {
		t.Errorf("%v\n%s", err, text)
	}
	text, _, err = exported(t, "csv", Options{Units: []string{"ns/seg"}}, paired)
	if want := "2026-11-03T12:00:00Z," + commit(1) + ",100\n2026-11-03T12:00:00Z," + commit(2) + ",120\n"; err != nil || !strings.HasSuffix(text, want) {
		t.Errorf("%v\n%s", err, text)
	}
}
