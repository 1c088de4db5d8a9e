package harness

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcbbench/harness/compare"
	"pcbbench/harness/compare/file"
	"pcbbench/harness/machine"
)

// TestFileIsKnown checks that who reads results knows what is written here: every unit is taken, and where a fact of the machine or the epoch is another one,
// results do not compare.
func TestFileIsKnown(t *testing.T) {
	facts := machine.Gather()
	var b bytes.Buffer
	if err := writeHeader(&b, facts.Stable(), facts.Run()); err != nil {
		t.Fatal(err)
	}
	b.WriteString("BenchmarkX 1")
	for _, u := range Units {
		value := " 1 "
		if u.name == "segs/s" {
			value = " 1e9 " // or the two contradict each other
		}
		b.WriteString(value + u.name)
	}
	b.WriteString(" 3 level 0.5 gone/seg\n")
	path := filepath.Join(t.TempDir(), "all.txt")
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := file.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range append(facts.Stable(), machine.KeyValue{Key: "epoch", Value: Epoch}) {
		if f.Runs[0].Facts[kv.Key] != kv.Value {
			t.Errorf("%s is read back as %q", kv.Key, f.Runs[0].Facts[kv.Key])
		}
		other := *f
		other.Runs = []*file.Run{{Line: 1, Facts: maps.Clone(f.Runs[0].Facts)}}
		other.Runs[0].Facts[kv.Key] = "another"
		c, err := compare.Diff(f, &other, compare.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if why := c.Refusal(); why == nil || !strings.Contains(why.Error(), kv.Key) {
			t.Errorf("another %s is told as %v", kv.Key, why)
		}
	}
}
