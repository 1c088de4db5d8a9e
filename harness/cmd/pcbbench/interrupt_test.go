//go:build linux || darwin

package main

import (
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt sends SIGINT in the middle of a bench, as a terminal does to the command and the process that it has started: what was
// measured stays, is shown, and the exit code says so.
func TestInterrupt(t *testing.T) {
	interrupted(t, "BenchmarkInput", "With 1 worker ", "bench", "-measure", "20ms", "-processes", "100", "-rounds", "100",
		"-schemes", "global,refcount", "-mixes", "churn", "-workers", "1", "-work", "0")
}

// TestInterruptSweep does so in the first loads of a sweep.
func TestInterruptSweep(t *testing.T) {
	interrupted(t, "/load=", "The knee is", "sweep", "-measure", "20ms", "-rounds", "1000", "-schemes", "global", "-dispatch", "direct", "-workers", "1", "-loads", "20,50")
}

// TestInterruptLocks does so in a measurement of locks.
func TestInterruptLocks(t *testing.T) {
	interrupted(t, "BenchmarkLocks", "Throughput and waiting", "locks", "-measure", "5ms", "-rounds", "1000", "-locks", "mtx,mcs", "-workers", "1")
}

// interrupted runs a command until its results file has that text, and interrupts it.
func interrupted(t *testing.T, has, shows, name string, flags ...string) {
	t.Helper()
	dir := t.TempDir()
	cmd := prepare(t, append([]string{name, "-results", dir}, flags...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out strings.Builder
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if name == "locks" {
		dir = filepath.Join(dir, name)
	}
	awaitResult(t, dir, has)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(stderr)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(string(said), "pcbbench: interrupted") {
		t.Errorf("exit code %d, want %d; stderr %s", code, exitInterrupted, said)
	}
	if rs := results(t, dir); len(rs) == 0 {
		t.Errorf("no result after %q", said)
	}
	if !strings.Contains(out.String(), shows) {
		t.Errorf("what was measured is not shown: %s", &out)
	}
}

// awaitResult returns when the results file under dir has text.
func awaitResult(t *testing.T, dir, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if paths, _ := filepath.Glob(filepath.Join(dir, "*", "*.txt")); len(paths) == 1 && strings.Contains(read(t, paths[0]), text) {
			return
		}
	}
	t.Fatalf("no %s in half a minute", text)
}
