//go:build mutants

package mutants

import (
	"os/exec"
	"path/filepath"
	"testing"
)

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

// TestBuild compiles every mutant's package.
func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler for every mutant")
	}
	for i := range List {
		m := &List[i]
		r := &runner{Config: Config{Root: "../.."}, dir: t.TempDir()}
		overlay, err := r.overlay(m)
		if err != nil {
			t.Error(err)
			continue
		}
		cmd := exec.Command("go", "build", "-tags", "torture,witness", "-overlay", overlay, "./"+filepath.Dir(m.File))
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", m.Name, err, out)
		}
	}
}
