package history

import (
	"cmp"
	"fmt"
	"strings"
)

// setupFacts are the facts that a series does not cross: what package machine calls stable, and the epoch.
var setupFacts = []string{"goos", "goarch", "cpu", "cpu-model", "cores", "threads", "cpus-allowed", "cpu-quota", "numa-nodes", "cache-l1d", "cache-l2", "cache-l3",
	"cacheline", "hypervisor", "kernel", "go", "goamd64", "gomaxprocs", "governor", "clock", "epoch"}

// A Setup is everything that must be the same for two results to be comparable.
type Setup struct {
	Facts  map[string]string `json:"facts"`
	Since  string            `json:"since"`            // commit of its first run
	Differ []string          `json:"differ,omitempty"` // from the setup before, as text
}

// setupOf takes what belongs to the setup out of a run's facts. Results from before there were epochs are of the first.
func setupOf(facts map[string]string) map[string]string {
	m := map[string]string{}
	for _, key := range setupFacts {
		m[key] = facts[key]
	}
	m["epoch"] = cmp.Or(m["epoch"], "1")
	return m
}

// differ says which facts differ from a to b.
func differ(a, b map[string]string) (said []string) {
	for _, key := range setupFacts {
		if a[key] != b[key] {
			said = append(said, fmt.Sprintf("%s from %s to %s", key, cmp.Or(a[key], "not said"), cmp.Or(b[key], "not said")))
		}
	}
	return said
}

// key is the same for setups that compare.
func setupKey(facts map[string]string) string {
	var b strings.Builder
	for _, key := range setupFacts {
		fmt.Fprintf(&b, "%q ", facts[key])
	}
	return b.String()
}
