package torture

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pcbbench"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

// coverage is how many of the probe points of locks, reclamation, tables and dispatch models were passed, and those that were not. Without torture's flavour
// of them none are counted.
func coverage() (reached int, missed []string) {
	counts := probe.Counts()
	if len(counts) == 0 {
		return 0, nil
	}
	sites, err := probe.Sites(pcbbench.Source())
	if err != nil {
		panic(fmt.Sprintf("torture: embedded source: %v", err)) // it is in the binary
	}
	for _, site := range slices.Sorted(maps.Keys(sites)) {
		dir, _, _ := strings.Cut(site, "/")
		switch {
		case !slices.Contains([]string{"locks", "smr", "pcbinfo", "netisr"}, dir):
		case counts[site] > 0:
			reached++
		default:
			missed = append(missed, site+" "+sites[site])
		}
	}
	return reached, missed
}

func onOff() string {
	if witness.Checking {
		return "on in half of the rounds"
	}
	return "off"
}
