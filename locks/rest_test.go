package locks

import (
	"runtime"
	"testing"
)

// TestRWCounts: the word of an RW has room for a million of each that it counts, and no bit has two meanings.
func TestRWCounts(t *testing.T) {
	const million = 1_000_000
	var seen uint64
	for name, bits := range map[string]uint64{"writer": rwWriter, "woken": rwWoken, "eager": rwEager, "readers": million * rwReader,
		"waiting writers": million * rwWaitWriter, "waiting readers": million * rwWaitReader} {
		if bits == 0 {
			t.Errorf("%s: no bits", name)
		}
		if seen&bits != 0 {
			t.Errorf("%s: bits %#x have another meaning", name, seen&bits)
		}
		seen |= bits
	}
	if million*rwReader&^uint64(rwReaders) != 0 || million*rwWaitWriter&^uint64(rwWaitWriters) != 0 {
		t.Error("a mask leaves out bits of its count")
	}
}

// TestDowngradeAdmits: readers that wait get in at a Downgrade, not only when the downgraded hold ends.
func TestDowngradeAdmits(t *testing.T) {
	var rw RW
	rw.Lock(nil)
	done := make(chan struct{})
	go func() {
		rw.RLock(nil)
		rw.RUnlock(nil)
		close(done)
	}()
	for rw.load() != rwWriter+rwWaitReader { // until it waits
		runtime.Gosched()
	}
	rw.Downgrade(nil)
	<-done
	rw.RUnlock(nil)
}

// TestPhasefairWraps: the counts of readers pass 2^32 while readers and writers come and go.
func TestPhasefairWraps(t *testing.T) {
	l := newPhasefair(SpinYield).(*phasefair)
	near := ^uint32(0)&^pfBits - 5*pfReader
	l.in.Store(near)
	l.out.Store(near)
	done := make(chan int)
	writes := 0 // guarded
	for range 4 {
		go func() {
			seen := 0
			for range 10 {
				l.RLock(nil)
				seen = writes
				l.RUnlock(nil)
				l.Lock(nil)
				writes++
				l.Unlock(nil)
			}
			done <- seen
		}()
	}
	for range 4 {
		<-done
	}
	if in, out := l.in.Load(), l.out.Load(); writes != 40 || in != out || in >= near {
		t.Errorf("%d writes of 40; %#x readers came, %#x left", writes, in, out)
	}
}
