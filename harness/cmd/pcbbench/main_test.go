package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
)

// binary is this command, built once; without the go command there is none, and benchstat is not there either.
var binary string

func TestMain(m *testing.M) { os.Exit(withBinary(m.Run)) }

func withBinary(run func() int) int {
	if _, err := exec.LookPath("go"); err != nil {
		return run()
	}
	dir, err := os.MkdirTemp("", "pcbbench")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pcbbench")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	binary = path
	return run()
}

// prepare makes the command pcbbench with args.
func prepare(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if binary == "" {
		t.Skip("no go command to build pcbbench with")
	}
	return exec.CommandContext(t.Context(), binary, args...)
}

// pcbbench runs it to its end.
func pcbbench(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := prepare(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// results parses the one results file under dir.
func results(t *testing.T, dir string) (rs []*benchfmt.Result) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.txt"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("results files %v, %v; want one", paths, err)
	}
	files := benchfmt.Files{Paths: paths}
	for files.Scan() {
		switch rec := files.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatal(rec)
		case *benchfmt.Result:
			rs = append(rs, rec.Clone())
		}
	}
	if err := files.Err(); err != nil {
		t.Fatal(err)
	}
	return rs
}

// oneLine reports whether text is a single line that says all of what.
func oneLine(text string, what ...string) bool {
	for _, w := range what {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return strings.Count(text, "\n") == 1 && strings.HasSuffix(text, "\n")
}
