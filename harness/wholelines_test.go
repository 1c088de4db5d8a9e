//go:build linux || darwin

package harness

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWholeLines lets a file reach its size limit in the middle of a line, as on a full disk.
func TestWholeLines(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "results"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := &wholeLines{f: f}
	if _, err := w.Write([]byte("first line\n")); err != nil {
		t.Fatal(err)
	}
	limit(t, 16)
	if _, err := w.Write([]byte("second line\n")); err == nil {
		t.Error("no error beyond the limit")
	}
	if got := string(content(t, f.Name())); got != "first line\n" {
		t.Errorf("the file holds %q", got)
	}
}

// limit bounds the size of the files that this process writes until the test ends.
func limit(t *testing.T, size uint64) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	})
}
