//go:build torture

package locks_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pcbbench/locks"
	"pcbbench/locks/locktest"
	"pcbbench/locks/probe"
)

// TestProbesReached checks that torture passes every point in the locks: code that torture does not reach
// is code that it does not test. Rare ones take a few runs.
func TestProbesReached(t *testing.T) {
	seed := time.Now().UnixNano()
	probe.Seed(seed)
	sites := probeSites(t)
	for run := range 50 {
		for _, s := range locks.Specs() {
			c := locktest.Config{Workers: 8, Rounds: 300, Seed: uint64(seed) + uint64(run)}
			if err := locktest.Torture(s, c); err != nil {
				t.Fatal(err)
			}
		}
		for site := range probe.Counts() {
			delete(sites, site)
		}
		if len(sites) == 0 {
			t.Logf("all reached in %d runs", run+1)
			return
		}
	}
	for site, text := range sites {
		t.Errorf("seed %d: %s not reached: %s", seed, site, text)
	}
}

// probeSites returns the source lines of this package that call probe, by their keys in probe.Counts.
func probeSites(t *testing.T) map[string]string {
	call := regexp.MustCompile(`\bprobe\.(Load|Store|RMW|Pause|Park|Unpark|Work)\(`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sites := make(map[string]string)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if call.MatchString(line) {
				sites[fmt.Sprintf("locks/%s:%d", file, i+1)] = strings.TrimSpace(line)
			}
		}
	}
	return sites
}
