//go:build !race

package lockbench

import (
	"testing"

	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// TestBusted: no lock, and one whose readers hold nothing, get no figure.
func TestBusted(t *testing.T) {
	b := newBench(t, 2)
	for name, c := range map[string]struct {
		make  func() locks.Lock
		reads int
	}{
		"no lock":              {locks.Floor, 0},
		"no lock for readers":  {func() locks.Lock { return new(openReads) }, 50},
		"no lock for any read": {locks.Floor, 50},
	} {
		// Long sections: whether two overlap must not be luck.
		cs := Case{Lock: "mutex", Workers: 2, Critical: 20_000, Think: 1000, Lines: 1, Reads: c.reads, Pin: PinNone}
		res, err := b.refused(cs, c.make)
		if err != nil && (res != nil || oracle.Of(err) != oracle.Exclusion) {
			t.Errorf("%s: result %v, error %v", name, res, err)
		}
		if err == nil {
			t.Errorf("%s gets figures", name)
		}
	}
}

// openReads lets readers in always.
type openReads struct{ locks.RW }

func (l *openReads) RLock(*locks.Node)         {}
func (l *openReads) TryRLock(*locks.Node) bool { return true }
func (l *openReads) RUnlock(*locks.Node)       {}
