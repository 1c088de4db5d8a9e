package harness

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A progress tells how far a run is: one line, rewritten on a terminal, a plain line every few seconds elsewhere. What processes say
// on their standard error goes through it, so that the two do not mix.
type progress struct {
	mu      sync.Mutex // what a process says is copied by a goroutine of its own
	w       io.Writer
	tty     bool
	open    bool // a line without its newline stands on the terminal
	total   int
	done    int
	started time.Time
	last    time.Time
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.tty = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *progress) start(total int) {
	p.total, p.started = total, time.Now()
}

func (p *progress) step() {
	p.done++
	left := time.Duration(float64(time.Since(p.started)) / float64(p.done) * float64(p.total-p.done))
	p.report("%d of %d samples, about %v to go", p.done, p.total, left.Round(time.Second))
}

// report says how far it is, now and then.
func (p *progress) report(format string, args ...any) {
	every := 10 * time.Second
	if p.tty {
		every = 100 * time.Millisecond
	}
	if time.Since(p.last) >= every {
		p.last = time.Now()
		p.say(format, args...)
	}
}

func (p *progress) finish() {
	p.say("%d of %d samples in %v", p.done, p.total, time.Since(p.started).Round(time.Second))
	p.finishLine()
}

func (p *progress) finishLine() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLine()
}

func (p *progress) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.tty {
		fmt.Fprintln(p.w, line)
		return
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", line)
	p.open = true
}

// endLine is called with mu held.
func (p *progress) endLine() {
	if p.open {
		fmt.Fprintln(p.w)
		p.open = false
	}
}

// Write takes what a process says on its standard error.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLine()
	if _, err := io.WriteString(p.w, strings.TrimLeft(string(text), "\r")); err != nil {
		return 0, err
	}
	return len(text), nil
}
