package probe

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// Sites returns the points in the Go files of fsys, tests aside: each line that calls one, by its key in Counts.
func Sites(fsys fs.FS) (map[string]string, error) {
	call := regexp.MustCompile(`\bprobe\.(Load|Store|RMW|Pause|Park|Unpark|Work)\(`)
	sites := make(map[string]string)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		for i, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(line)
			if call.MatchString(line) && !strings.HasPrefix(line, "//") {
				sites[fmt.Sprintf("%s/%s:%d", path.Base(path.Dir(name)), path.Base(name), i+1)] = line
			}
		}
		return err
	})
	return sites, err
}
