package machine

import (
	"fmt"
	"regexp"
	"strings"
)

// maxBrand keeps a slug within 64 bytes, with 12 for the count and 12 for the
// hypervisor.
const maxBrand = 40

var (
	// ballast is what a brand says without telling machines apart.
	ballast  = regexp.MustCompile(`(?i)\((r|tm|c)\)|\bcpu\b|@.*`)
	unlisted = regexp.MustCompile(`[^a-z0-9]+`)
)

// slug joins brand, CPU count and hypervisor: "intel-xeon-processor-2cpu-kvm".
func slug(brand string, cpus int, hypervisor string) string {
	return fmt.Sprintf("%s-%dcpu-%s",
		word(ballast.ReplaceAllString(brand, " "), maxBrand), cpus, word(hypervisor, 12))
}

// word reduces s to [a-z0-9-], at most limit bytes, no dash at either end.
func word(s string, limit int) string {
	s = strings.Trim(unlisted.ReplaceAllString(strings.ToLower(s), "-"), "-")
	s = strings.TrimRight(s[:min(limit, len(s))], "-")
	if s == "" {
		return unknown
	}
	return s
}
