//go:build linux || darwin

package main

import (
	"bufio"
	"io"
	"strings"
	"syscall"
	"testing"
)

// TestInterrupt sends SIGINT in the middle of a bench, as a terminal does to the command and the process that it has started: what was
// measured stays, is shown, and the exit code says so.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	cmd := prepare(t, "bench", "-results", dir, "-measure", "20ms", "-processes", "100", "-rounds", "100",
		"-schemes", "global,refcount", "-mixes", "churn", "-workers", "1", "-work", "0")
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
	said := bufio.NewReader(stderr)
	first, _ := said.ReadString('\n') // with the first result
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(said)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(string(rest), "pcbbench: interrupted") {
		t.Errorf("exit code %d, want %d; stderr %s%s", code, exitInterrupted, first, rest)
	}
	if rs := results(t, dir); len(rs) == 0 {
		t.Errorf("no result after %q", first)
	}
	if !strings.Contains(out.String(), "With 1 worker ") {
		t.Errorf("what was measured is not shown: %s", &out)
	}
}
