package machine

import (
	"errors"

	"golang.org/x/sys/unix"
)

// maxCPUs bounds affinity masks; Linux builds stop at 8192 CPUs.
const maxCPUs = 1 << 16

// getAffinity returns the CPUs the calling thread may use, ascending. The kernel
// refuses a mask shorter than its own with EINVAL, so the mask grows until it
// fits: the usual fixed one ends at 1024 CPUs.
func getAffinity() ([]int, error) {
	for size := 1024; ; size *= 2 {
		set := unix.NewCPUSet(size)
		err := unix.SchedGetaffinityDynamic(0, set)
		if errors.Is(err, unix.EINVAL) && size < maxCPUs {
			continue
		}
		if err != nil {
			return nil, err
		}
		var cpus []int
		for cpu := range size {
			if set.IsSet(cpu) {
				cpus = append(cpus, cpu)
			}
		}
		return cpus, nil
	}
}

// setAffinity confines the calling thread to cpus.
func setAffinity(cpus []int) error {
	set := unix.NewCPUSet(maxCPUs)
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= maxCPUs {
			return unix.EINVAL
		}
		set.Set(cpu)
	}
	return unix.SchedSetaffinityDynamic(0, set)
}

// Yield lets other threads that wait for this CPU run first.
func Yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// readUsage is getrusage of the whole process, threads that ended included.
func readUsage() usage {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return usage{}
	}
	return usage{
		cpu:         known(u.Utime.Nano() + u.Stime.Nano()),
		voluntary:   known(int64(u.Nvcsw)),
		involuntary: known(int64(u.Nivcsw)),
	}
}

// threadID is the calling thread's, as /proc has it.
func threadID() int { return unix.Gettid() }
