package harness

import (
	"bytes"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestPlainProgress checks what goes where no terminal is: whole lines, the first at once, with what is left.
func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.start(4)
	for range 3 {
		p.step()
	}
	p.Write([]byte("FAILED something\n"))
	p.step()
	p.finish()
	want := regexp.MustCompile(`^1 of 4 samples, about \d+s to go
FAILED something
4 of 4 samples in \d+s
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("progress is %q", &out)
	}
}

// TestTerminalProgress checks that a rewritten line and what a process says do not share a line.
func TestTerminalProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.tty = true
	p.start(2)
	p.step()
	p.Write([]byte("FAILED something\n"))
	p.Write([]byte("FAILED again\n"))
	p.finish()
	lines := strings.SplitAfter(out.String(), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "\r1 of 2 samples, about ") || lines[1] != "FAILED something\n" ||
		lines[2] != "FAILED again\n" || !strings.HasPrefix(lines[3], "\r1 of 2 samples in ") || lines[4] != "" {
		t.Errorf("the terminal got %q", lines)
	}
}

// TestSharedProgress lets a process speak while the run tells its progress: they come from two goroutines.
func TestSharedProgress(t *testing.T) {
	out := &oneAtATime{}
	p := newProgress(out)
	p.tty = true
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 200 {
			p.Write([]byte("FAILED something\n"))
		}
	})
	for range 200 {
		p.say("1 of 2 samples")
	}
	wg.Wait()
	p.finish()
	if out.crossed.Load() {
		t.Error("two goroutines write at the same time")
	}
	for line := range strings.Lines(out.text.String()) {
		if strings.Contains(line, "samples") && strings.Contains(line, "FAILED") {
			t.Fatalf("mixed up: %q", line)
		}
	}
}

// A oneAtATime notices when Write is called during Write.
type oneAtATime struct {
	busy, crossed atomic.Bool
	text          bytes.Buffer
}

func (w *oneAtATime) Write(p []byte) (int, error) {
	if w.busy.Swap(true) {
		w.crossed.Store(true)
		return len(p), nil
	}
	defer w.busy.Store(false)
	runtime.Gosched()
	return w.text.Write(p)
}
