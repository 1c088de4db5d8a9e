//go:build !torture && !sim && !count

package probe_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"pcbbench/locks/probe"
)

// probed and bare differ in nothing but the calls to probe. They call nothing else and refer to no global,
// so their machine code holds no addresses and can be compared byte for byte.

//go:noinline
func probed(p *atomic.Uint32, q *uint64, sema *uint32) uint32 {
	probe.Load(p)
	v := p.Load()
	probe.Store(q)
	*q += 3
	probe.Pause()
	if !probe.Park(sema) {
		*sema--
	}
	if !probe.Unpark(sema) {
		*sema++
	}
	probe.Work(v)
	probe.RMW(p)
	return v + p.Add(2)
}

//go:noinline
func bare(p *atomic.Uint32, q *uint64, sema *uint32) uint32 {
	v := p.Load()
	*q += 3
	*sema--
	*sema++
	return v + p.Add(2)
}

// TestOffCostsNothing builds this package's test binary and compares the machine code of the two.
func TestOffCostsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	var p atomic.Uint32
	var q uint64
	var sema uint32
	if got := probed(&p, &q, &sema) + bare(&p, &q, &sema); got != 0+2+2+4 { // and keeps both in the binary
		t.Fatalf("probed and bare do not do the same: %d", got)
	}
	bin := filepath.Join(t.TempDir(), "probe.test")
	run(t, "go", "test", "-c", "-o", bin, ".")
	with, without := code(t, bin, "probed"), code(t, bin, "bare")
	if len(with) == 0 || with != without {
		t.Errorf("with probes:\n%s\nwithout:\n%s", with, without)
	}
}

// code returns the machine code of a function of this package, one instruction a line, without addresses.
func code(t *testing.T, bin, name string) string {
	var b strings.Builder
	for _, line := range strings.Split(run(t, "go", "tool", "objdump", "-s", `probe_test\.`+name+"$", bin), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] != "TEXT" { // file:line, address, code, instruction
			b.WriteString(strings.Join(f[2:], " ") + "\n")
		}
	}
	return b.String()
}

func run(t *testing.T, name string, arg ...string) string {
	out, err := exec.Command(name, arg...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, arg, err, out)
	}
	return string(out)
}

func BenchmarkOff(b *testing.B) {
	var p atomic.Uint32
	var q uint64
	var sema uint32
	b.Run("probes=none", func(b *testing.B) {
		for b.Loop() {
			bare(&p, &q, &sema)
		}
	})
	b.Run("probes=off", func(b *testing.B) {
		for b.Loop() {
			probed(&p, &q, &sema)
		}
	})
}
