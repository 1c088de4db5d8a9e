package harness

import (
	"fmt"
	"time"

	"pcbbench/locks/oracle"
)

// bounded calls f, turns its panic into an error, and gives it up as stuck in what it does when it has been no further for as long as limit:
// progress is a number that grows while f gets on; nil: f as a whole has that long.
func bounded(limit time.Duration, what string, progress func() uint64, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- oracle.Guard(f) }()
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
