// Package revision builds pcbbench as it was at some commit, beside the checkout, so that two revisions can be measured in one session.
package revision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Binary is pcbbench built from a revision.
type Binary struct {
	Path   string
	Commit string // full hash; of the checkout itself, the one it stands on
	Time   string // of the commit, RFC 3339
	Dirty  bool   // the checkout has changes that are in no commit
}

// Here names the checkout as it is, changes that are not committed included.
const Here = "."

// A Builder builds in a temporary folder of its own, until Close.
type Builder struct {
	repo, temp string
	tags       string
}

// NewBuilder is for the repository that the working directory is in. tags are build tags, or "".
func NewBuilder(ctx context.Context, tags string) (*Builder, error) {
	repo, err := git(ctx, "", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("not in a git repository, whose revisions could be built: %w", err)
	}
	temp, err := os.MkdirTemp("", "pcbbench")
	if err != nil {
		return nil, err
	}
	return &Builder{repo: repo, temp: temp, tags: tags}, nil
}

// Build builds rev, which is anything that git takes for a commit, or Here. Without a network it needs the modules that rev names in the module cache.
func (b *Builder) Build(ctx context.Context, rev string) (bin Binary, err error) {
	dir := b.repo
	commit := rev
	if rev == Here {
		commit = "HEAD"
		status, err := git(ctx, b.repo, "status", "--porcelain")
		if err != nil {
			return bin, err
		}
		bin.Dirty = status != ""
	}
	if bin.Commit, err = git(ctx, b.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", commit+"^{commit}"); err != nil {
		return bin, fmt.Errorf("%q names no commit of this repository (a shallow clone may not have it)", rev)
	}
	if bin.Time, err = git(ctx, b.repo, "show", "-s", "--format=%cI", bin.Commit); err != nil {
		return bin, err
	}
	if rev != Here {
		dir = filepath.Join(b.temp, "tree-"+bin.Commit)
		if err := b.checkout(ctx, dir, bin.Commit); err != nil {
			return bin, err
		}
	}
	bin.Path = filepath.Join(b.temp, "pcbbench-"+bin.Commit)
	if rev == Here {
		bin.Path += "-here"
	}
	_, err = command(ctx, dir, "go", "build", "-pgo=off", "-trimpath", "-buildvcs=false", "-tags", b.tags, "-o", bin.Path, "./harness/cmd/pcbbench")
	if err != nil {
		err = fmt.Errorf("building %s: %w", rev, err)
	}
	return bin, err
}

// checkout makes a worktree, once a commit.
func (b *Builder) checkout(ctx context.Context, dir, commit string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	_, err := git(ctx, b.repo, "worktree", "add", "--quiet", "--detach", dir, commit)
	return err
}

// Close removes the worktrees and the binaries, even if the context of their making is over.
func (b *Builder) Close() error {
	trees, err := filepath.Glob(filepath.Join(b.temp, "tree-*"))
	for _, dir := range trees {
		_, gone := git(context.Background(), b.repo, "worktree", "remove", "--force", dir)
		err = errors.Join(err, gone)
	}
	return errors.Join(err, os.RemoveAll(b.temp))
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	return command(ctx, dir, "git", args...)
}

// command returns what it prints; the error has what it says.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(string(out)), err
}
