package locks

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/cpuid/v2"

	"pcbbench/locks/probe"
)

// numaUnasked stands for the NUMA node of a worker that has not looked.
const numaUnasked = -1

// numaNodes is how many NUMA nodes the system says it has; 1 if it does not say.
var numaNodes = sync.OnceValue(func() int {
	text, err := os.ReadFile("/sys/devices/system/node/online") // as in 0-3 or 0,2
	if err != nil {
		return 1
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), ",")
	if _, err := strconv.Atoi(first); err == nil && !strings.Contains(string(text), ",") {
		return 1
	}
	return 2 // at least
})

// numaKnown says whether a thread learns its NUMA node without a system call: Linux keeps it in the TSC_AUX register of an amd64 CPU.
var numaKnown = runtime.GOOS == "linux" && runtime.GOARCH == "amd64" && cpuid.CPU.Has(cpuid.RDTSCP)

// numaNode is the NUMA node that the calling thread runs on at this moment; 0 if that is not known. In torture builds one of two is drawn, in a
// simulation it is the worker's.
func numaNode() int32 {
	switch {
	case probe.Simulating:
		return int32(probe.Worker() % 2)
	case probe.Enabled:
		return rand.Int32N(2)
	case !numaKnown:
		return 0
	}
	const cpuBits = 12 // of TSC_AUX, below the node: Linux, arch/x86/include/asm/segment.h
	return int32(cpuid.CPU.Ia32TscAux() >> cpuBits)
}
