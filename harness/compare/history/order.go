package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// A repo is the git repository around a folder, as far as there is one.
type repo struct {
	folder string
	known  bool   // it has all the commits
	said   string // how runs are ordered
}

// order ranks runs by git's topological order of their commits, all of them or none.
func order(ctx context.Context, folder string, runs []*run) *repo {
	var commits []string
	for _, r := range runs {
		if !slices.Contains(commits, r.commit) {
			commits = append(commits, r.commit)
		}
	}
	r := &repo{folder: folder}
	ranks, err := r.topological(ctx, commits)
	if err != nil {
		r.said = fmt.Sprintf("by date, as git does not order them: %v", err)
		return r
	}
	for _, of := range runs {
		of.rank = ranks[of.commit]
	}
	r.known, r.said = true, "in git's topological order of their commits"
	return r
}

// topological numbers commits, none before its ancestors.
func (r *repo) topological(ctx context.Context, commits []string) (ranks map[string]int, err error) {
	out, err := r.git(ctx, strings.Join(commits, "\n")+"\n", "rev-list", "--topo-order", "--reverse", "--stdin")
	if err != nil {
		return nil, err
	}
	ranks = map[string]int{}
	for i, commit := range strings.Fields(out) {
		ranks[commit] = i
	}
	for _, commit := range commits {
		if _, ok := ranks[commit]; !ok {
			return nil, fmt.Errorf("%s is no commit's full name", commit)
		}
	}
	return ranks, nil
}

// between are the commits that a change may be due to, newest first, none if git does not know.
func (r *repo) between(ctx context.Context, good, bad string) ([]string, error) {
	if !r.known {
		return nil, nil
	}
	out, err := r.git(ctx, "", "log", "--topo-order", "--format=%h %s", good+".."+bad)
	if err != nil {
		return nil, fmt.Errorf("git log %s..%s: %w", good, bad, err)
	}
	return strings.FieldsFunc(out, func(c rune) bool { return c == '\n' }), nil
}

// git runs it; an error is its own last line.
func (r *repo) git(ctx context.Context, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", r.folder}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if lines := strings.Split(strings.TrimSpace(errs.String()), "\n"); err != nil && lines[0] != "" {
		err = errors.New(lines[len(lines)-1])
	}
	return out.String(), err
}
