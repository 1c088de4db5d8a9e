package locks

import (
	"runtime"
	"sync"
	"testing"
)

// TestAtRest: when nobody holds or waits for a lock, nothing is left in it. A count or a post that stays would
// keep the fast paths away for good, or wake somebody later who was not meant.
func TestAtRest(t *testing.T) {
	var m Mtx
	var rw RW
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for round := range 200 {
				m.Lock(nil)
				runtime.Gosched() // so that others park
				m.Unlock(nil)
				if (i+round)%2 == 0 {
					rw.Lock(nil)
					runtime.Gosched()
					rw.Downgrade(nil)
				} else {
					rw.RLock(nil)
				}
				runtime.Gosched()
				rw.RUnlock(nil)
			}
		})
	}
	wg.Wait()
	if m.word != 0 || m.sema != 0 {
		t.Errorf("Mtx word %#x, semaphore %d", m.word, m.sema)
	}
	if rw.word != 0 || rw.writerSema != 0 || rw.readerSema != 0 {
		t.Errorf("RW word %#x, semaphores %d and %d", rw.word, rw.writerSema, rw.readerSema)
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
