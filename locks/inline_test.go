//go:build !torture && !witness

package locks_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestFastPathsInline asks the compiler whether the uncontended paths of the embedded locks cost a call.
func TestFastPathsInline(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range []string{"(*Mtx).Lock", "(*Mtx).Unlock", "(*RW).Lock", "(*RW).Unlock", "(*RW).RUnlock"} {
		if !strings.Contains(string(out), "can inline "+f+"\n") {
			t.Errorf("%s is not inlined", f)
		}
	}
}
