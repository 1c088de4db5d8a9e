package torture

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"pcbbench"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

var probeCall = regexp.MustCompile(`\bprobe\.(Load|Store|RMW|Pause|Park|Unpark|Work)\(`)

// coverage is how many of the source's probe points were passed, and those that were not. Without torture's flavour of them none are counted.
func coverage() (reached int, missed []string) {
	counts := probe.Counts()
	if len(counts) == 0 {
		return 0, nil
	}
	err := fs.WalkDir(pcbbench.Source(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !tested(name) {
			return err
		}
		text, err := fs.ReadFile(pcbbench.Source(), name)
		for i, line := range strings.Split(string(text), "\n") {
			if !probeCall.MatchString(line) || strings.HasPrefix(strings.TrimSpace(line), "//") {
				continue
			}
			site := fmt.Sprintf("%s/%s:%d", path.Base(path.Dir(name)), path.Base(name), i+1)
			if counts[site] > 0 {
				reached++
			} else {
				missed = append(missed, site+" "+strings.TrimSpace(line))
			}
		}
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("torture: embedded source: %v", err)) // it is in the binary
	}
	slices.Sort(missed)
	return reached, missed
}

// tested reports whether a file is one whose probe points torture should reach.
func tested(name string) bool {
	under := strings.HasPrefix(name, "locks/") && !strings.HasPrefix(name, "locks/probe/") || strings.HasPrefix(name, "pcbinfo/")
	return under && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

func onOff() string {
	if witness.Enabled {
		return "on in half of the rounds"
	}
	return "off"
}
