package history

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pcbbench/harness/machine"
)

// TestSetupFacts checks that no fact that package machine calls stable is missing from what a series does not cross.
func TestSetupFacts(t *testing.T) {
	for _, kv := range machine.Gather().Stable() {
		if !slices.Contains(setupFacts, kv.Key) {
			t.Errorf("a change of %s does not start a new series", kv.Key)
		}
	}
}

// read reads a folder, in which git is not asked, as its output depends on where the test runs.
func read(t *testing.T, dir string, o Options) *History {
	t.Helper()
	h, err := Read(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(h.Order, "by date, as git does not order them: ") {
		t.Errorf("a folder outside of any repository is ordered %s", h.Order)
	}
	h.Folder, h.Order = "results/machine", "by date"
	return h
}

// steady are three samples about a level.
func steady(level float64) []float64 { return []float64{level - 1, level, level + 1} }

// regression is a history of 13 runs of which the last 6 take a fifth longer.
func regression() (fakes []fake) {
	for i := range 13 {
		level := 500 + float64(i%4)
		if i >= 7 {
			level *= 1.2
		}
		f := fake{commit: commit(i), date: day(i)}
		for k, ns := range steady(level) {
			f.lines = append(f.lines, sample("smr", ns, float64(i/9), ""), sample("global", 700+float64((i*k)%5), 0, "\t7 pair"))
		}
		fakes = append(fakes, f)
	}
	return fakes
}

// TestGolden reads a history with a change, one without, and an exact metric that changes, and writes it in every format.
func TestGolden(t *testing.T) {
	h := read(t, folder(t, regression()...), Options{Units: []string{"ns/seg", "allocs/seg"}})
	var text, table, all bytes.Buffer
	labels, err := h.Labels("/scheme")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{h.WriteText(&text, labels), h.WriteCSV(&table), h.WriteJSON(&all)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "history.txt", text.String())
	golden(t, "history.csv", table.String())
	var back History
	if err := json.Unmarshal(all.Bytes(), &back); err != nil || len(back.Series) != 4 || len(back.Series[2].Points) != 13 || len(back.Series[2].Points[0].Samples) != 3 ||
		len(back.Series[2].Changes) != 1 || back.Series[2].Changes[0].At != 7 {
		t.Errorf("JSON comes back as %+v, %v", back, err)
	}
	if _, err := h.Labels("/mix"); err == nil || !strings.Contains(err.Error(), "scheme=global") {
		t.Errorf("two benchmarks with one label: %v", err)
	}
}

// TestFewRunsText checks what is said of a history that is too short.
func TestFewRunsText(t *testing.T) {
	h := read(t, folder(t, regression()[4:9]...), Options{Units: []string{"ns/seg"}})
	labels, err := h.Labels("")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := h.WriteText(&text, labels); err != nil {
		t.Fatal(err)
	}
	golden(t, "few.txt", text.String())
}

// TestNewSetup changes the machine, Go and the epoch, one after another: each starts series of its own, and results from before epochs are of the first.
func TestNewSetup(t *testing.T) {
	var fakes []fake
	for i, facts := range []string{"", "epoch: 1\n", "kernel: 7\n", "kernel: 7\n", "kernel: 7\ngo: go1.27\n", "kernel: 7\ngo: go1.27\nepoch: 2\n", "kernel: 7\ngo: go1.27\nepoch: 2\ngomaxprocs: 1\n"} {
		fakes = append(fakes, fake{commit: commit(i), date: day(i), facts: facts, ns: steady(500)})
	}
	h := read(t, folder(t, fakes...), Options{})
	var got []string
	for _, s := range h.Series {
		if s.Unit == "ns/seg" {
			got = append(got, fmt.Sprint(s.Setup, len(s.Points)))
		}
	}
	if want := []string{"0 2", "1 2", "2 1", "3 1", "4 1"}; !slices.Equal(got, want) {
		t.Errorf("setup and runs of each series are %q, want %q", got, want)
	}
	var text bytes.Buffer
	labels, _ := h.Labels("/scheme")
	if err := h.WriteText(&text, labels); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"with setup 2: kernel from not said to 7\n", "with setup 3: go from go1.26.8 to go1.27\n", "with setup 4: epoch from 1 to 2\n",
		"with setup 5: gomaxprocs from 2 to 1\n", "smr setup=5"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text does not say %q:\n%s", want, &text)
		}
	}
}

// TestPlacement checks that samples of different placements of the CPUs do not meet, and that disturbed ones and those that moved are left out and counted.
func TestPlacement(t *testing.T) {
	lines := []string{sample("smr", 100, 0, "\t1 pingpong-class"), sample("smr", 200, 0, "\t2 pingpong-class"), sample("smr", 300, 0, "\t3 pingpong-class"),
		strings.Replace(sample("smr", 900, 0, "\t2 pingpong-class"), "0 disturbed", "1 disturbed", 1)}
	h := read(t, folder(t, fake{commit: commit(0), date: day(0), lines: lines}), Options{Units: []string{"ns/seg"}})
	var got []string
	for _, s := range h.Series {
		for _, p := range s.Points {
			got = append(got, fmt.Sprint(s.Class, p.Samples, p.Left))
		}
		if len(s.Points) == 0 {
			got = append(got, fmt.Sprint(s.Class, " lost ", s.Lost))
		}
	}
	if want := []string{"1[100] 0", "2[200] 1", "3 lost 1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPaired checks that the arms of a paired file join the history at their own commits.
func TestPaired(t *testing.T) {
	head := fmt.Sprintf("dirty: yes\nbaseline-commit: %s\nexperiment-commit: %s\nexperiment-dirty: yes\n", commit(1), commit(2))
	paired := fake{commit: commit(2), date: day(2), facts: head, lines: []string{"toolchain: baseline", sample("smr", 100, 0, ""), "toolchain: experiment", sample("smr", 120, 0, ""),
		sample("smr", 120, 0, ""), "toolchain: baseline", sample("smr", 104, 0, "")}}
	plain := fake{commit: commit(1), date: day(1), ns: []float64{90}}
	h := read(t, folder(t, plain, paired), Options{Units: []string{"ns/seg"}})
	var got []string
	for _, p := range h.Series[0].Points {
		got = append(got, fmt.Sprint(p.Commit, p.Median, p.Dirty))
	}
	if want := []string{commit(1) + "90 false", commit(1) + "102 false", commit(2) + "120 true"}; !slices.Equal(got, want) {
		t.Errorf("points %q, want %q", got, want)
	}
}

// TestBadFiles checks that whatever is wrong is said with its place, and that nothing is left out that was not named.
func TestBadFiles(t *testing.T) {
	good := fake{commit: commit(0), date: day(0), ns: steady(500)}
	for what, c := range map[string]struct {
		text string
		says []string
	}{
		"cut off":      {strings.TrimSuffix(good.text(), "\n"), []string{name(1) + ":", "cut off"}},
		"empty":        {"", []string{name(1), "empty"}},
		"no commit":    {fake{date: day(1), ns: steady(500)}.text(), []string{name(1) + ":1:", `fact commit is ""`}},
		"odd commit":   {fake{commit: "--all", date: day(1), ns: steady(500)}.text(), []string{name(1) + ":1:", `"--all"`}},
		"no date":      {strings.Replace(good.text(), day(0), "yesterday", 1), []string{name(1) + ":1:", `"yesterday"`}},
		"odd arm":      {fake{commit: commit(1), date: day(1), lines: []string{"toolchain: tip", sample("smr", 1, 0, "")}}.text(), []string{name(1) + ":", `toolchain "tip"`}},
		"nameless arm": {fake{commit: commit(1), date: day(1), lines: []string{"toolchain: baseline", sample("smr", 1, 0, "")}}.text(), []string{name(1) + ":", "baseline-commit"}},
	} {
		t.Run(what, func(t *testing.T) {
			dir := folder(t, good)
			put(t, filepath.Join(dir, name(1)), c.text)
			_, err := Read(context.Background(), dir, Options{})
			says(t, err, c.says...)
			h := read(t, dir, Options{Skip: []string{name(1)}})
			var text bytes.Buffer
			labels, _ := h.Labels("")
			if err := h.WriteText(&text, labels); err != nil || h.Runs != 1 || !strings.Contains(text.String(), "Left out as asked: "+name(1)+"\n") {
				t.Errorf("without it: %v\n%s", err, &text)
			}
		})
	}
	dir := folder(t, good)
	for what, c := range map[string]struct {
		dir  string
		o    Options
		says []string
	}{
		"nothing to skip": {dir, Options{Skip: []string{"a.txt"}}, []string{"no results file", `"a.txt"`}},
		"all skipped":     {dir, Options{Skip: []string{name(0)}}, []string{"holds no results file"}},
		"bad filter":      {dir, Options{Filter: "/scheme:("}, []string{"filter"}},
		"nothing left":    {dir, Options{Filter: "/scheme:none"}, []string{"no result", "/scheme:none"}},
		"odd unit":        {dir, Options{Units: []string{"furlongs"}}, []string{"furlongs"}},
		"no folder":       {filepath.Join(dir, "none"), Options{}, []string{"none"}},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := Read(context.Background(), c.dir, c.o)
			says(t, err, c.says...)
		})
	}
}

func TestChoose(t *testing.T) {
	results := t.TempDir()
	choose := func(name string) (string, error) { return Choose(results, name, "mine") }
	_, err := choose("")
	says(t, err, "holds no machine's results")
	for _, dir := range []string{"torture", "mutants", "one"} {
		put(t, filepath.Join(results, dir, "a.txt"), "")
	}
	if got, err := choose(""); got != "one" || err != nil {
		t.Errorf("the only machine is %q, %v", got, err)
	}
	put(t, filepath.Join(results, "two", "a.txt"), "")
	_, err = choose("")
	says(t, err, "several", "one, two")
	if got, err := choose("two"); got != "two" || err != nil {
		t.Errorf("machine two is %q, %v", got, err)
	}
	_, err = choose("torture")
	says(t, err, `"torture"`, "one, two")
	put(t, filepath.Join(results, "mine", "a.txt"), "")
	if got, err := choose(""); got != "mine" || err != nil {
		t.Errorf("this machine is %q, %v", got, err)
	}
	_, err = Choose(filepath.Join(results, "none"), "", "mine")
	says(t, err, "none")
}

// gitRepo makes a repository in dir with n commits on top of each other, and returns their names.
func gitRepo(t *testing.T, dir string, n int) (commits []string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	for i := range n {
		git("commit", "-q", "--allow-empty", "-m", fmt.Sprintf("change %d", i))
		commits = append(commits, git("rev-parse", "HEAD"))
	}
	return commits
}

// TestGitOrder measures commits in another order than they were made in: the history is that of the commits, and a change names those that it may be due to,
// with the ones between that nobody has measured.
func TestGitOrder(t *testing.T) {
	results := t.TempDir()
	commits := gitRepo(t, results, 14)
	var fakes []fake
	for i, c := range commits {
		level := 500 + float64(i%3)
		if i >= 7 {
			level = 600 + float64(i%3)
		}
		if i != 6 {
			fakes = append(fakes, fake{commit: c, date: day(20 - i), ns: steady(level)})
		}
	}
	dir := filepath.Join(results, "machine")
	for i, f := range fakes {
		put(t, filepath.Join(dir, name(i)), f.text())
	}
	h, err := Read(t.Context(), dir, Options{Units: []string{"ns/seg"}})
	if err != nil {
		t.Fatal(err)
	}
	s := h.Series[0]
	if h.Order != "in git's topological order of their commits" || s.Points[0].Commit != commits[0] || s.Points[12].Commit != commits[13] {
		t.Errorf("ordered %s: %s to %s", h.Order, s.Points[0].Commit, s.Points[12].Commit)
	}
	if len(s.Changes) != 1 || s.Points[s.Changes[0].At].Commit != commits[7] {
		t.Fatalf("changes %+v, want one at %s", s.Changes, commits[7])
	}
	names := s.Changes[0].Commits
	if len(names) != 2 || !strings.HasSuffix(names[0], " change 7") || !strings.HasSuffix(names[1], " change 6") {
		t.Errorf("the commits around it are %q", names)
	}
	put(t, filepath.Join(dir, name(13)), fake{commit: commit(1), date: day(30), ns: steady(100)}.text())
	if h, err = Read(t.Context(), dir, Options{}); err != nil || !strings.HasPrefix(h.Order, "by date") || !strings.Contains(h.Order, commit(1)) {
		t.Fatalf("with a commit that git does not know: %+v, %v", h, err)
	}
	if got := h.Series[0].Points[0].Date; !got.Equal(time.Date(2026, 11, 8, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("by date the first is of %v", got)
	}
}
