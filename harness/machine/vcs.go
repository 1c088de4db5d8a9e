package machine

import (
	"context"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"
)

// gitLimit bounds each call of git; two are made.
const gitLimit = 10 * time.Second

// revision is the commit of the source and whether it was changed since (yes,
// no). The build's own record counts; go run and go test make none, then git is
// asked about the current directory.
func revision(info *debug.BuildInfo) (commit, dirty string) {
	if commit = setting(info, "vcs.revision"); commit != "" {
		return commit, yesNo(setting(info, "vcs.modified") == "true")
	}
	commit, _ = git("rev-parse", "--verify", "HEAD")
	dirty = unknown
	if changes, ok := git("status", "--porcelain"); ok {
		dirty = yesNo(changes != "")
	}
	return commit, dirty
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// git is the output of a git command. Without optional locks, status does not
// write the index, which another git may be using.
func git(args ...string) (output string, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), gitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err == nil
}
