package machine

import (
	"errors"
	"fmt"
	"runtime"
)

// Pin locks the calling goroutine to its thread and the thread to one CPU.
// unpin, called once by the same goroutine, gives both back. On error nothing
// has changed; callers go on unpinned and say so, or fail.
//
// A pinned goroutine that parks puts its thread to sleep and is woken by
// futex, tens of microseconds on a VM: pinned and unpinned figures of parking
// locks are not comparable.
func Pin(cpu int) (unpin func(), err error) {
	runtime.LockOSThread()
	old, err := getAffinity()
	if err == nil {
		err = setAffinity([]int{cpu})
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, pinError(cpu, old, err)
	}
	return func() {
		// A thread whose mask cannot be restored must not serve other
		// goroutines: it stays locked, and ends with this one.
		if setAffinity(old) == nil {
			runtime.UnlockOSThread()
		}
	}, nil
}

func pinError(cpu int, allowed []int, err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("machine: cannot pin to CPU %d: %w on %s; run without pinning", cpu, err, runtime.GOOS)
	}
	return fmt.Errorf("machine: cannot pin to CPU %d: %w; this thread may use %s: "+
		"choose one of these, widen the cpuset or container, or run without pinning",
		cpu, err, FormatCPUList(allowed))
}
