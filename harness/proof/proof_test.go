package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"pcbbench"
)

func TestOf(t *testing.T) {
	dir := t.TempDir()
	want := func(subjects []string, prefix string) {
		t.Helper()
		if got := Of(dir, subjects); !strings.HasPrefix(got, prefix) {
			t.Errorf("of %v: %q, want %q", subjects, got, prefix)
		}
	}
	want([]string{"scheme smr"}, NotRun)
	now := time.Unix(1_000_000_000, 0)
	first := &Record{Subjects: []string{"scheme smr", "lock mcs"}, Seed: 7, Duration: time.Minute, Flavour: "torture", Report: "all well\n"}
	path, err := first.Write(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := sha256.Sum256(data)
		return hex.EncodeToString(s[:])
	}
	want([]string{"scheme smr"}, "passed, sha256 "+sum(path))
	want([]string{"lock mcs", "scheme smr"}, "passed, sha256 "+sum(path))
	want([]string{"scheme smr", "scheme global"}, NotRun+" for scheme global")
	want([]string{"scheme global"}, NotRun)

	newer, err := (&Record{Subjects: []string{"scheme smr", "scheme global"}}).Write(dir, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want([]string{"scheme smr"}, "passed, sha256 "+sum(newer))
	want([]string{"lock mcs"}, "passed, sha256 "+sum(path)) // the older one has it

	// A record of other code counts for nothing, whatever it is called.
	data, _ := os.ReadFile(path)
	for _, p := range []string{path, newer} {
		if err := os.WriteFile(p, []byte(strings.ReplaceAll(string(data), pcbbench.Code(), strings.Repeat("0", 64))), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want([]string{"scheme smr"}, NotRun)
}

// TestCodeCoversTheModule checks that what decides what a binary does is in the digest's source.
func TestCodeCoversTheModule(t *testing.T) {
	for _, name := range []string{"go.mod", "locks/rw.go", "pcbinfo/smr.go", "locks/smr/gus.go", "workloads/build.go", "harness/run.go", "harness/machine/clock.go",
		"harness/cmd/pcbbench/main.go", "workloads/pcap/read.go", "pcbinfo/pcbtest/torture.go"} {
		f, err := pcbbench.Source().Open(name)
		if err != nil {
			t.Errorf("%s is not part of the source: %v", name, err)
			continue
		}
		f.Close()
	}
	if len(pcbbench.Code()) != 64 {
		t.Errorf("code %q is no SHA-256", pcbbench.Code())
	}
}
