package revision

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is one with two commits, whose pcbbench prints which it is, and a change that is in none. It is the working directory.
func repository(t *testing.T) string {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "go.mod", "module pcbbench\n\ngo 1.26\n")
	source(t, "first")
	run(t, "git", "init", "-q", "-b", "main")
	commit(t)
	run(t, "git", "tag", "old")
	source(t, "second")
	commit(t)
	source(t, "changed")
	return dir
}

func commit(t *testing.T) {
	run(t, "git", "add", "-A")
	run(t, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "m")
}

func source(t *testing.T, says string) {
	write(t, "harness/cmd/pcbbench/main.go", "package main\n\nfunc main() { println(\""+says+"\") }\n")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestBuild(t *testing.T) {
	dir := repository(t)
	t.Chdir(filepath.Join(dir, "harness")) // anywhere in it
	b, err := NewBuilder(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for rev, want := range map[string]string{"old": "first", "main": "second", "HEAD~1": "first", Here: "changed"} {
		bin, err := b.Build(t.Context(), rev)
		if err != nil {
			t.Fatal(err)
		}
		if said := run(t, bin.Path); said != want {
			t.Errorf("%s says %s, want %s", rev, said, want)
		}
		commit := rev
		if rev == Here {
			commit = "HEAD"
		}
		if hash := run(t, "git", "rev-parse", commit); bin.Commit != hash || bin.Dirty != (rev == Here) || !strings.Contains(bin.Time, "T") {
			t.Errorf("%s: %+v, want commit %s", rev, bin, hash)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if trees := run(t, "git", "worktree", "list"); strings.Count(trees, "\n") != 0 {
		t.Errorf("worktrees are left:\n%s", trees)
	}
	if _, err := os.Stat(b.temp); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", b.temp, err)
	}
}

func TestBuildRefuses(t *testing.T) {
	repository(t)
	b, err := NewBuilder(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for rev, want := range map[string]string{
		"nowhere": `"nowhere" names no commit`,
		"-h":      `"-h" names no commit`,
		"":        `"" names no commit`,
	} {
		if _, err := b.Build(t.Context(), rev); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", rev, err, want)
		}
	}
	source(t, "\" + nonsense + \"")
	if _, err := b.Build(t.Context(), Here); err == nil || !strings.Contains(err.Error(), "undefined: nonsense") {
		t.Errorf("what does not compile: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Build(ctx, "old"); err == nil {
		t.Error("built after the end")
	}
}

func TestNoRepository(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("GIT_CEILING_DIRECTORIES", "/")
	if _, err := NewBuilder(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "not in a git repository") {
		t.Errorf("%v", err)
	}
}
