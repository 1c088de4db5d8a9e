package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"unsafe"

	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/unix"
)

// An event is something that a processor can count.
type event struct {
	name   string
	kind   uint32
	config uint64
}

// remoteLoads is the generic event of loads that another node's memory or cache answered.
const remoteLoads = unix.PERF_COUNT_HW_CACHE_NODE | unix.PERF_COUNT_HW_CACHE_OP_READ<<8 | unix.PERF_COUNT_HW_CACHE_RESULT_MISS<<16

// events are those that tell why locks are slow. Not every machine has all of them.
func events() []event {
	list := []event{
		{"cycles", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CPU_CYCLES},
		{"instructions", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_INSTRUCTIONS},
		{"llc-miss", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CACHE_MISSES},
		{"remote-load", unix.PERF_TYPE_HW_CACHE, remoteLoads},
	}
	if cpu := &cpuid.CPU; cpu.VendorID == cpuid.Intel && cpu.Family == 6 && slices.Contains(hitmModels, cpu.Model) {
		list = append(list, event{"hitm", unix.PERF_TYPE_RAW, 0x04d2})
	}
	return list
}

// hitmModels are the Intel cores, Skylake and later, whose event D2H, umask 04H, is a load that hit a line which another core had modified.
var hitmModels = []int{0x4e, 0x5e, 0x55, 0x8e, 0x9e, 0x6a, 0x6c, 0x7d, 0x7e, 0xa7, 0x8f, 0xcf}

// Counters count what all threads of this process do in user space between Start and Stop.
type Counters struct {
	events []event
	open   [][]int // by event: a file descriptor for each thread
}

// NewCounters finds out what the machine can count. The error says why it is nothing.
func NewCounters() (*Counters, error) { return newCounters(events()) }

func newCounters(list []event) (*Counters, error) {
	c := &Counters{}
	var why error
	for _, e := range list {
		fd, err := e.openFor(0)
		if err != nil {
			if why == nil {
				why = err
			}
			continue
		}
		_ = unix.Close(fd)
		c.events = append(c.events, e)
	}
	if c.events == nil {
		return nil, counterError(why)
	}
	return c, nil
}

// counterError says in one sentence why there are no counters.
func counterError(err error) error {
	text := "the kernel refuses them"
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENODEV):
		text = "this machine shows no hardware counters, as most virtual ones do not"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		text = "this process may not: kernel.perf_event_paranoid must be 2 or less, or the container must allow perf_event_open"
	case errors.Is(err, unix.ENOSYS):
		text = "this kernel or sandbox has no perf_event_open"
	}
	return fmt.Errorf("hardware counters: %s (%w)", text, err)
}

// Names are the counters there are.
func (c *Counters) Names() (names []string) {
	for _, e := range c.events {
		names = append(names, e.name)
	}
	return names
}

// openFor opens e for a thread, 0 being the caller's, and for those that it starts. It does not count yet.
func (e *event) openFor(tid int) (fd int, err error) {
	attr := unix.PerfEventAttr{
		Type: e.kind, Config: e.config, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Read_format: unix.PERF_FORMAT_TOTAL_TIME_ENABLED | unix.PERF_FORMAT_TOTAL_TIME_RUNNING,
		Bits:        unix.PerfBitDisabled | unix.PerfBitInherit | unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
	}
	return unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
}

// Start counts from now on, in all threads that there are and that they start. What one thread does while it is another's turn to begin is lost: some
// microseconds for each.
func (c *Counters) Start() error {
	tids, err := threads()
	if err != nil {
		return err
	}
	c.open = make([][]int, len(c.events))
	for i := range c.events {
		for _, tid := range tids {
			fd, err := c.events[i].openFor(tid)
			if errors.Is(err, unix.ESRCH) {
				continue // it has ended
			}
			if err != nil {
				c.close()
				return counterError(err)
			}
			c.open[i] = append(c.open[i], fd)
		}
	}
	return c.each(func(fd int) error { return unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0) })
}

// threads are this process's.
func threads() (tids []int, err error) {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, fmt.Errorf("hardware counters: %w", err)
	}
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, fmt.Errorf("hardware counters: /proc/self/task: %w", err)
		}
		tids = append(tids, tid)
	}
	return tids, nil
}

// Stop counts no more, and returns what was counted. A counter that never ran is left out.
func (c *Counters) Stop() (list []Counted, err error) {
	defer c.close()
	if err := c.each(func(fd int) error { return unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_DISABLE, 0) }); err != nil {
		return nil, err
	}
	for i, fds := range c.open {
		var readings []reading
		for _, fd := range fds {
			r, err := read(fd)
			if err != nil {
				return nil, fmt.Errorf("hardware counters: %w", err)
			}
			readings = append(readings, r)
		}
		if n, known := counted(c.events[i].name, readings); known {
			list = append(list, n)
		}
	}
	return list, nil
}

func read(fd int) (r reading, err error) {
	var buf [24]byte
	n, err := unix.Read(fd, buf[:])
	if err == nil && n != len(buf) {
		err = fmt.Errorf("a reading of %d bytes", n)
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(buf[8*i:]) }
	return reading{word(0), word(1), word(2)}, err
}

func (c *Counters) each(f func(fd int) error) error {
	for _, fds := range c.open {
		for _, fd := range fds {
			if err := f(fd); err != nil {
				c.close()
				return fmt.Errorf("hardware counters: %w", err)
			}
		}
	}
	return nil
}

func (c *Counters) close() {
	for _, fds := range c.open {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
	c.open = nil
}
