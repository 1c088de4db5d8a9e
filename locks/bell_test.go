package locks

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestBellTellsWhenItRang: the ringer's clock is read when somebody sleeps, and only then.
func TestBellTellsWhenItRang(t *testing.T) {
	var b Bell
	var reads atomic.Int64
	b.Now = func() int64 { return 100 + reads.Add(1) }
	if b.Ring() {
		t.Error("nobody sleeps, and somebody was woken")
	}
	if b.Sleep(func() bool { return true }) {
		t.Error("slept, though there was something")
	}
	if n := reads.Load(); n != 0 {
		t.Errorf("the clock was read %d times for nobody", n)
	}
	for want := int64(101); want < 110; want++ {
		var there atomic.Bool
		woken := make(chan bool)
		go func() { woken <- b.Sleep(there.Load) }()
		for !b.Ring() {
			time.Sleep(time.Microsecond)
		}
		if !<-woken || b.Rung() != want {
			t.Errorf("rang at %d, want %d", b.Rung(), want)
		}
	}
}
