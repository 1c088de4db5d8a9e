package workloads

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzReplay replays arbitrary captures: whatever is in one, each lap ends where its packets leave the connections.
func FuzzReplay(f *testing.F) {
	shipped, err := os.ReadFile("testdata/http.pcap")
	if err != nil {
		f.Fatal(err)
	}
	for n := 1 << 10; n < len(shipped); n *= 4 {
		f.Add(shipped[:n], uint8(n>>10))
	}
	f.Fuzz(func(t *testing.T, capture []byte, choice uint8) {
		path := filepath.Join(t.TempDir(), "capture")
		if err := os.WriteFile(path, capture, 0o666); err != nil {
			t.Fatal(err)
		}
		defer traces.Delete(path)
		p := Params{Mix: "pcap", Trace: path, Workers: 1 + int(choice%3), Batch: 1 + int(choice>>4)}
		if choice&8 != 0 {
			p.Affinity = Spray
		}
		if _, err := p.Check(); err != nil {
			return
		}
		play(t, [...]string{"global", "refcount", "connp", "smr"}[choice>>2%4], Direct(), p, 2)
	})
}
