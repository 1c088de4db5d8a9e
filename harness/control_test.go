//go:build !race

package harness

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestNegativeControl lets two workers at the table without locks: the checks must see it. Not under the race detector, which would
// see it first.
func TestNegativeControl(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("needs two CPUs to go wrong soon")
	}
	e := tiny("unsync", 2)
	e.Workload.Conns, e.Force = 0, true
	o := options(t, e)
	o.Processes, o.Rounds = 1, 1
	for range 5 {
		var said bytes.Buffer
		o.Stderr = &said
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // a broken table may be a circle
		path, err := Run(ctx, o)
		cancel()
		results, _ := parsed(t, content(t, path))
		if err != nil && len(results) == 0 && strings.Contains(said.String(), "FAILED "+resolved(t, e).name()) {
			return
		}
	}
	t.Error("five samples of two workers without a lock, and none failed its check")
}
