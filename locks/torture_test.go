//go:build torture

package locks_test

import (
	"maps"
	"os"
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
	sites, err := probe.Sites(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(sites, func(site, _ string) bool { return !strings.HasPrefix(site, "locks/") })
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
