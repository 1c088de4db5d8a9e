package history

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// promote makes a file of dir the baseline.
func promote(dir, file, why string, change func(*Promotion)) (Entry, error) {
	p := Promotion{Results: filepath.Dir(dir), Machine: filepath.Base(dir), Path: filepath.Join(dir, file), Why: why, Now: time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)}
	if change != nil {
		change(&p)
	}
	return p.Do()
}

// TestBaseline makes one baseline after another: the list keeps them all, the last holds, and a file that changes afterwards is noticed.
func TestBaseline(t *testing.T) {
	dir := folder(t, fake{commit: commit(0), date: day(0), ns: steady(500)}, fake{commit: commit(1), date: day(1), ns: steady(400)})
	results, machine := filepath.Dir(dir), filepath.Base(dir)
	_, err := Baseline(results, machine)
	says(t, err, baselineFile, "there is no baseline", "pcbbench baseline")
	if _, err := promote(dir, name(0), " the first\n one ", nil); err != nil {
		t.Fatal(err)
	}
	if path, err := Baseline(results, machine); err != nil || path != filepath.Join(dir, name(0)) {
		t.Errorf("the baseline is %q, %v", path, err)
	}
	_, err = promote(dir, name(0), "again", nil)
	says(t, err, "already")
	if e, err := promote(dir, name(1), "faster", nil); err != nil || e.Replaces != name(0) {
		t.Errorf("%+v, %v", e, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, baselineFile))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "baseline.txt", string(text))
	if all, err := Baselines(results, machine); err != nil || len(all) != 2 || all[0].Why != "the first one" || all[1].File != name(1) {
		t.Errorf("baselines %+v, %v", all, err)
	}
	if h := read(t, dir, Options{}); h.Files != 2 {
		t.Errorf("the list was read as results: %d files", h.Files)
	}
	put(t, filepath.Join(dir, name(1)), "something else\n")
	_, err = Baseline(results, machine)
	says(t, err, name(1), "has changed")
	if err := os.Remove(filepath.Join(dir, name(1))); err != nil {
		t.Fatal(err)
	}
	_, err = Baseline(results, machine)
	says(t, err, name(1))
}

func TestBaselineRefusals(t *testing.T) {
	good := fake{commit: commit(0), date: day(0), ns: steady(500)}
	paired := fake{commit: commit(2), date: day(2), lines: []string{"toolchain: baseline", sample("smr", 100, 0, "")}}
	dir := folder(t, good)
	text := good.text()
	put(t, filepath.Join(dir, "dirty.txt"), strings.Replace(text, "dirty: no", "dirty: yes", 1))
	put(t, filepath.Join(dir, "untold.txt"), strings.Replace(text, "dirty: no\n", "", 1))
	put(t, filepath.Join(dir, "untortured.txt"), strings.Replace(text, "torture: passed", "torture: not run for scheme smr", 1))
	put(t, filepath.Join(dir, "paired.txt"), paired.text())
	put(t, filepath.Join(dir, "broken.txt"), "nothing\n")
	put(t, filepath.Join(filepath.Dir(dir), "other", "a.txt"), text)
	for _, c := range []struct {
		file, why string
		change    func(*Promotion)
		says      []string
	}{
		{name(0), " ", nil, []string{"-why"}},
		{"dirty.txt", "x", nil, []string{"dirty", "-force"}},
		{"untold.txt", "x", nil, []string{"dirty", "-force"}},
		{"untortured.txt", "x", nil, []string{"no torture", "-force"}},
		{"paired.txt", "x", func(p *Promotion) { p.Force = true }, []string{"paired.txt:", "two arms"}},
		{"broken.txt", "x", func(p *Promotion) { p.Force = true }, []string{"broken.txt"}},
		{"missing.txt", "x", nil, []string{"missing.txt"}},
		{"../other/a.txt", "x", nil, []string{"no results file in"}},
		{name(0), "x", func(p *Promotion) { p.Here = map[string]string{"cpu": "Other CPU"} }, []string{"another machine", `cpu is "Fake CPU"`}},
	} {
		_, err := promote(dir, c.file, c.why, c.change)
		says(t, err, c.says...)
	}
	if _, err := os.Stat(filepath.Join(dir, baselineFile)); err == nil {
		t.Error("a refused file became the baseline")
	}
	if e, err := promote(dir, "dirty.txt", "x", func(p *Promotion) { p.Force, p.Here = true, map[string]string{"cpu": "Fake CPU"} }); err != nil || !strings.Contains(e.Forced, "dirty") {
		t.Errorf("forced: %+v, %v", e, err)
	}
}

// TestBaselineList checks that a list that somebody edited is refused, with the line.
func TestBaselineList(t *testing.T) {
	whole := Entry{File: "a.txt", SHA256: strings.Repeat("0", 64), Date: time.Unix(0, 0).UTC(), Replaces: "none", Why: "x"}.text()
	for text, want := range map[string]string{
		whole + "\nfile: ../a.txt\n":                             ":7: ",
		whole + "oops\n":                                         ":6: ",
		strings.Replace(whole, "1970", "then", 1):                ":3: ",
		strings.Replace(whole, "0000", "", 1):                    "entry 1 is not whole",
		whole + "\n" + strings.Replace(whole, "why: x\n", "", 1): "entry 2 is not whole",
	} {
		_, err := parseBaselines("list.txt", text)
		says(t, err, "list.txt:", want)
	}
	if es, err := parseBaselines("list.txt", whole+"\n# a remark\n"+whole); err != nil || len(es) != 2 {
		t.Errorf("%+v, %v", es, err)
	}
}
