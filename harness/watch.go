package harness

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// bounded calls f, turns its panic into an error, and gives it up as stuck in what it does when it has been no further for as long as limit:
// progress is a number that grows while f gets on; nil: f as a whole has that long.
func bounded(limit time.Duration, what string, progress func() uint64, f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("%v\n%s", p, panicSite())
			}
		}()
		done <- f()
	}()
	if progress == nil {
		progress = func() uint64 { return 0 }
	}
	for last := progress(); ; {
		select {
		case err := <-done:
			return err
		case <-time.After(limit):
		}
		now := progress()
		if now == last {
			return &StuckError{limit, what}
		}
		last = now
	}
}

// A StuckError says that workers made no progress. They still run: the process is of no more use.
type StuckError struct {
	after time.Duration
	who   string
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("no progress for %v: %s", e.after, e.who)
}

// panicSite names the innermost functions of a panic under way.
func panicSite() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var sites []string
	after := false
	for f, more := frames.Next(); more && len(sites) < 6; f, more = frames.Next() {
		if after {
			sites = append(sites, fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line))
		}
		after = after || f.Function == "runtime.gopanic"
	}
	return "at " + strings.Join(sites, "\n   ")
}
