package machine

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCounters counts page faults, which any machine can, in threads that there are and in one that begins later.
func TestCounters(t *testing.T) {
	c, err := newCounters([]event{{"nothere", unix.PERF_TYPE_HARDWARE, 1 << 30}, {"page-faults", unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_PAGE_FAULTS}})
	if err != nil {
		t.Skip(err)
	}
	if names := strings.Join(c.Names(), ","); names != "page-faults" {
		t.Fatalf("there are %s", names)
	}
	const pages = 1000
	touch := func() {
		runtime.LockOSThread() // and ends the thread
		mem, err := unix.Mmap(-1, 0, pages*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			t.Error(err)
			return
		}
		_ = unix.Madvise(mem, unix.MADV_NOHUGEPAGE) // which old kernels do not have
		for i := 0; i < len(mem); i += 4096 {
			mem[i] = 1
		}
		_ = unix.Munmap(mem)
	}
	ready, begin := make(chan bool), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread()
		ready <- true
		<-begin
		touch()
	})
	<-ready
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	close(begin)
	wg.Go(touch)
	wg.Wait()
	list, err := c.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Name != "page-faults" || list[0].Share != 1 || list[0].N < 2*pages {
		t.Errorf("counted %+v, want at least %d page faults, all the time", list, 2*pages)
	}
	if c.open != nil {
		t.Errorf("left open: %v", c.open)
	}
}

// TestNoCounters: where nothing can be counted, one sentence says why.
func TestNoCounters(t *testing.T) {
	c, err := newCounters([]event{{"nothere", unix.PERF_TYPE_HARDWARE, 1 << 30}})
	if c != nil || err == nil || !strings.HasPrefix(err.Error(), "hardware counters: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, %v", c, err)
	}
	for errno, want := range map[unix.Errno]string{unix.ENOENT: "no hardware counters", unix.EACCES: "perf_event_paranoid", unix.ENOSYS: "sandbox", unix.EINVAL: "refuses"} {
		if err := counterError(errno); !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", errno, err, want)
		}
	}
}

// TestCounted: what shared a counter is scaled up, and what never ran is not known.
func TestCounted(t *testing.T) {
	c, known := counted("cycles", []reading{{300, 1000, 500}, {0, 0, 0}, {100, 1000, 500}})
	if !known || c != (Counted{"cycles", 800, 0.5}) {
		t.Errorf("%+v, %v", c, known)
	}
	if c, known := counted("cycles", []reading{{0, 1000, 0}}); known {
		t.Errorf("%+v is known", c)
	}
}
