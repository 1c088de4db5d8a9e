//go:build mutants

package mutants

import "testing"

// TestApply finds the text of every mutant in today's source, and that names are unique.
func TestApply(t *testing.T) {
	seen := map[string]bool{}
	for i := range List {
		m := &List[i]
		if seen[m.Name] {
			t.Errorf("two mutants are called %s", m.Name)
		}
		seen[m.Name] = true
		if _, err := m.Apply("../.."); err != nil {
			t.Error(err)
		}
		if m.Old == m.New || m.What == "" || m.Subject == "" {
			t.Errorf("mutant %s changes nothing or does not say what", m.Name)
		}
	}
}
